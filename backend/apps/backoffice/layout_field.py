"""The form field for an event's layout: a built-in page chosen by name, or a JSON document."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from unfold.widgets import UnfoldAdminTextareaWidget

# The label and the layout of each page. The first is the default.
PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a4-fold": ("A4 with a fold line", {}),
    "a4": ("A4", {"fold": False}),
    "letter-fold": ("US Letter with a fold line", {"base": "letter"}),
    "letter": ("US Letter", {"base": "letter", "fold": False}),
    "phone": ("Phone", {"base": "phone"}),
}
OWN = "own"
CHOICES = [*((name, label) for name, (label, _) in PAGES.items()), (OWN, "Own layout")]
EXAMPLE: dict[str, Any] = {
    "base": "a4",
    "colours": {"paper": "#fffdf5", "accent": "#9f1239"},
    "elements": {"title": {"size": 36}, "price": {"show": False}},
}

MAX_CHARACTERS = 20_000
MAX_NESTING = 20
LINE_CHARACTERS = 88


def page_of(layout: Any) -> str:
    """Return the name of the built-in page that the layout is, or `OWN`."""
    return next((name for name, (_, page) in PAGES.items() if page == (layout or {})), OWN)


def format_layout(layout: Any, indent: str = "") -> str:
    """Return the layout as readable JSON: arrays and short objects on one line, long objects with a line per member."""
    line = json.dumps(layout, ensure_ascii=False)
    if not isinstance(layout, dict) or not layout or (indent and len(indent) + len(line) <= LINE_CHARACTERS):
        return line
    inner = indent + "  "
    members = (f"{inner}{json.dumps(name)}: {format_layout(value, inner)}" for name, value in layout.items())
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


class LayoutField(forms.JSONField):
    """A text area for JSON. Invalid input is shown again unchanged, and the error names its line and column."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {
            "rows": 14,
            "spellcheck": "false",
            "class": "font-mono backoffice-code",
            "placeholder": format_layout(EXAMPLE),
        }
        super().__init__(widget=UnfoldAdminTextareaWidget(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        if not isinstance(value, str):
            return value
        if len(value) > MAX_CHARACTERS:
            raise ValidationError(f"This layout is longer than {MAX_CHARACTERS} characters.")
        if _nesting(value) > MAX_NESTING:
            raise ValidationError("This layout is nested too deeply.")
        try:
            return json.loads(value, object_pairs_hook=_unique, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise ValidationError(f"This is not JSON: {error.msg} at {place}.") from error
        except ValueError as error:  # raised by `_unique`, `_refuse`, and int() for thousands of digits
            raise ValidationError(f"This is not JSON: {error}.") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        return None if data is None else InvalidJSONInput(data)

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, InvalidJSONInput):
            return value
        return format_layout(value)


def _nesting(text: str) -> int:
    """Return the maximum depth of brackets. Brackets inside of strings count as well."""
    deepest = depth = 0
    for mark in text:
        depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"“{duplicate}” occurs twice in the same object")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")
