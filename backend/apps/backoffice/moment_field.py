"""A form field for a local date and time that asks which one is meant if the clocks show it twice (DST)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

import ticketkit

YEARS = range(1900, 3000)
CHOICES = [("", "Choose …"), ("0", "The first time"), ("1", "The second time")]


def is_ambiguous(local: datetime) -> bool:
    """Return whether the clocks show this time twice, because they are put back."""
    return _offset(local, 0) > _offset(local, 1)


def _offset(local: datetime, fold: int) -> float:
    offset = local.replace(fold=fold).utcoffset()
    return offset.total_seconds() if offset else 0


class MomentWidget(UnfoldAdminSplitDateTimeWidget):  # type: ignore[misc]
    """Inputs for date and time, and a choice between the first and the second time if `asks_fold` is set."""

    asks_fold = False

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        fold = UnfoldAdminSelectWidget(attrs={"aria-label": "First or second time"}, choices=CHOICES)
        self.widgets.append(fold)
        self.widgets_names.append(f"_{len(self.widgets) - 1}")

    def decompress(self, value: Any) -> list[Any]:
        date, time = super().decompress(value)
        return [date, time, str(value.fold) if value and self.asks_fold else ""]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Render date and time by unfold's template, followed by the choice if it is needed."""
        rendered: SafeString = super().render(name, value, attrs, renderer)
        if not self.asks_fold:
            return rendered
        *_, fold = value if isinstance(value, list) else self.decompress(value)
        choice: SafeString = self.widgets[-1].render(name + self.widgets_names[-1], fold, renderer=renderer)
        return rendered + choice


class MomentField(forms.SplitDateTimeField):
    """A local date and time in the current time zone. The cleaned value is in UTC."""

    widget = MomentWidget
    default_error_messages: ClassVar = {
        **forms.SplitDateTimeField.default_error_messages,
        "incomplete": "Enter a date and a time.",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("require_all_fields", False)
        super().__init__(**kwargs)
        self.fields = (*self.fields, forms.ChoiceField(choices=CHOICES, required=False))

    def compress(self, data_list: Any) -> datetime | None:
        if not data_list:
            return None
        date, time, fold = data_list
        if date.year not in YEARS:
            raise ValidationError(f"Choose a year from {YEARS[0]} to {YEARS[-1]}.", code="year")
        zone = timezone.get_current_timezone()
        local = datetime.combine(date, time, zone)
        self.widget.asks_fold = is_ambiguous(local)
        shown = f"{local:%H:%M} on {local:%d %B %Y}"
        forward = _offset(local, 1) - _offset(local, 0)
        if forward > 0:
            raise ValidationError(
                f"There is no {shown} in {zone}: that night the clocks are put forward by {forward / 60:.0f} minutes. "
                "Choose a time before or after that.",
                code="skipped",
            )
        if self.widget.asks_fold and not fold:
            first, second = (ticketkit.gmt_offset(local.replace(fold=either)) for either in (0, 1))
            raise ValidationError(
                f"The clocks show {shown} twice in {zone}, because they are put back that night. Choose whether the "
                f"first time ({first}) is meant or the second ({second}).",
                code="ambiguous",
            )
        return local.replace(fold=int(fold or 0) if self.widget.asks_fold else 0).astimezone(UTC)
