"""Validators of text fields. Migrations refer to them, so this module imports nothing of the project."""

import re
import unicodedata
import zoneinfo
from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import models

# Control characters (category Cc), lone surrogates, noncharacters, and the two bidirectional overrides, with which a
# name is displayed differently from what is stored. Bidirectional marks and isolates are allowed: keyboards and address
# books put them into names.
_CONTROL = "\x00-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(0x10000 * plane + last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_CONTROL_CHARACTER = re.compile(f"[{_CONTROL}]")
_CONTROL_CHARACTER_IN_LINES = re.compile(f"(?![\t\n\r])[{_CONTROL}]")
_QUOTED_CHARACTERS = 20  # that a message quotes before the refused one


def refuse_control_characters(text: str, *, lines: bool = False) -> None:
    """Raise ValidationError if the text contains a control character; the message names it and says where it is.

    With `lines`, tabs and line breaks are allowed.
    """
    found = (_CONTROL_CHARACTER_IN_LINES if lines else _CONTROL_CHARACTER).search(text)
    if found is None:
        return
    before = text[max(0, found.start() - _QUOTED_CHARACTERS) : found.start()]
    place = f"after “{before}”" if before.strip() else "at the beginning"
    raise ValidationError(
        f"There is a character that can’t be printed, {named_character(found[0])}, {place}. "
        "Delete it, or type the text again.",
        code="control_character",
    )


def named_character(char: str) -> str:
    """Return an invisible character's name for messages, such as “U+200B (zero width space)”."""
    name = {"\t": "a tab", "\n": "a line break", "\r": "a line break"}.get(char) or unicodedata.name(char, "").lower()
    return f"U+{ord(char):04X} ({name})" if name else f"U+{ord(char):04X}"


class CheckedText(models.Model):
    """A model that refuses control characters in all of its editable text fields.

    `TEXTS_WITH_LINES` names the fields that may contain line breaks, besides every `TextField`.
    """

    TEXTS_WITH_LINES: Collection[str] = ()

    class Meta:
        abstract = True

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Validate the fields as Django does, and refuse control characters. Raises ValidationError."""
        problems: dict[str, list[ValidationError]] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            problems = error.error_dict
        for field in self._meta.concrete_fields:
            text = getattr(self, field.attname, None)
            if not isinstance(text, str) or not field.editable or field.name in {*(exclude or ()), *problems}:
                continue
            has_lines = isinstance(field, models.TextField) or field.name in self.TEXTS_WITH_LINES
            try:
                refuse_control_characters(text, lines=has_lines)
            except ValidationError as error:
                problems[field.name] = [error]
        if problems:
            raise ValidationError(problems)


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"“{name}” is not a time zone. Use a name such as Europe/Berlin or Asia/Kolkata.")
