"""What a line of the log may show, wherever its text comes from: messages, their arguments, or the texts of exceptions.

No secrets, by two nets. The values of this deployment's own secrets are known, and replaced wherever they stand. What
has the form of a secret is replaced too: somebody else's password in an address, a signature, a session's token.
LOG_SECRET_SETTINGS and LOG_SECRET_FORMS name those of the project.

And nothing but plain text. Line ends would forge a line of the log, escape sequences would drive the operator's
terminal, bidirectional and invisible characters would hide what a line says, and half a surrogate pair would keep it
from being written at all.
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
SHORTEST: Final = 6  # shorter values would be found in half of all words
LONGEST: Final = 32 * 1024  # characters of one text; a line that is longer helps nobody

_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)?|pwd|[\w-]{0,40}secret(?:[_-]?key)?|[\w-]{0,40}token|api[_-]?key|private[_-]?key|signing[_-]?keys?"
    r"|signature|session(?:id|_key)?|csrf\w*|x-csrftoken|cookie|set-cookie|credentials?"
)
# Each form, what stands in its place, and words without which no text has it (in lower case): a quick look at those is
# all that most lines need.
_FORMS: Final[tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...]] = (
    # A JSON Web Token. From the start of a word on: tried at each "eyJ", a line full of them would take seconds.
    (re.compile(r"(?<![\w-])(?=[\w-]*eyJ[\w-]{8})[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN, ("eyj",)),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        HIDDEN,
        ("private key",),
    ),
    # A secret and a signature, as Standard Webhooks spells them.
    (re.compile(r"\bwhsec_[\w+/=-]{6,}"), f"whsec_{HIDDEN}", ("whsec_",)),
    (re.compile(r"\bv1a?,[\w+/=-]{16,}"), f"v1,{HIDDEN}", ("v1,", "v1a,")),
    # The password in an address: scheme://user:password@host
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
# Control characters (C0, DEL, C1), line separators, invisible and bidirectional characters, tags, surrogates.
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)


def redact(text: str) -> str:
    """The text without anything that is, or looks like, a secret. Takes time in proportion to its length."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
    for secret in _spellings(tuple(_values())):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    lowered = text.lower()
    for form, instead, hints in (*settings.LOG_SECRET_FORMS, *_FORMS):
        if any(hint in lowered for hint in hints):
            text = form.sub(instead, text)
    return text


def clean(text: str) -> str:
    """Write every character that is not plain text as its escape, as in Python: a line end becomes ``\\n``."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def clean_lines(text: str) -> str:
    """Clean each line of a text of several, such as a traceback."""
    return "\n".join(map(clean, text.split("\n")))


def presentable(value: Any) -> Any:
    """Redact and clean a value of a log record, at any depth; what is no text, number or container is made text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {clean(redact(str(key))): presentable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [presentable(item) for item in value]
    return clean(redact(str(value)))


@lru_cache(maxsize=2)
def _spellings(values: tuple[str | None, ...]) -> list[str]:
    """The secrets of this deployment, in every spelling in which an address may have them, the longest first."""
    spelt = {
        spelling
        for secret in values
        if secret and len(secret) >= SHORTEST
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
