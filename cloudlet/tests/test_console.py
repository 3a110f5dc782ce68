"""The console: its page, its API, and its protection against other web pages."""

import io
from typing import Any

import cloudinary
import cloudinary.uploader
import pytest
import requests
from pictures import decoded, picture
from servers import threaded_cloudlet

from cloudlet.config import DEFAULT_KEY
from cloudlet.testing import RunningCloudlet

TIMEOUT_SECONDS = 20
CONSOLE = "/_cloudlet/console"


@pytest.fixture(scope="module")
def server_options() -> list[str]:
    """Give the module its own server, because its tests list everything that is stored."""
    return []


def upload(public_id: str, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = cloudinary.uploader.upload(
        io.BytesIO(picture()), public_id=public_id, timeout=TIMEOUT_SECONDS, **options
    )
    return result


def ask(server: RunningCloudlet, path: str, **params: str) -> Any:
    response = requests.get(f"{server.url}{CONSOLE}/{path}", params=params, timeout=TIMEOUT_SECONDS)
    assert response.status_code == 200, response.text
    return response.json()


def test_page_loads_only_its_own_files(server: RunningCloudlet) -> None:
    page = requests.get(f"{server.url}/", timeout=TIMEOUT_SECONDS)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    for name, kind in {
        "console.js": "javascript",
        "console.css": "css",
        "icon.svg": "svg",
        "dom.js": "javascript",
    }.items():
        file = requests.get(f"{server.url}{CONSOLE}/static/{name}", timeout=TIMEOUT_SECONDS)
        assert kind in file.headers["Content-Type"]
    for name in ("data.py", "..%2Fdata.py", "%2e%2e/data.py"):
        assert requests.get(f"{server.url}{CONSOLE}/static/{name}", timeout=TIMEOUT_SECONDS).status_code in (
            400,
            401,
            404,
        )


def test_folders_and_assets_are_listed(server: RunningCloudlet) -> None:
    before = ask(server, "overview")["assets"]
    upload("tickets/qr/one", type="authenticated")
    upload("tickets/cover")
    upload("logo")
    root = ask(server, "assets")
    assert (set(root["folders"]) - {"other"}, [asset["name"] for asset in root["assets"]]) == ({"tickets"}, ["logo"])
    inside = ask(server, "assets", folder="tickets")
    assert (inside["folders"], [asset["name"] for asset in inside["assets"]]) == (["tickets/qr"], ["cover"])
    assert [asset["public_id"] for asset in ask(server, "assets", search="ONE")["assets"]] == ["tickets/qr/one"]
    assert ask(server, "overview")["assets"] == before + 3


def test_thumbnail_of_a_protected_asset_is_shown_and_not_stored(server: RunningCloudlet) -> None:
    made = upload("other/secret", type="authenticated")
    address = f"{server.url}{CONSOLE}/assets/{made['asset_id']}"
    assert decoded(requests.get(f"{address}/thumbnail", timeout=TIMEOUT_SECONDS).content).format == "WEBP"
    found = ask(server, f"assets/{made['asset_id']}")
    assert found["derived"] == []
    assert requests.get(server.url + found["url"], timeout=TIMEOUT_SECONDS).content == picture()


def test_transformation_can_be_tried(server: RunningCloudlet) -> None:
    made = upload("other/tryout", type="authenticated")
    url = ask(server, f"assets/{made['asset_id']}/attempt", transformation="w_20,h_20,c_fill")["url"]
    assert decoded(requests.get(server.url + url, timeout=TIMEOUT_SECONDS).content).size == (20, 20)


def test_deleting_an_asset(server: RunningCloudlet) -> None:
    made = upload("other/doomed")
    address = f"{server.url}{CONSOLE}/assets/{made['asset_id']}"
    assert requests.delete(address, headers={"X-Cloudlet-Console": "1"}, timeout=TIMEOUT_SECONDS).status_code == 200
    assert requests.get(address, timeout=TIMEOUT_SECONDS).status_code == 404
    assert requests.get(made["url"], timeout=TIMEOUT_SECONDS).status_code == 404


def test_calls_are_logged_with_the_reason_for_a_refusal(server: RunningCloudlet) -> None:
    earlier = ask(server, "calls", since="0")["calls"]
    since = str(earlier[-1]["number"] if earlier else 0)
    with pytest.raises(cloudinary.exceptions.AuthorizationRequired):
        upload("refused", api_secret="wrong")
    requests.get(f"{server.url}/{server.cloud_name}/image/upload/zz_3/x.png", timeout=TIMEOUT_SECONDS)
    upload_call, delivery_call = ask(server, "calls", since=since)["calls"]
    assert (upload_call["method"], upload_call["status"]) == ("POST", 401)
    assert "String to sign - 'public_id=refused" in upload_call["error"]
    assert "zz_3" in delivery_call["error"]
    assert ask(server, "calls", since=str(delivery_call["number"]))["calls"] == []


def test_page_of_another_origin_cannot_delete(server: RunningCloudlet) -> None:
    made = upload("other/safe")
    address = f"{server.url}{CONSOLE}/assets/{made['asset_id']}"
    assert requests.delete(address, timeout=TIMEOUT_SECONDS).status_code == 400
    preflight = requests.options(address, headers={"Origin": "http://evil.example"}, timeout=TIMEOUT_SECONDS)
    assert "Access-Control-Allow-Headers" not in preflight.headers
    assert requests.get(address, timeout=TIMEOUT_SECONDS).status_code == 200


def test_rebound_host_name_is_refused(server: RunningCloudlet) -> None:
    for path in ("/", f"{CONSOLE}/overview", f"{CONSOLE}/calls"):
        response = requests.get(server.url + path, headers={"Host": "evil.example"}, timeout=TIMEOUT_SECONDS)
        assert response.status_code == 400


@pytest.mark.integration
def test_console_asks_for_a_password_beyond_loopback() -> None:
    with threaded_cloudlet("--host", "0.0.0.0") as server:  # noqa: S104 - the case under test
        address = f"http://127.0.0.1:{server.authority.rpartition(':')[2]}/"
        refused = requests.get(address, timeout=TIMEOUT_SECONDS)
        assert (refused.status_code, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        assert requests.get(address, auth=(DEFAULT_KEY, "wrong"), timeout=TIMEOUT_SECONDS).status_code == 401
        allowed = requests.get(address, auth=(server.api_key, server.api_secret), timeout=TIMEOUT_SECONDS)
        assert allowed.status_code == 200
