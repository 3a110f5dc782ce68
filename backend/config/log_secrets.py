"""Patterns of this project's secrets, which `core/telemetry/redaction.py` removes from the log."""

from __future__ import annotations

import re
from typing import Final

from apps.core.telemetry.redaction import HIDDEN

# Each pattern, its replacement, and lower-case words of which a text must contain one for the pattern to match.
SECRET_FORMS: Final[tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...]] = (
    # A ticket's code (Base45, which has spaces), also percent-encoded. A whole one has 131 characters after the prefix.
    (re.compile(r"AD1(?::|%3A)(?:%[0-9A-Fa-f]{2}|[0-9A-Z $%*+./:-]){8,400}"), f"AD1:{HIDDEN}", ("ad1",)),
    # The signature in a delivery URL.
    (re.compile(r"\bs--[\w-]{6,}--"), f"s--{HIDDEN}--", ("s--",)),
)
