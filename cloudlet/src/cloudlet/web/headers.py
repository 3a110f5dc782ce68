"""Texts that come from elsewhere, as values of HTTP headers."""

import re
from urllib.parse import quote

_TEXT_CHARACTERS = 4000
_NOT_PRINTABLE = re.compile(r"[^ -~]")


def header_text(message: str) -> str:
    """Return a message as the value of a header: in ASCII, on one line, of bounded length."""
    escaped = message.encode("ascii", "backslashreplace").decode()
    return _NOT_PRINTABLE.sub(" ", escaped)[:_TEXT_CHARACTERS]


def content_disposition(filename: str) -> str:
    """RFC 6266, with the name in both spellings. Nothing of the name can end the header or the quotes."""
    clean = re.sub(r"[\x00-\x1f\x7f/\\]", "_", filename)
    plain = re.sub(r'[^ -~]|["%;]', "_", clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"
