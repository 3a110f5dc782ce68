"""Make text from any source safe to print as part of one log line.

Line ends would forge a line of the log, escape sequences would drive the operator's terminal, bidirectional and
invisible characters would hide what a line says, and half a surrogate pair would keep it from being written at all.
"""

from __future__ import annotations

import re
from typing import Any, Final

# Control characters (C0, DEL, C1), line separators, invisible and bidirectional characters, tags, surrogates.
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Write every character that is not plain text as its escape, as in Python: a line end becomes ``\\n``."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def clean_lines(text: str) -> str:
    """Clean each line of a text of several, such as a traceback."""
    return "\n".join(map(clean, text.split("\n")))


def cleaned(value: Any) -> Any:
    """Clean every text in a value of a log record, at any depth."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): cleaned(item) for key, item in value.items()}
        case list():
            return [cleaned(item) for item in value]
    return value
