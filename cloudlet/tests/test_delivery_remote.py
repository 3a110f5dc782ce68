"""Delivery of remote files: the `fetch` type and upload mappings, from allowed hosts only."""

import http.server
import io
import threading
from collections.abc import Iterator

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
from cloudinary.exceptions import BadRequest
from cloudinary.utils import cloudinary_url
from deliveries import PHOTO, TIMEOUT_SECONDS, get, refused
from pictures import decoded, encoded
from PIL import Image

from cloudlet.testing import RunningCloudlet


class Origin(http.server.BaseHTTPRequestHandler):
    """A remote host with one picture at two paths, which records the requests."""

    requested_paths: list[str] = []

    def do_GET(self) -> None:
        type(self).requested_paths.append(self.path)
        known = self.path in ("/a/photo.png", "/a/photo.png?size=large&n=1")
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(PHOTO if known else b"")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def server_options(origin: str) -> list[str]:
    return ["--remote-host", origin.removeprefix("http://")]


@pytest.fixture(autouse=True)
def no_requests_yet(server: RunningCloudlet) -> None:
    Origin.requested_paths.clear()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("path", ["/a/photo.png", "/a/photo.png?size=large&n=1"])
def test_remote_picture_is_delivered_and_transformed(origin: str, path: str, signed: bool) -> None:
    plain = cloudinary_url(origin + path, type="fetch", sign_url=signed)[0]
    assert get(plain).content == PHOTO
    small = cloudinary_url(origin + path, type="fetch", sign_url=signed, width=20, crop="scale", fetch_format="jpg")[0]
    made = decoded(get(small).content)
    assert (made.size, made.format) == ((20, 15), "JPEG")


def test_remote_picture_is_fetched_once(origin: str) -> None:
    address = cloudinary_url(f"{origin}/a/photo.png", type="fetch")[0]
    for _ in range(3):
        assert get(address).status_code == 200
    assert len(Origin.requested_paths) <= 1


def test_wrong_signature_fetches_nothing(origin: str) -> None:
    address = cloudinary_url(f"{origin}/a/other.png", type="fetch", sign_url=True)[0]
    refused(get(address.replace("s--", "s--A")), 401, "Invalid signature")
    assert Origin.requested_paths == []


def test_missing_remote_picture_is_a_404(origin: str) -> None:
    refused(get(cloudinary_url(f"{origin}/a/none.png", type="fetch")[0]), 404, "Error in loading")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.png",
        "http://localhost/x.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x.png",
        "https://example.com/x.png",
        "http://user@127.0.0.1:22/x",
    ],
)
def test_hosts_that_are_not_allowed_are_never_contacted(url: str) -> None:
    refused(get(cloudinary_url(url, type="fetch")[0]), 401, "not allowed")


def test_other_schemes_are_refused(server: RunningCloudlet) -> None:
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x", "x"):
        refused(get(f"{server.url}/{server.cloud_name}/image/fetch/{url}"), 400, "fetch URL")


def test_mapped_folder_fetches_missing_files(origin: str) -> None:
    cloudinary.api.create_upload_mapping("wiki", template=f"{origin}/a/", timeout=TIMEOUT_SECONDS)
    address = cloudinary_url("wiki/photo.png", width=30, crop="scale")[0]
    assert decoded(get(address).content).size == (30, 22)
    assert cloudinary.api.resource("wiki/photo", timeout=TIMEOUT_SECONDS)["bytes"] == len(PHOTO)
    assert get(address).status_code == 200
    assert len(Origin.requested_paths) == 1
    refused(get(cloudinary_url("wiki/none.png")[0]), 404, "Error in loading")
    refused(get(cloudinary_url("elsewhere/photo.png")[0]), 404, "Resource not found")


def test_mapped_folder_replaces_a_deleted_asset_that_has_a_backup(origin: str) -> None:
    cloudinary.api.create_upload_mapping("kept", template=f"{origin}/a/", timeout=TIMEOUT_SECONDS)
    deleted = cloudinary.uploader.upload(
        io.BytesIO(PHOTO), public_id="kept/photo", backup=True, timeout=TIMEOUT_SECONDS
    )
    cloudinary.uploader.destroy("kept/photo", timeout=TIMEOUT_SECONDS)
    assert get(cloudinary_url("kept/photo.png")[0]).content == PHOTO
    brought = cloudinary.api.resource("kept/photo", timeout=TIMEOUT_SECONDS)
    assert (brought["asset_id"], brought["version"] > deleted["version"]) == (deleted["asset_id"], True)


def test_remote_layer_is_fetched_once_for_deliveries_and_uploads(origin: str) -> None:
    address = f"{origin}/a/photo.png"
    cloudinary.api.delete_resources([address], type="fetch")
    layer = {"overlay": {"url": address}, "width": 10, "crop": "scale", "gravity": "north_west"}
    base = encoded(Image.new("RGB", (40, 40), "white"))
    cloudinary.uploader.upload(io.BytesIO(base), public_id="under")
    over = decoded(get(cloudinary_url("under", format="png", transformation=[layer])[0]).content)
    assert over.size == (40, 40)
    assert over.convert("RGB").getpixel((3, 3)) != (255, 255, 255)
    kept = cloudinary.uploader.upload(io.BytesIO(base), public_id="both", transformation=[layer])
    assert decoded(get(kept["url"]).content).convert("RGB").tobytes() == over.convert("RGB").tobytes()
    assert Origin.requested_paths == ["/a/photo.png"]


def test_remote_layer_of_a_host_that_is_not_allowed_is_refused(origin: str) -> None:
    cloudinary.uploader.upload(io.BytesIO(PHOTO), public_id="alone")
    for address, reason in (("http://example.com/a.png", "not allowed"), (f"{origin}/none.png", "404")):
        layer = [{"overlay": {"url": address}}]
        refused(get(cloudinary_url("alone", format="png", transformation=layer)[0]), 400, reason)
        with pytest.raises(BadRequest, match=reason):
            cloudinary.uploader.upload(io.BytesIO(PHOTO), public_id="never", transformation=layer)
