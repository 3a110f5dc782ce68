"""The words around a ticket's values, in the event's language (``labels.json``)."""

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
    """``de`` of ``de-AT``."""
    return language.replace("_", "-").split("-")[0].lower()


def is_language(text: str) -> bool:
    """Whether a text is formed as a BCP 47 tag."""
    return re.fullmatch("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", text) is not None


def check_language(language: str) -> None:
    """RenderingError unless ``language`` is formed as a BCP 47 tag."""
    if not is_language(language):
        raise RenderingError(f"{language!r} is not a language: use a BCP 47 tag such as de or pt-BR")


def is_right_to_left(language: str) -> bool:
    """Whether pages in this language read from the right."""
    return base_language(language) in _RIGHT_TO_LEFT


def labels_for(language: str) -> Labels:
    """The words by element name; English where a language has none yet.

    Besides: ``ticket``, ``presents`` with the place {organiser}, and what the pictures ``qr``, ``cover`` and ``logo``
    show.
    """
    languages = _languages()
    if language.lower().replace("_", "-").startswith(_TRADITIONAL_CHINESE):
        return languages["zh-hant"]
    return languages.get(base_language(language), languages["en"])


def languages() -> list[str]:
    """The languages that have words of their own."""
    return sorted(_languages())


@lru_cache(maxsize=1)
def _languages() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("labels.json").read_text("utf-8"))
    return found
