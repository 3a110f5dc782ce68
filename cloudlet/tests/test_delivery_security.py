"""Hostile URLs and uploads. Requests are sent over plain sockets, because HTTP clients normalise the path."""

import os
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cloudinary
import cloudinary.uploader
import pytest
import requests
from cloudinary.utils import cloudinary_url
from deliveries import TIMEOUT_SECONDS, upload
from pictures import encoded, picture
from PIL import Image
from servers import threaded_cloudlet

from cloudlet.testing import RunningCloudlet

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module", autouse=True)
def photo(started_server: RunningCloudlet) -> None:
    cloudinary.config(**started_server.sdk_config)
    upload(picture(), "photo")


def get(public_id: str, **options: Any) -> requests.Response:
    return requests.get(cloudinary_url(public_id, **options)[0], timeout=TIMEOUT_SECONDS)


def raw_get(server: RunningCloudlet, path: str) -> tuple[int, dict[str, str], bytes]:
    """Request a path exactly as it is. Return status, headers and body."""
    host, _, port = server.authority.partition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: {server.authority}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


HOSTILE = [
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/index.sqlite3",
    "%252e%252e/%252e%252e/index.sqlite3",
    "..%5c..%5cindex.sqlite3",
    "....//....//index.sqlite3",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "photo%00.png",
    "photo.png%00.jpg",
    "photo.p%00ng",
    "photo%0d%0aX-Evil:%201.png",
    "photo%ff.png",
    "%c0%ae%c0%ae/photo.png",
    "%ed%a0%80.png",
    "photo.png/../../../x",
    "./photo.png",
    "photo%3f.png",
    "photo%23.png",
    "photo%25.png",
    "photo." + "a" * 200,
    "photo.png.exe",
    "v99999999999999999999999/photo.png",
    "v1/",
    "s--/photo.png",
    "s----/photo.png",
    "s--AAAAAAAA--/",
    "s--AAAAAAAA--/s--AAAAAAAA--/photo.png",
    "x" * 256 + ".png",
    "a/" * 200 + "photo.png",
    "l_..:..:etc:passwd/v1/photo.png",
    "l_text:..%252f..%252fetc%252fpasswd_20:x/v1/photo.exe",
    "d_..:..:etc:passwd/v1/nothing.png",
    "t_..%2f..%2fetc/v1/photo.png",
    "fl_attachment:%0d%0aSet-Cookie:a=b/v1/photo.png",
    "%",
    "%zz.png",
]


@pytest.mark.parametrize("tail", HOSTILE)
@pytest.mark.parametrize("prefix", ["image/upload", "raw/upload", "image/authenticated"])
def test_hostile_path_gets_an_empty_4xx_with_a_reason(server: RunningCloudlet, prefix: str, tail: str) -> None:
    status, headers, body = raw_get(server, f"/{server.cloud_name}/{prefix}/{tail}")
    assert status in (400, 401, 404), (status, body[:100])
    assert body == b""
    assert headers["x-cld-error"]
    assert "x-evil" not in headers
    assert "set-cookie" not in headers


def test_index_and_stored_files_have_no_url() -> None:
    with threaded_cloudlet() as server:
        cloudinary.config(**server.sdk_config)
        upload(picture(), "photo", eager=[{"width": 5}])
        names = [str(path.relative_to(server.data)) for path in server.data.rglob("*") if path.is_file()]
        assert len([name for name in names if name.startswith("blobs/")]) == 2
        for name in names:
            for path in (f"/{name}", f"/{server.cloud_name}/{name}", f"/{server.cloud_name}/raw/upload/{name}"):
                assert raw_get(server, path)[0] in (400, 401, 404)


@pytest.mark.parametrize(
    ("content", "public_id", "options"),
    [
        (b"<!doctype html><script>alert(1)</script>", "page.html", {"resource_type": "raw"}),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'><script/></html>", "page.xhtml", {"resource_type": "raw"}),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "drawing", {}),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "d.svg", {"resource_type": "raw"}),
        (b"<?xml version='1.0'?><x/>", "data.xml", {"resource_type": "raw"}),
        (b"alert(1)", "script.js", {"resource_type": "raw"}),
    ],
)
def test_active_content_is_delivered_in_a_csp_sandbox(
    server: RunningCloudlet, content: bytes, public_id: str, options: dict[str, str]
) -> None:
    made = upload(content, public_id, **options)
    response = requests.get(made["url"], timeout=TIMEOUT_SECONDS)
    assert response.content == content
    policy = response.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_html_named_png_is_delivered_as_png_with_nosniff(server: RunningCloudlet) -> None:
    made = upload(b"<script>alert(1)</script>", "notes.png", resource_type="raw")
    response = requests.get(made["url"], timeout=TIMEOUT_SECONDS)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_attachment_name_cannot_break_out_of_the_header(server: RunningCloudlet) -> None:
    response = get("photo", raw_transformation="fl_attachment:a%22; filename=%22evil.exe", format="png")
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="a___filename=_evil.exe.png"') or disposition.count('"') == 2


def bomb() -> bytes:
    """Return a small PNG whose header declares 60000 x 60000 pixels."""
    image = bytearray(encoded(Image.new("L", (1, 1))))
    header = b"IHDR" + (60000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    start = image.index(b"IHDR")
    image[start : start + 17] = header
    image[start + 17 : start + 21] = zlib.crc32(header).to_bytes(4, "big")
    return bytes(image)


def test_decompression_bombs_are_refused(server: RunningCloudlet) -> None:
    with pytest.raises(cloudinary.exceptions.BadRequest, match=r"Requested 3600\.00 Megapixels"):
        upload(bomb(), "bomb")
    assert get("bomb").status_code == 404


@pytest.mark.parametrize(
    "transformation",
    [
        "w_30000,h_30000",
        "c_pad,w_30000,h_30000",
        "w_20000/w_30000",
        "e_blur:2000/" * 63 + "e_blur:2000",
        "w_1/" * 64 + "w_1",
        "l_text:Sans_2000:" + "W" * 900,
        "bo_1000px_solid_red/" * 20 + "w_30000",
        "l_photo,w_20000,h_20000",
    ],
)
def test_huge_transformations_are_refused_quickly(server: RunningCloudlet, transformation: str) -> None:
    before = cpu_seconds(server)
    answer = requests.get(cloudinary_url("photo", raw_transformation=transformation)[0], timeout=TIMEOUT_SECONDS)
    assert answer.status_code in (200, 400)
    assert cpu_seconds(server) - before < 10
    if answer.status_code == 400:
        assert "Invalid transformation component" in answer.headers["X-Cld-Error"]


def cpu_seconds(server: RunningCloudlet) -> float:
    """Return the CPU time of the server so far, which other work of the machine does not distort."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_server_works_after_a_truncated_picture(server: RunningCloudlet) -> None:
    with pytest.raises(cloudinary.exceptions.BadRequest, match="Invalid image file"):
        upload(picture()[:700], "cut")
    assert get("cut").status_code == 404
    assert get("photo", raw_transformation="w_11").status_code == 200


def test_simultaneous_requests_share_one_rendering(server: RunningCloudlet) -> None:
    url = cloudinary_url("photo", raw_transformation="w_900,e_oil_paint:60", format="png")[0]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: requests.get(url, timeout=TIMEOUT_SECONDS), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["ETag"] for answer in answers}) == 1
