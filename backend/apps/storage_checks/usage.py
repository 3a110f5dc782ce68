"""What the account uses, sampled now and then and kept for a year, so that somebody sees a limit come near."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from apps.storage import gateway

from .models import UsageSample

AT_MOST_EVERY: Final = timedelta(minutes=30)  # a second beat costs no second call
KEPT: Final = timedelta(days=366)
EACH_KEPT: Final = timedelta(days=7)  # before that, the last of each day


@dataclass(frozen=True, slots=True)
class Measure:
    """One of the numbers of a sample: its column, its label on /metrics, its title, and what it is counted in."""

    name: str
    label: str
    title: str
    unit: str
    note: str


MEASURES: Final = (
    Measure("storage", "storage_bytes", "Storage", "bytes", "what lies on Cloudinary"),
    Measure("bandwidth", "bandwidth_bytes", "Bandwidth", "bytes", "delivered in the last 30 days"),
    Measure("transformations", "transformations", "Transformations", "", "made in the last 30 days"),
    Measure("credits", "credits", "Credits", "", "used of the plan's in the last 30 days"),
)


def sample(now: datetime | None = None) -> UsageSample | None:
    """Ask for the usage and keep it; None if that was done a moment ago. Costs an Admin API call. Raises MediaError."""
    now = now or timezone.now()
    if UsageSample.objects.filter(taken_at__gt=now - AT_MOST_EVERY).exists():
        return None
    answer = gateway.ask_usage()
    taken = UsageSample.objects.create(taken_at=now, **read(answer))
    _prune(now)
    return taken


def read(answer: dict[str, Any]) -> dict[str, Any]:
    """A sample's columns from the service's answer, which differs from plan to plan: None for what it leaves out."""
    return {
        "plan": str(answer.get("plan") or "")[:50],
        "storage": _whole(answer, "storage"),
        "bandwidth": _whole(answer, "bandwidth"),
        "transformations": _whole(answer, "transformations"),
        "objects_stored": _whole(answer, "objects"),
        "credits": _number(answer, "credits", "usage"),
        "credits_limit": _number(answer, "credits", "limit") or None,
    }


def latest() -> UsageSample | None:
    return UsageSample.objects.order_by("-taken_at").first()


def since(days: int, now: datetime | None = None) -> list[UsageSample]:
    """The samples of the last days, oldest first, each day's last one only where they are many."""
    now = now or timezone.now()
    samples = list(UsageSample.objects.filter(taken_at__gte=now - timedelta(days=days)).order_by("taken_at"))
    if len(samples) <= days:
        return samples
    return list({sample.taken_at.date(): sample for sample in samples}.values())


def _prune(now: datetime) -> None:
    UsageSample.objects.filter(taken_at__lt=now - KEPT).delete()
    older = UsageSample.objects.filter(taken_at__lt=now - EACH_KEPT).order_by("taken_at")
    by_day = {taken_at.date(): pk for pk, taken_at in older.values_list("pk", "taken_at")}
    older.exclude(pk__in=list(by_day.values())).delete()


def _number(answer: dict[str, Any], name: str, part: str) -> float | None:
    about = answer.get(name)
    value = about.get(part) if isinstance(about, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63
    return float(value) if is_number else None  # type: ignore[arg-type]


def _whole(answer: dict[str, Any], name: str) -> int | None:
    value = _number(answer, name, "usage")
    return None if value is None else int(value)
