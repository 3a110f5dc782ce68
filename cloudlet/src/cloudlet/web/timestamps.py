"""Parse timestamps of clients."""

import re

_NUMBER = re.compile(r"\d{1,14}(\.\d{1,12})?")
_LARGEST_SECONDS = 10**11
"""The year 5138 in seconds, or 1973 in milliseconds. A larger number must be in milliseconds."""


def parse_timestamp(text: str) -> float | None:
    """Return the seconds since 1970, or None if the text is not a timestamp.

    JavaScript clients send milliseconds (`Date.now()`) or fractions (`Date.now() / 1000`).
    """
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number / 1000 if number > _LARGEST_SECONDS else number
