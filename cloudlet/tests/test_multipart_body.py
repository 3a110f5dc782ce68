"""Small multipart bodies are split without the parser, and the result must be the same as the parser's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.exceptions import MultipartParseError
from urllib3.filepost import encode_multipart_formdata

from cloudlet.errors import ApiError
from cloudlet.staging import StagingWriter
from cloudlet.web import multipart_body
from cloudlet.web.multipart_body import MultipartReader, split_simple_body

BOUNDARY = b"limit"
Outcome = tuple[object, ...]


def outcome(body: bytes, *, at_once: bool, limit: int = 10_000) -> Outcome:
    """Return everything that a reader reads from a body, or its error."""
    reader = MultipartReader(BOUNDARY, lambda: StagingWriter(Path("unused")), limit)
    try:
        reader.read(body) if at_once else reader.feed(body)
    except ApiError as error:
        return "refused", error.status, error.message
    except MultipartParseError as error:
        return "damaged", str(error)
    file = (reader.file.read(), reader.file.md5) if reader.file else None
    return reader.pairs, file, reader.filename, reader.ended


def test_body_of_the_sdk_is_split_without_the_parser() -> None:
    fields: list[tuple[str, str | tuple[str, bytes]]] = [("public_ids[]", "ä/b"), ("tags", ""), ("tags", "x\r\n--y")]
    body, _ = encode_multipart_formdata([*fields, ("file", ("k.png", b"\0\r\n--lim"))], boundary="limit")
    assert split_simple_body(body, BOUNDARY) is not None
    pairs, file, filename, ended = outcome(body, at_once=True)
    assert pairs == [("public_ids[]", "ä/b"), ("tags", ""), ("tags", "x\r\n--y")]
    assert (file[0], filename, ended) == (b"\0\r\n--lim", "k.png", True)  # type: ignore[index]
    assert outcome(body, at_once=False) == (pairs, file, filename, ended)


@pytest.mark.parametrize(
    "change",
    [
        (b"form-data; name=", b"form-data; NAME="),
        (b"Content-Disposition", b"content-disposition"),
        (b'name="a"', b'name="\\"a"'),
        (b'name="a"', b"name*=UTF-8''%61"),
        (b"\r\n--limit--", b"\r\n--limit--trailing"),
        (b"\r\n--limit--", b"\r\n--limitless"),
        (b"\r\n--limit--\r\n", b""),
        (b"--limit\r\n", b"preamble\r\n--limit\r\n"),
        (b"--limit\r\n", b"--limit \r\n"),
        (b"\r\n\r\n", b"\r\nX-More: 1\r\n\r\n"),
    ],
)
def test_unusual_body_is_left_to_the_parser(change: tuple[bytes, bytes]) -> None:
    body = b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--limit--\r\n'
    assert split_simple_body(body, BOUNDARY) is not None
    changed = body.replace(*change)
    assert split_simple_body(changed, BOUNDARY) is None
    assert outcome(changed, at_once=True) == outcome(changed, at_once=False)


@pytest.mark.parametrize(
    ("heads", "content", "expected"),
    [
        ([b'name="file"'] * 2, b"", (400, "Invalid multipart body: more than one file")),
        ([b'name="file"'], b"1" * 101, (400, "File size too large. Got 101. Maximum is 100.")),
        ([b'name="a"'] * 4, b"", (400, "Invalid multipart body: more than 3 fields")),
        ([b'name="a"'] * 2, b"1" * 26, (413, "Request parameters too large. Maximum is 50 bytes")),
    ],
)
def test_limits_are_the_same_with_and_without_the_parser(
    heads: list[bytes], content: bytes, expected: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart_body, "MAX_FIELDS", 3)
    monkeypatch.setattr(multipart_body, "MAX_FIELDS_BYTES", 50)
    parts = [b"--limit\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content for head in heads]
    body = b"\r\n".join([*parts, b"--limit--\r\n"])
    for at_once in (True, False):
        assert outcome(body, at_once=at_once, limit=100) == ("refused", *expected)


_TOKENS = [
    b"--limit", b"--limit--", b"\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="', b'"', b"a", b"file",
    b'"; filename="', b"Content-Type: image/png", b"Content-Type: ", b"\xff", b"%", b"\\", b"--", b" ", b"\n", b";",
]  # fmt: skip
_PART = st.tuples(
    st.sampled_from([b"a", b"file", b"\xff", b"x[]", b""]), st.sampled_from([None, b"", b"k.png", b"\xff"]),
    st.sampled_from([b"", b"Content-Type: image/png\r\n", b"Content-Type: a; b=c\r\n"]), st.binary(max_size=30),
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body that is well formed, or nearly so."""
    text = b""
    for name, filename, extra, content in draw(st.lists(_PART, max_size=4)):
        text += b'--limit\r\nContent-Disposition: form-data; name="' + name + b'"'
        text += b"" if filename is None else b'; filename="' + filename + b'"'
        text += b"\r\n" + extra + b"\r\n" + content + b"\r\n"
    text += b"--limit--" + draw(st.sampled_from([b"", b"\r\n", b"x"]))
    position = draw(st.integers(0, len(text)))
    return text[:position] + draw(st.sampled_from([b"", b"", *_TOKENS])) + text[position:]


@given(
    st.one_of(bodies(), st.lists(st.sampled_from(_TOKENS), max_size=30).map(b"".join)), st.sampled_from([10, 10_000])
)
def test_any_body_is_read_the_same_with_and_without_the_parser(body: bytes, limit: int) -> None:
    assert outcome(body, at_once=True, limit=limit) == outcome(body, at_once=False, limit=limit)
