"""Interpret the headings of an attendee list, and build full names from their columns.

`list_headings.json` has the headings in each language, and the headings in exports of contact managers and ticket
shops. A language with `family_first` writes the family name before the given name.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

FAMILY_FIRST = "family_first"
MIN_LETTERS_WITHOUT_ACCENTS = 4  # without its accents, a shorter word is often a different word
_EAST_ASIAN = re.compile(r"[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U000323af]+")


class Meaning(StrEnum):
    """The content of a column."""

    NAME = "name"
    GIVEN = "given"
    MIDDLE = "middle"
    FAMILY = "family"
    EMAIL = "email"
    QUANTITY = "quantity"
    IGNORED = "ignored"


REQUIRED = {Meaning.NAME, Meaning.GIVEN, Meaning.FAMILY, Meaning.EMAIL}  # a line of headings has at least one of these


@dataclass(frozen=True, slots=True)
class Headings:
    """The meaning of each heading, or None if the heading is unknown."""

    meanings: tuple[Meaning | None, ...]
    family_first: bool = False


def interpret_headings(headings: Sequence[str]) -> Headings | None:
    """Return the meanings of a line of headings, or None if it is no such line.

    A word can have different meanings (“Nombre” is a name in Spanish and a number in French). Then the language that
    knows most of the headings decides.
    """
    if any("@" in heading for heading in headings):
        return None
    known = [_meanings(heading) for heading in headings]
    votes = Counter(language for meanings in known for language in meanings)
    languages = sorted(votes, key=lambda language: (-votes[language], list(_words()).index(language)))
    chosen = [next((language for language in languages if language in meanings), "") for meanings in known]
    meanings = tuple(found.get(language) for found, language in zip(known, chosen, strict=True))
    if not REQUIRED.intersection(meanings):
        return None
    family = (language for language, meaning in zip(chosen, meanings, strict=True) if meaning is Meaning.FAMILY)
    return Headings(meanings, next(family, languages[0]) in _family_first())


def full_name(values: Mapping[Meaning, str], *, family_first: bool) -> str:
    """Return the full name from the columns of a line.

    If a line has a name and a given name, the name is taken for the family name, and vice versa, unless it already
    contains the whole name. Names in Chinese, Japanese or Korean script always start with the family name.
    """
    name, given, family = (values.get(part, "") for part in (Meaning.NAME, Meaning.GIVEN, Meaning.FAMILY))
    if name:
        if bool(given) == bool(family) or _contains(name, given or family):
            return name
        given, family = given or name, family or name
    parts = [given, values.get(Meaning.MIDDLE, ""), family]
    is_east_asian = bool(given and family) and all(_EAST_ASIAN.fullmatch(part) for part in parts if part)
    if family_first or is_east_asian:
        parts.reverse()
    return ("" if is_east_asian else " ").join(filter(None, parts))


def _contains(name: str, part: str) -> bool:
    """Return whether the name has all words of the part, and more."""
    words, part_words = name.casefold().split(), part.casefold().split()
    return len(words) > len(part_words) and set(part_words) <= set(words)


def _meanings(heading: str) -> dict[str, Meaning]:
    """Return the meaning of a heading by language. Looks it up with and without the text in brackets."""
    found: dict[str, Meaning] = {}
    for text in (re.sub(r"[(（\[].*", "", heading), heading):
        for language, words in _words().items():
            if meaning := words.get(_folded(text)):
                found[language] = meaning
    return found


def _folded(heading: str) -> str:
    """Return only letters and digits, in lower case: “E-mail 1 - Value” and “e_mail_1_value” are the same heading."""
    categories = "LMN"  # letters, marks (vowels in Hindi and Thai), numbers
    text = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(character for character in text if unicodedata.category(character)[0] in categories)


def _without_accents(text: str) -> str:
    plain = "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))
    return plain if len(plain) >= MIN_LETTERS_WITHOUT_ACCENTS else text


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return table


@cache
def _words() -> dict[str, dict[str, Meaning]]:
    """Return the meaning of every folded heading, by language."""
    words: dict[str, dict[str, Meaning]] = {}
    for language, columns in _table().items():
        known = words[language] = {}
        for meaning, headings in columns.items():
            for heading in headings if meaning != FAMILY_FIRST else ():
                folded = _folded(heading)
                known.update(dict.fromkeys((folded, _without_accents(folded)), Meaning(meaning)))
    return words


@cache
def _family_first() -> frozenset[str]:
    return frozenset(language for language, columns in _table().items() if columns.get(FAMILY_FIRST))
