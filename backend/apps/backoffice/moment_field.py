"""A moment on the clocks of a time zone, as organisers enter it: also in the hour that the clocks show twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from ticketkit import gmt_offset

YEARS = range(1900, 3000)
CHOICES = [("", "Which of the two?"), ("0", "The first time"), ("1", "The second time")]


def is_ambiguous(local: datetime) -> bool:
    """Whether the clocks show this time twice, because they are put back."""
    return _offset(local, 0) > _offset(local, 1)


def _offset(local: datetime, fold: int) -> float:
    offset = local.replace(fold=fold).utcoffset()
    return offset.total_seconds() if offset else 0


class MomentWidget(UnfoldAdminSplitDateTimeWidget):  # type: ignore[misc]
    """Date, time, and which of two times it is, which is asked only where there are two."""

    asks_which = False

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        which = UnfoldAdminSelectWidget(attrs={"aria-label": "Which of the two times"}, choices=CHOICES)
        self.widgets.append(which)
        self.widgets_names.append(f"_{len(self.widgets) - 1}")

    def decompress(self, value: Any) -> list[Any]:
        date, time = super().decompress(value)
        return [date, time, str(value.fold) if value and self.asks_which else ""]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The template of date and time, and behind it the question, where there is one."""
        rendered: SafeString = super().render(name, value, attrs, renderer)
        if not self.asks_which:
            return rendered
        *_, which = value if isinstance(value, list) else self.decompress(value)
        asked: SafeString = self.widgets[-1].render(name + self.widgets_names[-1], which, renderer=renderer)
        return rendered + asked


class MomentField(forms.SplitDateTimeField):
    """Return the moment in UTC. The clocks are those of the current time zone."""

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
        date, time, which = data_list
        if date.year not in YEARS:
            raise ValidationError(f"Choose a year from {YEARS[0]} to {YEARS[-1]}.", code="year")
        zone = timezone.get_current_timezone()
        local = datetime.combine(date, time, zone)
        self.widget.asks_which = is_ambiguous(local)
        shown = f"{local:%H:%M} on {local:%d %B %Y}"
        forward = _offset(local, 1) - _offset(local, 0)
        if forward > 0:
            raise ValidationError(
                f"There is no {shown} in {zone}: that night the clocks are put forward by {forward / 60:.0f} minutes. "
                "Choose a time before or after that.",
                code="skipped",
            )
        if self.widget.asks_which and not which:
            first, second = (gmt_offset(local.replace(fold=fold)) for fold in (0, 1))
            raise ValidationError(
                f"The clocks show {shown} twice in {zone}, because they are put back that night. Choose whether the "
                f"first time ({first}) is meant or the second ({second}).",
                code="ambiguous",
            )
        return local.replace(fold=int(which or 0) if self.widget.asks_which else 0).astimezone(UTC)
