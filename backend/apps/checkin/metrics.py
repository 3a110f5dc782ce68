"""Metrics of check-in."""

from __future__ import annotations

from typing import Final

from apps.core.telemetry.metrics import Counter, initialises_series

ADMISSION_RESULTS: Final = ("admitted", "used", "reissued", "unknown", "wrong_event", "forbidden")

admissions = Counter(
    "admit_admissions",
    "Scans for admission, by verdict. A steady rate of result=unknown means that codes are being guessed, or that a"
    " device scans for the wrong organiser.",
    ["result"],
    registry=None,
)


@initialises_series
def _initialise() -> None:
    for result in ADMISSION_RESULTS:
        admissions.labels(result)
