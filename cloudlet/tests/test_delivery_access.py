"""Access to delivery: URL signatures, auth tokens, access control, and what errors reveal."""

import time

import cloudinary
import cloudinary.api
import pytest
from deliveries import AUTH_TOKEN_KEY, PHOTO, get, refused, upload, url

from cloudlet.testing import RunningCloudlet

pytestmark = pytest.mark.usefixtures("server")


@pytest.mark.parametrize(
    ("kind", "transformation", "status"),
    [
        ("upload", "", 200),
        ("upload", "w_10", 200),
        ("private", "", 401),
        ("private", "w_10", 200),
        ("authenticated", "", 401),
        ("authenticated", "w_10", 401),
    ],
)
def test_unsigned_url_delivers_public_assets_only(kind: str, transformation: str, status: int) -> None:
    upload(PHOTO, "open/photo", type=kind)
    assert get(url("open/photo", type=kind, raw_transformation=transformation)).status_code == status


@pytest.mark.parametrize("kind", ["upload", "private", "authenticated"])
@pytest.mark.parametrize("swap", [("w_10", "w_11"), ("signed/photo", "signed/other"), ("s--", "s--A")])
def test_signature_is_checked_even_where_none_is_needed(kind: str, swap: tuple[str, str]) -> None:
    upload(PHOTO, "signed/photo", type=kind)
    upload(PHOTO, "signed/other", type=kind)
    address = url("signed/photo", type=kind, sign_url=True, raw_transformation="w_10")
    assert get(address).status_code == 200
    refused(get(address.replace(*swap)), 401, "Invalid signature")


def test_error_does_not_reveal_whether_a_protected_asset_exists() -> None:
    upload(PHOTO, "secret/there", type="authenticated")
    answers = {get(url(name, type="authenticated")).headers["X-Cld-Error"] for name in ("secret/there", "secret/gone")}
    assert len(answers) == 1


def test_auth_token_opens_a_protected_asset() -> None:
    upload(PHOTO, "tokens/photo", type="authenticated")
    token = {"key": AUTH_TOKEN_KEY, "duration": 60}
    good = url("tokens/photo", type="authenticated", sign_url=True, auth_token=token)
    assert get(good).content == PHOTO
    refused(get(good.replace("tokens/photo", "tokens/other")), 401, "hmac mismatch")
    expired = {"key": AUTH_TOKEN_KEY, "expiration": int(time.time()) - 5}
    refused(get(url("tokens/photo", type="authenticated", sign_url=True, auth_token=expired)), 401, "expired")


def test_cookie_with_an_acl_opens_a_folder(server: RunningCloudlet) -> None:
    upload(PHOTO, "tokens/photo", type="authenticated")
    acl = f"/{server.cloud_name}/image/authenticated/v1/tokens/*"
    name, _, token = cloudinary.utils.generate_auth_token(key=AUTH_TOKEN_KEY, duration=60, acl=acl).partition("=")
    cookies = {name: token}
    assert get(url("tokens/photo", type="authenticated"), cookies=cookies).content == PHOTO
    refused(get(url("other/photo", type="authenticated"), cookies=cookies), 401, "acl")


def test_access_control_restricts_a_single_asset() -> None:
    upload(PHOTO, "restricted/photo", access_control=[{"access_type": "token"}])
    assert get(url("restricted/photo")).status_code == 401
    assert get(url("restricted/photo", sign_url=True)).status_code == 200


def test_unknown_cloud_is_refused(server: RunningCloudlet) -> None:
    refused(get(f"{server.url}/other/image/upload/x.png"), 401, "Invalid cloud_name other")
