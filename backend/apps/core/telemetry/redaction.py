"""Redact secrets and escape unsafe characters in log records: messages, arguments, exceptions.

Secrets are found in two ways: by value (this deployment's own, from the settings that LOG_SECRET_SETTINGS names) and by
form (a password in a URL, a signature, a session token, and the forms of LOG_SECRET_FORMS).

Unsafe characters are escaped: line breaks forge log lines, escape sequences control the operator's terminal,
bidirectional and invisible characters hide text, and a lone surrogate makes writing fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final
from urllib.parse import quote, quote_plus

from django.conf import settings

HIDDEN: Final = "[redacted]"
MIN_SECRET_CHARACTERS: Final = 6  # a shorter value would match parts of ordinary words
MAX_CHARACTERS: Final = 32 * 1024  # of one text; the rest is cut off

_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)?|pwd|[\w-]{0,40}secret(?:[_-]?key)?|[\w-]{0,40}token|api[_-]?key|private[_-]?key|signing[_-]?keys?"
    r"|signature|session(?:id|_key)?|csrf\w*|x-csrftoken|cookie|set-cookie|credentials?"
)
# Pattern, replacement, and hints: lower-case words of which one is in every match. Searching for the hints first avoids
# the slow patterns for most lines.
_FORMS: Final[tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...]] = (
    # A JSON Web Token. Anchored to the start of a word: else a line full of "eyJ" would take quadratic time.
    (re.compile(r"(?<![\w-])(?=[\w-]*eyJ[\w-]{8})[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN, ("eyj",)),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        HIDDEN,
        ("private key",),
    ),
    # Secrets and signatures of Standard Webhooks
    (re.compile(r"\bwhsec_[\w+/=-]{6,}"), f"whsec_{HIDDEN}", ("whsec_",)),
    (re.compile(r"\bv1a?,[\w+/=-]{16,}"), f"v1,{HIDDEN}", ("v1,", "v1a,")),
    # The password in a URL: scheme://user:password@host
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@]{0,200}:)[^\s/@]+(?=@)", re.IGNORECASE),
        rf"\1{HIDDEN}",
        ("://",),
    ),
    # Authorization: Bearer ..., as a header, in a dict, in JSON
    (
        re.compile(r"\b(authorization\W{1,6}(?:\w+ +)?)[^\s'\",;}]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
        ("authorization",),
    ),
    (re.compile(r"\b(bearer|basic) +[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}", ("bearer", "basic")),
    # name=value, name: value, "name": "value"
    (
        re.compile(
            rf"(?<![a-z])((?:{_NAMES})['\"]?\s*(?:=>?|:)\s*)"
            r"(?:b?(['\"])(?:\\+[^\\]|(?!\2)[^\\])*\2|[^\s'\",;&)}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
        ("pass", "pwd", "secret", "token", "key", "signature", "session", "csrf", "cookie", "credential"),
    ),
)
# Control characters (C0, DEL, C1), line separators, invisible and bidirectional characters, tags, surrogates
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)


def redact(text: str) -> str:
    """Return the text with every known or likely secret replaced, cut to MAX_CHARACTERS. Takes linear time."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]} … ({len(text) - MAX_CHARACTERS} more characters)"
    for secret in _spellings(tuple(_values())):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    lowered = text.lower()
    for form, instead, hints in (*settings.LOG_SECRET_FORMS, *_FORMS):
        if any(hint in lowered for hint in hints):
            text = form.sub(instead, text)
    return text


def escape(text: str) -> str:
    """Replace unsafe characters by Python escape sequences, such as a line break by a backslash and an n."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escape_lines(text: str) -> str:
    """Escape each line of a text, such as a traceback, and keep its line breaks."""
    return "\n".join(map(escape, text.split("\n")))


def sanitise(value: Any) -> Any:
    """Redact and escape a value of a log record, recursively. Other types than numbers and containers become text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {escape(redact(str(key))): sanitise(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [sanitise(item) for item in value]
    return escape(redact(str(value)))


@lru_cache(maxsize=2)
def _spellings(values: tuple[str | None, ...]) -> list[str]:
    """Return each secret as it is, URL-encoded and as a Python literal; the longest first."""
    spelt = {
        spelling
        for secret in values
        if secret and len(secret) >= MIN_SECRET_CHARACTERS
        for spelling in (secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1])
    }
    return sorted(spelt, key=len, reverse=True)


def _values() -> Iterator[str | None]:
    yield settings.SECRET_KEY
    yield settings.METRICS_TOKEN
    yield settings.EMAIL_HOST_PASSWORD
    for name in settings.LOG_SECRET_SETTINGS:
        value = attrgetter(name)(settings)
        yield from value.values() if isinstance(value, dict) else (value,)
    for database in settings.DATABASES.values():
        yield database.get("PASSWORD")
