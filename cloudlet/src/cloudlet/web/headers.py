"""Encode untrusted text as values of HTTP headers."""

import re
from urllib.parse import quote

_MAX_TEXT_CHARACTERS = 4000
_NOT_PRINTABLE = re.compile(r"[^ -~]")


def header_text(message: str) -> str:
    """Return a message as a header value: in ASCII, on one line and of bounded length."""
    escaped = message.encode("ascii", "backslashreplace").decode()
    return _NOT_PRINTABLE.sub(" ", escaped)[:_MAX_TEXT_CHARACTERS]


def content_disposition(filename: str) -> str:
    """Return a Content-Disposition with the name in both forms of RFC 6266. The name cannot break out of it."""
    clean = re.sub(r"[\x00-\x1f\x7f/\\]", "_", filename)
    plain = re.sub(r'[^ -~]|["%;]', "_", clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"
