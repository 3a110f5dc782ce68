"""The forms of this project's secrets, which no line of the log shows; `core/telemetry/redaction.py` reads them."""

from __future__ import annotations

import re
from typing import Final

from apps.core.telemetry.redaction import HIDDEN

# Each form, what stands in its place, and words without which no text has it, in lower case.
SECRET_FORMS: Final[tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...]] = (
    # A ticket's code (Base45, which has spaces), also as addresses spell it. 131 characters when it is whole.
    (re.compile(r"AD1(?::|%3A)(?:%[0-9A-Fa-f]{2}|[0-9A-Z $%*+./:-]){8,400}"), f"AD1:{HIDDEN}", ("ad1",)),
    # The signature in a delivery URL.
    (re.compile(r"\bs--[\w-]{6,}--"), f"s--{HIDDEN}--", ("s--",)),
)
