"""Labels on tickets in the event's language, from ``labels.json``."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from ticketkit.rendering.errors import RenderingError

Labels = Mapping[str, str]

_RIGHT_TO_LEFT = frozenset(("ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"))
_TRADITIONAL_CHINESE = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")


def base_language(language: str) -> str:
    """Return the base language of a tag in lower case: ``de`` for ``de-AT``."""
    return language.replace("_", "-").split("-")[0].lower()


def is_language(text: str) -> bool:
    """Return whether a text is well-formed as a BCP 47 tag."""
    return re.fullmatch("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", text) is not None


def check_language(language: str) -> None:
    """Raise RenderingError unless ``language`` is well-formed as a BCP 47 tag."""
    if not is_language(language):
        raise RenderingError(f"{language!r} is not a language: use a BCP 47 tag such as de or pt-BR")


def is_right_to_left(language: str) -> bool:
    """Return whether the language is written from right to left."""
    return base_language(language) in _RIGHT_TO_LEFT


def labels_for(language: str) -> Labels:
    """Return the labels by element name, in English if there are none in the language.

    Other keys are ``ticket``, ``presents`` (a format string with ``{organiser}``), and ``qr``, ``cover`` and ``logo``
    (the alternative texts of the pictures).
    """
    languages = _languages()
    if language.lower().replace("_", "-").startswith(_TRADITIONAL_CHINESE):
        return languages["zh-hant"]
    return languages.get(base_language(language), languages["en"])


def languages() -> list[str]:
    """Return the languages that have labels, as sorted tags."""
    return sorted(_languages())


@lru_cache(maxsize=1)
def _languages() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("labels.json").read_text("utf-8"))
    return found
