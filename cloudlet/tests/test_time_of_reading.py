"""Parsing takes time in proportion to the length of its input: a quadratic parser would take minutes here."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from cloudlet.delivery.url_parsing import parse_path
from cloudlet.errors import ApiError
from cloudlet.media.svg import svg_tag
from cloudlet.search.parser import parse as parse_search
from cloudlet.signing import escape_for_token, token_covers
from cloudlet.testing import RunningCloudlet
from cloudlet.transformations import TransformationError, parse
from cloudlet.transformations.layer_syntax import parse_text_style
from cloudlet.web.params import Params

LIMIT_SECONDS = 5.0
REPEATS = 20_000

CASES: dict[str, tuple[Callable[[Any], object], Any]] = {
    "comments before an svg": (svg_tag, b"<!---->" * 600),
    "comments and doctypes": (svg_tag, b"<?xml ?>" + b"<!---->\n<!DOCTYPE>" * 200 + b"<sv"),
    "declarations": (svg_tag, b"<!DOCTYPE[]>" * 300 + b"<!DOCTYPE[" * 40),
    "unclosed tags": (svg_tag, b"<svg" * 1000),
    "a chain of a path": (
        lambda path: list(parse_path(path, "demo").readings()),
        b"/demo/image/upload/" + b"w_1/" * REPEATS + b"x",
    ),
    "a text style": (parse_text_style, "a" + "_1_" * REPEATS * 5 + "\n"),
    "an acl of stars": (lambda token: token_covers(token, "/" + "a" * 300), "exp=1~acl=/" + "*a" * 200 + "*b"),
    "brackets of a name": (lambda name: Params.from_pairs([(name, "x")]), "a[" * REPEATS * 50),
    "a search": (parse_search, "NOT (" * REPEATS),
    "a transformation": (parse, "if_w_eq_!a" * REPEATS),
}


@pytest.mark.parametrize("name", CASES)
def test_parsing_time_is_proportional_to_length(name: str) -> None:
    read, text = CASES[name]
    began = time.thread_time()
    with contextlib.suppress(ApiError, TransformationError, ValueError):
        read(text)
    assert time.thread_time() - began < LIMIT_SECONDS


@pytest.mark.parametrize(
    ("acl", "path", "covered"),
    [
        ("/a/*", "/a/b", True), ("/a/*", "/a/", True), ("/a/*", "/b/a/", False), ("/a", "/a", True),
        ("/a", "/ab", False),
        ("*", "/x", True), ("/*/b/*", "/a/b/c", True), ("/*/b/*", "/a/c/b", False), ("/a*a", "/a", False),
        ("/a*b*c", "/a-b-b-c", True), ("/a*b*c", "/a-c-b", False), ("/x**y", "/xy", True),
    ],
)  # fmt: skip
def test_stars_of_an_acl_match_any_text(acl: str, path: str, covered: bool) -> None:
    assert token_covers(f"exp=1~acl={escape_for_token(acl)}", path) is covered


@pytest.mark.parametrize(
    ("head", "tag"),
    [
        (b"<svg>", b""),
        (b'\xef\xbb\xbf <?xml version="1.0"?>\n<!-- a > b -->\n<!DOCTYPE svg>\n<SVG width="3">', b' width="3"'),
        (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD" "d" [\n<!ENTITY a "b">\n<!ENTITY c "d">\n] >\n<svg id="x">', b' id="x"'),
        (b'<!DOCTYPE svg [<!ENTITY a "b">', None),
        (b"<svgx>", None),
        (b"<!-- <svg> ", None),
        (b"<html><svg>", None),
        (b"", None),
    ],
)
def test_svg_tag_is_found_after_declarations(head: bytes, tag: bytes | None) -> None:
    assert svg_tag(head) == tag


def test_a_server_answers_others_while_it_reads(server: RunningCloudlet) -> None:
    """Two inputs that once took 8 and 38 seconds, over HTTP."""
    began = time.monotonic()
    files = {"file": ("a.svg", b"<!---->" * 27 + b"x", "image/svg+xml")}
    auth = (server.api_key, server.api_secret)
    upload = f"{server.url}/v1_1/{server.cloud_name}/image/upload"
    assert requests.post(upload, files=files, auth=auth, timeout=60).status_code == 400
    cookie = {"Cookie": 'a="' + '\\"' * 25_000 + '"'}
    requests.get(f"{server.url}/{server.cloud_name}/image/authenticated/x.png", headers=cookie, timeout=60)
    assert time.monotonic() - began < LIMIT_SECONDS
