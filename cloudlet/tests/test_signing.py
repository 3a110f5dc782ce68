"""Signatures: the same as the SDK's."""

import time

import pytest
from cloudinary import auth_token, utils
from hypothesis import given
from hypothesis import strategies as st

from cloudlet import signing

SECRET = "s3cr3t"
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), TEXTS, max_size=6), st.sampled_from([1, 2]))
def test_api_signatures_equal_the_sdks(params: dict[str, str], version: int) -> None:
    signable = {name: value for name, value in params.items() if name not in signing.UNSIGNED_FIELDS}
    theirs = utils.api_sign_request(signable, SECRET, signature_version=version)
    assert signing.sign_params(params, SECRET, version=version) == theirs
    assert signing.params_signature_is_valid(params, theirs, SECRET)
    assert not signing.params_signature_is_valid({**params, "extra": "1"}, theirs, SECRET)


def test_version_2_signature_separates_parameters() -> None:
    signature = signing.sign_params({"a": "1&b=2"}, SECRET, version=2)
    assert not signing.params_signature_is_valid({"a": "1", "b": "2"}, signature, SECRET)


@pytest.mark.parametrize("long", [False, True])
def test_delivery_signatures_equal_the_sdks(long: bool) -> None:
    url, _ = utils.cloudinary_url(
        "folder/a b", cloud_name="c", api_secret=SECRET, type="authenticated", format="png",
        width=5, crop="scale", sign_url=True, long_url_signature=long,
    )  # fmt: skip
    signature = url.partition("s--")[2].partition("--")[0]
    assert len(signature) == (32 if long else 8)
    assert signing.delivery_signature_is_valid("c_scale,w_5/folder/a%20b.png", signature, SECRET)
    assert not signing.delivery_signature_is_valid("c_scale,w_6/folder/a%20b.png", signature, SECRET)


KEY = "00112233FF99"


@pytest.mark.parametrize(
    ("options", "path", "problem"),
    [
        ({"acl": "/image/*", "duration": 60}, "/image/a", ""),
        ({"acl": ["/video/*", "/image/*"], "duration": 60}, "/image/a", ""),
        ({"url": "/image/a b", "duration": 60}, "/image/a b", ""),
        ({"acl": "/image/*", "duration": 60}, "/raw/a", "auth token acl does not cover this url"),
        ({"url": "/image/a", "duration": 60}, "/image/b", "auth token hmac mismatch"),
        ({"acl": "/*", "expiration": 1}, "/image/a", "auth token has expired"),
        ({"acl": "/*", "start_time": int(time.time()) + 86_400, "duration": 60}, "/a", "auth token is not valid yet"),
        ({"acl": "/*", "duration": 60, "ip": "1.2.3.4"}, "/a", "auth token is bound to another ip"),
    ],
)
def test_auth_token_covers_its_acl_url_time_and_ip(options: dict[str, object], path: str, problem: str) -> None:
    token = auth_token.generate(key=KEY, **options).partition("=")[2]
    assert signing.auth_token_problem(token, path, KEY, ip="127.0.0.1") == problem
