"""Hostile uploads get a 4xx, leave no partial files, and do not affect the server."""

import io
import socket
import struct
import zlib
from pathlib import Path

import pytest
import urllib3
from cloudinary import api, uploader
from cloudinary.exceptions import BadRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import png
from profiles import examples
from servers import threaded_cloudlet

from cloudlet import ids
from cloudlet.cli import main
from cloudlet.testing import RunningCloudlet

pytestmark = pytest.mark.usefixtures("server")
# The server is shared by all examples on purpose.
SHARED = [HealthCheck.function_scoped_fixture]


@pytest.mark.parametrize(
    "public_id",
    ["../x", "a/../../etc/passwd", "a//b", "/abs", "end/", " lead", "nul\0", "what?", "a&b", "a#b", "a\\b", "a%2e",
     "<x>", "a+b", "line\nbreak", "x" * 256, ".", "a/./b"],
)  # fmt: skip
def test_hostile_public_ids_are_refused(public_id: str) -> None:
    with pytest.raises(BadRequest, match=r"public_id|Missing"):
        uploader.upload(png(), public_id=public_id)


@settings(suppress_health_check=SHARED)
@given(st.text(max_size=300))
def test_accepted_public_id_is_a_safe_path(public_id: str) -> None:
    if ids.public_id_problem(public_id):
        return
    assert 0 < len(public_id) <= 255
    assert public_id.encode()
    segments = public_id.split("/")
    assert not {"", ".", ".."} & set(segments)
    assert not set(public_id) & set("?&#\\%<>+\0")


@settings(max_examples=examples(0.2), suppress_health_check=SHARED)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_accepted_public_id_can_be_uploaded_and_delivered(server: RunningCloudlet, public_id: str) -> None:
    if ids.public_id_problem(public_id):
        return
    result = uploader.upload(b"data", public_id=public_id, resource_type="raw", filename="f")
    assert result["public_id"] == public_id
    assert urllib3.request("GET", result["url"], timeout=10).data == b"data"
    assert uploader.destroy(public_id, resource_type="raw")["result"] == "ok"


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG whose header declares this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "Empty file|Missing required"),
        (b"<html>", "Invalid image file"),
        (png().getvalue()[:-15], "Invalid image file"),
        (bomb(60_000, 60_000), "Maximum image size is 100 Megapixels. Requested 3600.00 Megapixels"),
        (b"%PDF-1.7 broken", "Invalid image file"),
    ],
)
def test_damaged_images_and_decompression_bombs_are_refused(data: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        uploader.upload(io.BytesIO(data), public_id="never")
    assert api.resources_by_ids(["never"])["resources"] == []


def test_oversize_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with threaded_cloudlet("--max-upload-bytes", "400000", data=tmp_path) as small:
        with pytest.raises(BadRequest, match=r"^File size too large\. Got 500000\. Maximum is 400000\.$"):
            uploader.upload(b"x" * 500_000, resource_type="raw", filename="f", **small.sdk_config)
        assert list((tmp_path / "staging").iterdir()) == []
        assert list((tmp_path / "blobs").glob("*/*")) == []


def request(server: RunningCloudlet, head: str, body: bytes, *, half_close: bool = True) -> str:
    """Send a request over a plain socket. Return the status line."""
    host, _, port = server.authority.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}\r\nHost: {server.authority}\r\nConnection: close\r\n".encode())
        connection.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").readline().decode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--y\r\nnonsense"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntruncated'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno name\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n',
        ),
        ("application/json", b"{"),
        ("application/json", b"[" * 100_000),
        ("application/x-www-form-urlencoded", b"a=%ff"),
    ],
)
def test_malformed_body_is_a_400_or_401(server: RunningCloudlet, content_type: str, body: bytes) -> None:
    head = f"POST /v1_1/test/image/upload HTTP/1.1\r\nContent-Type: {content_type}"
    assert request(server, head, body).split()[1] in ("400", "401")


def test_body_without_the_final_line_break_is_accepted(server: RunningCloudlet) -> None:
    """The Node SDK ends its bodies right after the last boundary."""
    head = "POST /v1_1/test/image/upload HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x"
    body = b'--x\r\nContent-Disposition: form-data; name="upload_preset"\r\n\r\nnone\r\n--x--'
    assert request(server, head, body).split()[1] == "400"


@given(st.binary(max_size=200))
@settings(max_examples=examples(0.5), suppress_health_check=SHARED)
def test_any_multipart_body_is_refused_without_a_signature(server: RunningCloudlet, noise: bytes) -> None:
    head = "POST /v1_1/test/raw/upload HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b"
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + noise + b"\r\n--b--\r\n"
    assert request(server, head, body).split()[1] in ("400", "401")


def test_error_for_a_port_in_use_names_the_cure(
    server: RunningCloudlet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", server.authority.partition(":")[2], "--data", str(tmp_path)]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_svg_is_an_image() -> None:
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30"/>'
    result = uploader.upload(io.BytesIO(svg))
    assert (result["format"], result["width"], result["height"]) == ("svg", 40, 30)
