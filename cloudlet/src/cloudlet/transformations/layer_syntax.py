"""Parse the value of `l_` and `u_`.

Its forms are `text:Arial_40_bold:Hello`, `logo`, `folder:logo.png`, `authenticated:folder:logo` and `fetch:` with a URL
in base64.
"""

import base64
import re
from typing import Any, Literal, cast
from urllib.parse import unquote

from cloudlet.transformations.expressions import parse_expression
from cloudlet.transformations.model import ImageLayer, TextExpression, TextLayer, TextStyle

MAX_TEXT_LENGTH = 1000
MAX_FONT_SIZE = 2000
MAX_URL_LENGTH = 2048
_ALIGNMENT = {"left": "left", "start": "left", "center": "center", "right": "right", "end": "right"}
_WEIGHTS = {"normal", "bold", "thin", "light"}
_INTERPOLATION = re.compile(r"\$\(([A-Za-z][A-Za-z0-9]*)\)")
_HTTP_URL = re.compile(r"https?://[!-~]+")
_IGNORED = re.compile(r"(antialias|hinting)_[a-z]+")


def parse_layer(value: str) -> TextLayer | TextExpression | ImageLayer:
    """Return the layer that `value` describes. Raises ValueError with the reason if it is invalid."""
    kind, _, rest = value.partition(":")
    if kind == "text":
        return _parse_text(rest)
    if kind == "fetch":
        return ImageLayer(_decode_url(rest), "fetch")
    if kind in ("video", "audio", "subtitles", "lut", "_3d"):
        raise ValueError(f"layers of kind {kind} are not implemented by cloudlet")
    delivery_type = "upload"
    if kind in ("upload", "private", "authenticated") and rest:
        delivery_type, value = kind, rest
    elif kind == "image" and rest:
        return parse_layer(rest)
    if "$" in value:
        raise ValueError("variables in the public id of a layer are not implemented by cloudlet")
    public_id = value.replace(":", "/")
    if not public_id.strip("/"):
        raise ValueError("a layer needs a public id")
    return ImageLayer(public_id, delivery_type)


def _decode_url(encoded: str) -> str:
    """Decode the URL of a fetched layer, which the SDKs write in base64 because a layer's name cannot hold a slash."""
    encoded = encoded.partition(".")[0]
    try:
        address = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("l_fetch takes an address in base64") from error
    if not _HTTP_URL.fullmatch(address) or len(address) > MAX_URL_LENGTH:
        raise ValueError("l_fetch takes an http or https address in base64")
    return address


def _parse_text(rest: str) -> TextLayer | TextExpression:
    style, colon, text = rest.partition(":")
    if not colon or not text:
        raise ValueError("a text layer is written text:Family_size:Text")
    text = unquote(text)  # texts are escaped twice, so that their commas and slashes do not separate
    *pieces, last = _INTERPOLATION.split(text)
    if not pieces and not style.startswith("$"):
        return parse_text_layer(style, text)
    # `re.split` with one group alternates: text, name, text, name, text.
    filled = [parse_expression(f"${piece}") if number % 2 else piece for number, piece in enumerate(pieces)]
    return TextExpression(parse_expression(style) if style.startswith("$") else style, (*filled, last))


def parse_text_layer(style: str, text: str) -> TextLayer:
    """Return a text layer without variables. Raises ValueError with the reason if style or text are invalid."""
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError(f"a text layer may have at most {MAX_TEXT_LENGTH} characters")
    if "\x00" in text:
        raise ValueError("a text layer can't contain a NUL character")
    return TextLayer(parse_text_style(style), text)


def parse_text_style(style: str) -> TextStyle:
    """Parse a style such as `Arial_40_bold_italic_line_spacing_4`, as in a URL or in the upload API's `text` call.

    Raises ValueError if it is not a text style.
    """
    # DOTALL lets `.+` reach the end at the first attempt. Without it, backtracking over newlines is quadratic.
    match = re.fullmatch(r"(.+?)_(\d{1,4})(?:_(.+))?", unquote(style), re.DOTALL)
    if not match or not 1 <= int(match[2]) <= MAX_FONT_SIZE:
        raise ValueError(f"{style!r} is not a text style such as Arial_40_bold")
    fields: dict[str, Any] = {"family": match[1], "size": int(match[2])}
    for word in _keywords(match[3] or ""):
        fields |= _keyword(word)
    return TextStyle(**fields)


def _keywords(text: str) -> list[str]:
    return re.findall(r"(?:letter_spacing|line_spacing)_-?\d+|(?:antialias|hinting)_[a-z]+|[^_]+", text)


def _keyword(word: str) -> dict[str, Any]:
    if spacing := re.fullmatch(r"(letter_spacing|line_spacing)_(-?\d{1,4})", word):
        return {spacing[1]: int(spacing[2])}
    if word in _ALIGNMENT:
        return {"align": cast(Literal["left", "center", "right"], _ALIGNMENT[word])}
    if word in ("italic", "underline", "strikethrough", "stroke"):
        return {word: True}
    if word in _WEIGHTS:
        return {"weight": word}
    if word in ("none", "justify") or _IGNORED.fullmatch(word):
        return {}
    raise ValueError(f"text style {word!r} is unknown")
