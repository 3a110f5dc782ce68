"""Normalise and validate the e-mail addresses that people enter."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from .validators import named_character

# Unicode's Default_Ignorable_Code_Point: invisible characters, such as U+200B and the byte order mark U+FEFF.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def strip_address(text: str) -> str:
    """Return the address without invisible characters and surrounding white space."""
    return _INVISIBLE.sub("", text).strip()


def refuse_unseen_characters(address: str) -> None:
    """Raise ValidationError if the address contains white space or a control character; the message names it."""
    for character in address:
        if unicodedata.category(character)[0] in "CZ":
            raise ValidationError(
                f"This e-mail address contains {named_character(character)}, which no address may contain. "
                "Type the address again.",
                code="unseen_character",
            )


class AddressField(models.EmailField):  # type: ignore[type-arg]
    """An e-mail address that can be compared with others: stored in lower case and without invisible characters."""

    default_validators = [refuse_unseen_characters, *models.EmailField.default_validators]

    def to_python(self, value: Any) -> Any:
        return strip_address(super().to_python(value) or "").lower()

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalise the object's value too, because `save()` does not validate."""
        address = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, address)
        return address

    def get_prep_value(self, value: Any) -> Any:
        """Normalise the values of `update()` and of lookups too."""
        return super().get_prep_value(self.to_python(value) if isinstance(value, str) else value)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.EmailField", args, kwargs


def clean_addresses_in_all_forms() -> None:
    """Patch Django's form field so that every form cleans addresses as `AddressField` does.

    This includes the forms of the admin and of allauth, whose headless API has no setting to replace them.
    """

    def to_python(self: forms.EmailField, value: Any) -> str:
        address = forms.CharField.to_python(self, value) or ""
        if address in self.empty_values:
            return address
        address = strip_address(address)
        refuse_unseen_characters(address)
        return address

    forms.EmailField.to_python = to_python  # type: ignore[method-assign,assignment]
