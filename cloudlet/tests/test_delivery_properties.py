"""Property tests of URL parsing: the SDK's URL of any public id is understood, and any path is parsed or refused."""

import contextlib
import re
from urllib.parse import urlsplit

import cloudinary
import pytest
from cloudinary.utils import cloudinary_url
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cloudlet.delivery.url_parsing import parse_path
from cloudlet.errors import ApiError
from cloudlet.ids import public_id_problem
from cloudlet.signing import delivery_signature_is_valid

SECRET = "a-secret"

letters = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
public_ids = st.lists(letters, min_size=1, max_size=4).map("/".join)
transformations = st.sampled_from(
    ["", "w_200,h_200,c_fill", "w_10/e_sepia", "l_text:Sans_20:Hi%20you", "t_small,f_auto"]
)
extensions = st.sampled_from(["", "png", "jpg", "pdf", "PNG"])


@pytest.fixture(autouse=True, scope="module")
def configured_sdk() -> None:
    cloudinary.reset_config()
    cloudinary.config(cloud_name="test", api_key="1", api_secret=SECRET, cname="localhost:9000", secure=False)


@given(public_id=public_ids, transformation=transformations, extension=extensions, long=st.booleans())
@example(public_id="tickets/qr_codes/1/ticket_9f", transformation="w_200,h_200,c_fill", extension="png", long=False)
@example(public_id="v1/photo", transformation="", extension="png", long=False)
@example(public_id="w_200/photo", transformation="", extension="", long=True)
@example(public_id="a.b.c", transformation="w_10", extension="jpg", long=True)
@example(public_id="s--12345678--/x", transformation="", extension="", long=False)
def test_sdk_url_of_any_public_id_is_parsed(public_id: str, transformation: str, extension: str, long: bool) -> None:
    assume(not public_id_problem(public_id))
    assume(not re.match(r"https?:", public_id))
    options = {"sign_url": True, "long_url_signature": long, "raw_transformation": transformation, "version": 7}
    url = cloudinary_url(public_id, format=extension or None, **options)[0]
    path = parse_path(urlsplit(url).path.encode(), "test")
    readings = [
        reading
        for reading in path.readings()
        if any(delivery_signature_is_valid(text, path.signature, SECRET) for text in reading.signed_text)
    ]
    assert any(
        reading.public_id == public_id and reading.extension == extension.lower() and reading.version == 7
        for reading in readings
    )


@given(
    raw=st.one_of(
        st.binary(max_size=80), st.from_regex(rb"/test/(image|raw)/upload(/[!-~]{0,12}){0,6}", fullmatch=True)
    )
)
@example(raw=b"/test/image/upload/..%2f..%2fetc%2fpasswd")
@example(raw=b"/test/image/upload/%00.png")
@example(raw=b"/test/image/upload/%ff.png")
@example(raw=b"/test/image/upload/s--")
@example(raw=b"/test/image/upload/s--12345678--")
@example(raw=b"/")
def test_any_path_is_parsed_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ApiError):
        readings = list(parse_path(raw, "test").readings())
        assert readings
        for reading in readings:
            assert not {".", ".."} & set(reading.public_id.split("/")) or "%2F" in raw.decode("latin-1").upper()
            assert "\x00" not in reading.public_id
