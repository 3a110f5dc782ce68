"""Uploads that Chromium sends for a page of another origin: signed by the page's backend, unsigned, and in chunks."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import requests
from cloudinary import api, utils
from deliveries import TIMEOUT_SECONDS
from pictures import picture

from cloudlet.testing import RunningCloudlet

if TYPE_CHECKING:
    from playwright.sync_api import Page

HTML = Path(__file__).parent / "browser" / "page.html"
ACTIONS = (
    "upload", "destroy", "explicit", "rename", "tags", "context", "metadata", "explode", "text", "sprite", "multi",
    "generate_archive", "delete_by_token",
)  # fmt: skip


class Backend(BaseHTTPRequestHandler):
    """The backend of the page: serves it, and signs its uploads with the SDK."""

    def __init__(self, *args: Any, server: RunningCloudlet) -> None:
        self.cloudlet = server
        super().__init__(*args)

    def do_GET(self) -> None:
        kind, body = "text/html", HTML.read_text()
        if self.path.startswith("/sign?"):
            params = {**dict(parse_qsl(self.path.partition("?")[2])), "timestamp": str(utils.now())}
            signature = utils.api_sign_request(params, self.cloudlet.api_secret)
            kind, body = (
                "application/json",
                json.dumps({**params, "signature": signature, "api_key": self.cloudlet.api_key}),
            )
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page(shared_server: RunningCloudlet) -> "Iterator[Page]":
    """Open a page whose origin is not the server's."""
    from playwright.sync_api import sync_playwright  # imported here because it is slow

    program = shutil.which("chromium")
    assert program, "Chromium is missing. Install it: apt-get install chromium"
    handler = functools.partial(Backend, server=shared_server)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site, sync_playwright() as playwright:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        opened = browser.new_page()
        opened.goto(f"http://localhost:{site.server_port}/")
        yield opened
        browser.close()
        site.shutdown()


def test_upload_of_a_small_file_signed_by_the_backend_of_the_page(page: "Page", server: RunningCloudlet) -> None:
    content = picture()
    fields = page.evaluate("signed", {"public_id": "browser/signed", "tags": "page"})
    answer = page.evaluate("small", [f"{server.url}/v1_1/test/auto/upload", fields, list(content)])
    assert (answer["status"], answer["body"]["public_id"], answer["body"]["tags"]) == (200, "browser/signed", ["page"])
    assert answer["request"]
    assert bytes(page.evaluate("read", answer["body"]["secure_url"])) == content


def test_unsigned_upload_of_a_small_file_with_a_preset(page: "Page", server: RunningCloudlet) -> None:
    api.create_upload_preset(name="browser", unsigned=True, folder="inbox")
    fields = {"upload_preset": "browser", "unsigned": "true"}
    answer = page.evaluate("small", [f"{server.url}/v1_1/test/image/upload", fields, list(picture())])
    assert (answer["status"], answer["body"]["folder"]) == (200, "inbox")


def test_upload_of_a_large_file_in_chunks_signed_and_unsigned(page: "Page", server: RunningCloudlet) -> None:
    api.create_upload_preset(name="chunks", unsigned=True, folder="large")
    part = 5 * 1024 * 1024
    size = 2 * part + 99
    signed = page.evaluate("signed", {"public_id": "browser/large.bin"})
    for fields in (signed, {"upload_preset": "chunks"}):
        answer = page.evaluate("chunked", [f"{server.url}/v1_1/test/raw/upload", fields, size, part])
        assert (answer["status"], answer["body"]["done"], answer["body"]["bytes"]) == (200, True, size)
        delivered = requests.get(answer["body"]["url"], timeout=TIMEOUT_SECONDS).content
        assert delivered == bytes(index % 251 for index in range(size))


def test_page_can_read_the_error_of_a_refused_upload(page: "Page", server: RunningCloudlet) -> None:
    fields = {**page.evaluate("signed", {"public_id": "browser/wrong"}), "public_id": "browser/other"}
    answer = page.evaluate("small", [f"{server.url}/v1_1/test/image/upload", fields, list(picture())])
    assert (answer["status"], answer["body"]["error"]["message"][:17]) == (401, "Invalid Signature")
    answer = page.evaluate("small", [f"{server.url}/v1_1/other/image/upload", fields, list(picture())])
    assert (answer["status"], answer["body"]["error"]["message"]) == (401, "Invalid cloud_name other")


def test_cors_blocks_credentials_the_admin_api_and_the_console(page: "Page", server: RunningCloudlet) -> None:
    upload = f"{server.url}/v1_1/test/image/upload"
    for address, options in (
        (upload, {"method": "POST", "headers": {"Authorization": "Basic eDp5"}}),
        (f"{server.url}/v1_1/test/ping", {}),
        (f"{server.url}/v1_1/test/resources/image", {"method": "DELETE"}),
        (f"{server.url}/v1_1/test/no/such/route", {}),
        (f"{server.url}/", {}),
        (f"{server.url}/_cloudlet/console/overview", {}),
        (f"{server.url}/_cloudlet/faults", {"method": "PUT", "body": "{}"}),
        (f"{server.url}/v2/notifications/test/messages", {}),
    ):
        assert "Failed to fetch" in page.evaluate("outcome", [address, options]).get("blocked", ""), (address, options)
    assert page.evaluate("outcome", [upload, {"method": "POST"}]) == {"status": 400}


@pytest.mark.parametrize("action", ACTIONS)
def test_cors_allows_every_call_of_the_upload_api(action: str, server: RunningCloudlet) -> None:
    for prefix in ("", "image/", "auto/"):
        address = f"{server.url}/v1_1/test/{prefix}{action}"
        preflight = requests.options(address, headers={"Origin": "http://page.example"}, timeout=TIMEOUT_SECONDS)
        assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        allowed = {name.strip().lower() for name in preflight.headers["Access-Control-Allow-Headers"].split(",")}
        assert {"x-requested-with", "content-type", "content-range", "x-unique-upload-id", "cache-control"} <= allowed
        assert not {"authorization", "*"} & allowed
        for answer in (
            requests.post(address, timeout=TIMEOUT_SECONDS),
            requests.post(address, data=b"\0", headers={"Content-Type": "application/json"}, timeout=TIMEOUT_SECONDS),
            requests.put(address, timeout=TIMEOUT_SECONDS),
        ):
            assert answer.status_code in (400, 401, 405)
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_password_that_a_browser_adds_does_not_authenticate_uploads_of_other_origins(server: RunningCloudlet) -> None:
    """Beyond loopback the console asks for key and secret, which a browser then adds to the requests of every page."""
    address = f"{server.url}/v1_1/test/raw/upload"
    password = (server.api_key, server.api_secret)
    forged = requests.post(
        address, files={"file": b"x"}, auth=password, headers={"Origin": "http://evil.example"}, timeout=TIMEOUT_SECONDS
    )
    assert forged.status_code == 400
    assert requests.post(address, files={"file": b"x"}, auth=password, timeout=TIMEOUT_SECONDS).status_code == 200


def test_cors_allows_delivery_including_errors(server: RunningCloudlet) -> None:
    for path in ("test/image/upload/none.png", "other/image/upload/x.png", "test/image/sprite/none.css", "x", "v1_1"):
        answer = requests.get(f"{server.url}/{path}", timeout=TIMEOUT_SECONDS)
        assert answer.status_code in (401, 404)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
