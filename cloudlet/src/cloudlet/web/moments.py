"""Points in time as clients write them."""

import re

_NUMBER = re.compile(r"\d{1,14}(\.\d{1,12})?")
_LARGEST_SECONDS = 10**11
"""The year 5138 in seconds, 1973 in milliseconds: a larger number is meant in milliseconds."""


def read_moment(text: str) -> float | None:
    """Return seconds since 1970; None for what is no such number.

    Clients in JavaScript send milliseconds (`Date.now()`) or fractions (`Date.now() / 1000`).
    """
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number / 1000 if number > _LARGEST_SECONDS else number
