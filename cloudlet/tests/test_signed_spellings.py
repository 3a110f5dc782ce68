"""A signed URL stays valid in every spelling that clients and proxies may give its path."""

import contextlib
import http.client
import time
from collections.abc import Callable
from urllib.parse import quote, unquote

import cloudinary
import pytest
from cloudinary.utils import cloudinary_url
from deliveries import AUTH_TOKEN_KEY, PHOTO, TIMEOUT_SECONDS, upload

from cloudlet.assets.delivery_urls import escape_source
from cloudlet.testing import RunningCloudlet

IDS = ["photo~1", "a b", "ümlaut/ß", "comma,semi;eq=at@", "(round) [square]'s", "star*bang!$", "a:b", "日本/東京~"]
CHAINS = [
    "",
    "w_10,h_10",
    "l_text:Sans_10:Hi%20you%7E",
    "l_text:Sans_10:a%252Cb%252Fc",
    "w_10/l_open~layer/fl_layer_apply",
]


def only_unreserved_decoded(path: str) -> str:
    """Decode unreserved characters, as RFC 3986 normalises. So do urllib3, browsers and many proxies."""
    return path.replace("%7E", "~").replace("%7e", "~")


def with_lower_case_escapes(path: str) -> str:
    return "".join(f"%{part[:2].lower()}{part[2:]}" if number else part for number, part in enumerate(path.split("%")))


def fully_escaped(path: str) -> str:
    """Escape every reserved character of every segment, and `~` too."""
    return "/".join(quote(unquote(part), safe="").replace("~", "%7E") for part in path.split("/"))


def minimally_escaped(path: str) -> str:
    """Escape only the characters that a path cannot have."""
    return "/".join(quote(unquote(part), safe="!$&'()*+,;=:@~") for part in path.split("/"))


SPELLINGS: list[Callable[[str], str]] = [
    str, only_unreserved_decoded, with_lower_case_escapes, fully_escaped, minimally_escaped
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module", autouse=True)
def stored(started_server: RunningCloudlet) -> None:
    cloudinary.config(**started_server.sdk_config)
    upload(PHOTO, "open~layer")
    for public_id in IDS:
        upload(PHOTO, public_id, type="authenticated")


def status(server: RunningCloudlet, path: str) -> tuple[int, str]:
    """Request a path exactly as it is, which other clients would normalise. Return the status and the error."""
    host, _, port = server.authority.partition(":")
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("X-Cld-Error", "")


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.__name__)
@pytest.mark.parametrize("chain", CHAINS)
def test_signed_url_is_valid_in_every_spelling(
    chain: str, spelling: Callable[[str], str], server: RunningCloudlet
) -> None:
    for long in (False, True):
        for public_id in IDS:
            options = {"type": "authenticated", "sign_url": True, "format": "png", "long_url_signature": long}
            address = cloudinary_url(public_id, raw_transformation=chain, **options)[0]
            path = address.removeprefix(server.url)
            assert status(server, spelling(path)) == (200, ""), spelling(path)


def test_url_of_an_upload_response_is_valid_in_every_spelling(server: RunningCloudlet) -> None:
    for public_id in IDS:
        made = upload(PHOTO, public_id, type="authenticated")
        for spelling in SPELLINGS:
            assert status(server, spelling(made["url"].removeprefix(server.url)))[0] == 200


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.__name__)
def test_signature_is_invalid_for_another_public_id(spelling: Callable[[str], str], server: RunningCloudlet) -> None:
    address = cloudinary_url("photo~1", type="authenticated", sign_url=True, format="png")[0]
    path = spelling(address.removeprefix(server.url))
    for other in ("a b", "a:b", "photo%7E1", "photo%257E1"):
        changed = path.replace("photo~1", escape_source(other)).replace("photo%7E1", escape_source(other))
        changed = changed.replace("photo%7e1", escape_source(other))
        assert changed == path or status(server, changed)[0] in (400, 401, 404)


def test_token_for_a_url_is_valid_in_every_spelling(server: RunningCloudlet) -> None:
    token = {"key": AUTH_TOKEN_KEY, "expiration": int(time.time()) + 60}
    for public_id in IDS:
        options = {"type": "authenticated", "sign_url": True, "auth_token": token}
        path, _, query = cloudinary_url(public_id, **options)[0].removeprefix(server.url).partition("?")
        for spelling in (str, only_unreserved_decoded, with_lower_case_escapes):
            assert status(server, f"{spelling(path)}?{query}") == (200, ""), (public_id, spelling)
