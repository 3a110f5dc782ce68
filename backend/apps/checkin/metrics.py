"""What counts at the door."""

from __future__ import annotations

from typing import Final

from apps.core.telemetry.metrics import Counter, initialises_series

ADMISSION_RESULTS: Final = ("admitted", "used", "reissued", "unknown", "wrong_event", "forbidden")

admissions = Counter(
    "admit_admissions", "Codes that somebody was to be let in with, by the verdict", ["result"], registry=None
)


@initialises_series
def _initialise() -> None:
    for result in ADMISSION_RESULTS:
        admissions.labels(result)
