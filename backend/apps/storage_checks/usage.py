"""Sample the account's usage once an hour, and keep the samples for a year, so that trends towards a limit show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from apps.storage import gateway

from .models import UsageSample

MIN_INTERVAL: Final = timedelta(minutes=30)  # debounce, in case two beats run
RETENTION: Final = timedelta(days=366)
FULL_RESOLUTION: Final = timedelta(days=7)  # of older samples, only the last of each day is kept


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a sample: its column, its label on /metrics, its title and unit, and a note for the page."""

    name: str
    label: str
    title: str
    unit: str
    note: str


MEASURES: Final = (
    Measure("storage", "storage_bytes", "Storage", "bytes", "stored on Cloudinary"),
    Measure("bandwidth", "bandwidth_bytes", "Bandwidth", "bytes", "delivered in the last 30 days"),
    Measure("transformations", "transformations", "Transformations", "", "made in the last 30 days"),
    Measure("credits", "credits", "Credits", "", "used of the plan's in the last 30 days"),
)


def sample(now: datetime | None = None) -> UsageSample | None:
    """Ask Cloudinary for the usage and save it, with one Admin API call.

    Return None without a call if the last sample is younger than MIN_INTERVAL. Raises MediaError if the call fails.
    """
    now = now or timezone.now()
    if UsageSample.objects.filter(taken_at__gt=now - MIN_INTERVAL).exists():
        return None
    response = gateway.ask_usage()
    taken = UsageSample.objects.create(taken_at=now, **read(response))
    _prune(now)
    return taken


def read(response: dict[str, Any]) -> dict[str, Any]:
    """Return a sample's columns from Cloudinary's response, which differs from plan to plan: None for what it lacks."""
    return {
        "plan": str(response.get("plan") or "")[:50],
        "storage": _whole(response, "storage"),
        "bandwidth": _whole(response, "bandwidth"),
        "transformations": _whole(response, "transformations"),
        "objects_stored": _whole(response, "objects"),
        "credits": _number(response, "credits", "usage"),
        "credits_limit": _number(response, "credits", "limit") or None,
    }


def latest() -> UsageSample | None:
    return UsageSample.objects.order_by("-taken_at").first()


def since(days: int, now: datetime | None = None) -> list[UsageSample]:
    """Return the samples of the last days, oldest first. If there are more than days, only each day's last."""
    now = now or timezone.now()
    samples = list(UsageSample.objects.filter(taken_at__gte=now - timedelta(days=days)).order_by("taken_at"))
    if len(samples) <= days:
        return samples
    return list({sample.taken_at.date(): sample for sample in samples}.values())


def _prune(now: datetime) -> None:
    UsageSample.objects.filter(taken_at__lt=now - RETENTION).delete()
    older = UsageSample.objects.filter(taken_at__lt=now - FULL_RESOLUTION).order_by("taken_at")
    by_day = {taken_at.date(): pk for pk, taken_at in older.values_list("pk", "taken_at")}
    older.exclude(pk__in=list(by_day.values())).delete()


def _number(response: dict[str, Any], name: str, part: str) -> float | None:
    about = response.get(name)
    value = about.get(part) if isinstance(about, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63
    return float(value) if is_number else None  # type: ignore[arg-type]


def _whole(response: dict[str, Any], name: str) -> int | None:
    value = _number(response, name, "usage")
    return None if value is None else int(value)
