"""What follows `l_` and `u_`: `text:Arial_40_bold:Hello`, `logo`, `folder:logo.png`, `authenticated:folder:logo`,
`fetch:` with an address."""

import base64
import re
from typing import Any, Literal, cast
from urllib.parse import unquote

from cloudlet.transformations.expressions import parse_expression
from cloudlet.transformations.model import ImageLayer, TextExpression, TextLayer, TextStyle

MAX_TEXT_LENGTH = 1000
MAX_FONT_SIZE = 2000
MAX_ADDRESS = 2048
_ALIGNMENT = {"left": "left", "start": "left", "center": "center", "right": "right", "end": "right"}
_WEIGHTS = {"normal", "bold", "thin", "light"}
_FILLED_IN = re.compile(r"\$\(([A-Za-z][A-Za-z0-9]*)\)")
_REMOTE = re.compile(r"https?://[!-~]+")
_IGNORED = re.compile(r"(antialias|hinting)_[a-z]+")


def parse_layer(value: str) -> TextLayer | TextExpression | ImageLayer:
    """Raises ValueError with the reason."""
    kind, _, rest = value.partition(":")
    if kind == "text":
        return _parse_text(rest)
    if kind == "fetch":
        return ImageLayer(_address(rest), "fetch")
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


def _address(encoded: str) -> str:
    """The address that the SDKs write in base64, since a layer's name can hold no slash."""
    encoded = encoded.partition(".")[0]
    try:
        address = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("l_fetch takes an address in base64") from error
    if not _REMOTE.fullmatch(address) or len(address) > MAX_ADDRESS:
        raise ValueError("l_fetch takes an http or https address in base64")
    return address


def _parse_text(rest: str) -> TextLayer | TextExpression:
    style, colon, text = rest.partition(":")
    if not colon or not text:
        raise ValueError("a text layer is written text:Family_size:Text")
    text = unquote(text)  # texts are escaped twice, so that a comma or slash in them is no separator
    *pieces, last = _FILLED_IN.split(text)
    if not pieces and not style.startswith("$"):
        return parse_text_layer(style, text)
    # What a pattern with one group splits alternates: text, name, text, name, text.
    filled = [parse_expression(f"${piece}") if number % 2 else piece for number, piece in enumerate(pieces)]
    return TextExpression(parse_expression(style) if style.startswith("$") else style, (*filled, last))


def parse_text_layer(style: str, text: str) -> TextLayer:
    """Raises ValueError with the reason."""
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError(f"a text layer may have at most {MAX_TEXT_LENGTH} characters")
    if "\x00" in text:
        raise ValueError("a text layer can't contain a NUL character")
    return TextLayer(parse_text_style(style), text)


def parse_text_style(style: str) -> TextStyle:
    """`Arial_40_bold_italic_line_spacing_4`, as in a URL or in the upload API's `text` call."""
    match = re.fullmatch(
        r"(.+?)_(\d{1,4})(?:_(.+))?", unquote(style), re.DOTALL
    )  # then no try goes on to the end twice
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
    if word == "none" or word == "justify" or _IGNORED.fullmatch(word):
        return {}
    raise ValueError(f"text style {word!r} is unknown")
