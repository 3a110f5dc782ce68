"""Requests of the server to itself (SSRF) can read delivered files, but not the console, the APIs or fault control."""

import base64
import contextlib
import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
import requests
from cloudinary.exceptions import BadRequest
from cloudinary.utils import cloudinary_url
from deliveries import PHOTO, TIMEOUT_SECONDS, get, upload
from servers import threaded_cloudlet

from cloudlet.testing import RunningCloudlet

# All spellings of this machine's address that resolvers understand; the server of these tests allows them all.
SPELLINGS = ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"]  # noqa: S104
SPELLINGS += ["[::ffff:127.0.0.1]", "127.9.9.9", socket.gethostname()]
INTERNAL_PATHS = ["/_cloudlet/console/overview", "/_cloudlet/console/calls", "/%5Fcloudlet/console/overview", "/",
          "/_cloudlet/faults", "/v1_1/test/ping", "/v1_1/test/resources/image"]  # fmt: skip

pytestmark = pytest.mark.usefixtures("server")


class Redirect(http.server.BaseHTTPRequestHandler):
    """Redirect to the URL that the path encodes."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", base64.urlsafe_b64decode(self.path[1:]).decode())
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def redirect() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def server_options() -> list[str]:
    hosts = [part for spelling in SPELLINGS for part in ("--remote-host", spelling.strip("[]"))]
    return ["--host", "::", *hosts]


def port_of(server: RunningCloudlet) -> str:
    return server.url.rpartition(":")[2]


def refusal(address: str) -> str:
    """Upload from an address, which must be refused. Return the error message."""
    with pytest.raises(BadRequest) as caught:
        cloudinary.uploader.upload(address, resource_type="raw", timeout=TIMEOUT_SECONDS)
    return str(caught.value)


def is_reachable(host: str, port: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=5):
        return True
    return False


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_upload_from_own_address_cannot_read_the_console_or_the_apis(spelling: str, server: RunningCloudlet) -> None:
    base = f"http://{spelling}:{port_of(server)}"
    for path in INTERNAL_PATHS:
        message = refusal(base + path)
        assert server.api_secret not in message
        if is_reachable(spelling, port_of(server)):
            assert "403" in message, (path, message)


@pytest.mark.parametrize("spelling", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_upload_from_own_address_can_read_delivered_files(spelling: str, server: RunningCloudlet) -> None:
    upload(PHOTO, "own/photo")
    address = f"http://{spelling}:{port_of(server)}/test/image/upload/own/photo.png"
    made = cloudinary.uploader.upload(address, timeout=TIMEOUT_SECONDS)
    assert made["bytes"] == len(PHOTO)


def test_control_the_console_is_open_to_this_machine() -> None:
    """Negative control: the same path is open to other clients on this machine."""
    with threaded_cloudlet() as server:
        overview = requests.get(f"{server.url}/_cloudlet/console/overview", timeout=TIMEOUT_SECONDS)
        assert server.api_secret in overview.text
        preset = cloudinary.api.create_upload_preset(unsigned=True, **server.sdk_config)["name"]
        answer = requests.post(
            f"{server.url}/v1_1/test/raw/upload",
            data={"upload_preset": preset, "file": f"{server.url}/_cloudlet/console/overview"},
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.status_code == 400
        assert "403" in answer.text


def test_redirect_to_own_address_cannot_read_the_console(redirect: str, server: RunningCloudlet) -> None:
    target = f"http://127.0.0.1:{port_of(server)}/_cloudlet/console/overview"
    assert "403" in refusal(redirect + base64.urlsafe_b64encode(target.encode()).decode())


def test_fetch_layers_and_mappings_cannot_read_the_console(redirect: str, server: RunningCloudlet) -> None:
    upload(PHOTO, "own/photo")
    inside = f"http://127.0.0.1:{port_of(server)}/_cloudlet/console/static/icon.svg"
    by_redirect = redirect + base64.urlsafe_b64encode(inside.encode()).decode()
    cloudinary.api.create_upload_mapping("inside", template=inside.removesuffix("icon.svg"), timeout=TIMEOUT_SECONDS)
    for address in (inside, by_redirect):
        assert get(cloudinary_url(address, type="fetch")[0]).status_code == 404
        layer = f"l_fetch:{base64.urlsafe_b64encode(address.encode()).decode()}"
        assert get(cloudinary_url("own/photo", raw_transformation=layer)[0]).status_code == 400
    assert get(cloudinary_url("inside/icon.svg", resource_type="raw")[0]).status_code == 404


def test_notification_cannot_call_own_apis(server: RunningCloudlet) -> None:
    upload(PHOTO, "own/kept")
    base = f"http://127.0.0.1:{port_of(server)}"
    for path in ("/v1_1/test/image/upload?upload_preset=x", "/_cloudlet/console/assets"):
        cloudinary.uploader.upload(io.BytesIO(PHOTO), notification_url=base + path, timeout=TIMEOUT_SECONDS)
    auth = (server.api_key, server.api_secret)
    deadline, refused = time.monotonic() + TIMEOUT_SECONDS, []
    while len(refused) < 2 and time.monotonic() < deadline:
        log = requests.get(f"{base}/_cloudlet/console/calls?since=0", auth=auth, timeout=TIMEOUT_SECONDS).json()[
            "calls"
        ]
        refused = [call for call in log if call["status"] == 403 and call["method"] == "POST"]
        time.sleep(0.1)
    assert len(refused) >= 2
