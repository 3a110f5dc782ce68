"""Compute the coordinates of a line chart for the template `backoffice/plot.svg`. The chart needs no JavaScript."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WIDTH, HEIGHT = 400, 180
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 12, 26
MIN_AXIS: Final = timedelta(hours=12)
LIMIT_SHOWN_FROM: Final = 0.2  # the limit is drawn if the highest value is at least this part of it
PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class Plot:
    """A line chart. Coordinates are in units of the view box (WIDTH x HEIGHT). Texts are not HTML."""

    name: str
    title: str
    note: str
    now: str
    change: str
    description: str
    line: str
    area: str
    last: tuple[float, float]
    rows: tuple[Tick, ...]
    days: tuple[Tick, ...]
    limit: Tick | None


def draw(
    name: str, title: str, note: str, points: Sequence[tuple[datetime, float]], unit: str, limit: float | None = None
) -> Plot | None:
    """Return the chart of the points, oldest first, or None if there are none.

    `unit` is "bytes", or empty for plain numbers. `limit` is drawn as a line if the values come near it.
    """
    if not points:
        return None
    (begin, first), (end, last) = points[0], points[-1]
    highest = max(value for _, value in points)
    if limit and highest < LIMIT_SHOWN_FROM * limit:
        limit = None
    steps = nice_steps(max(highest, limit or 0.0))
    begin = min(begin, end - MIN_AXIS)

    def x(moment: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((moment - begin) / (end - begin)), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / steps[-1], 1)

    corners = [(x(moment), y(value)) for moment, value in points]
    line = " ".join(f"{across},{down}" for across, down in corners)
    baseline = y(0)
    by_hour = end - begin < timedelta(days=2)
    date_format = "%d %b, %H:%M" if by_hour else "%d %b %Y" if begin.year != end.year else "%d %b"
    change = last - first
    period = f"from {points[0][0]:%d %b %Y} to {end:%d %b %Y}"
    return Plot(
        name=name,
        title=title,
        note=note,
        now=quantity(last, unit) + (f" of {quantity(limit, unit)}" if limit else ""),
        change="" if len(points) == 1 else f"{'+' if change >= 0 else '−'}{quantity(abs(change), unit)}",
        description=f"{title}, {note}, {period}: {quantity(first, unit)} at first, {quantity(last, unit)} at last, "
        f"{quantity(highest, unit)} at most.",
        line=line,
        area=f"{corners[0][0]},{baseline} {line} {corners[-1][0]},{baseline}",
        last=corners[-1],
        rows=tuple(Tick(y(step), quantity(step, unit)) for step in steps),
        days=(Tick(LEFT, f"{begin:{date_format}}", "start"), Tick(WIDTH - RIGHT, f"{end:{date_format}}", "end")),
        limit=Tick(y(limit), f"plan: {quantity(limit, unit)}") if limit else None,
    )


def nice_steps(highest: float) -> list[float]:
    """Return zero and two to five round numbers above it for an axis. The last is at least `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    power: float = 10.0 ** math.floor(math.log10(highest))
    step = next(power * part for part in (0.2, 0.5, 1.0, 2.0, 5.0) if power * part * 4 >= highest * (1 - 1e-9))
    return [step * number for number in range(math.ceil(round(highest / step, 9)) + 1)]


def quantity(value: float, unit: str) -> str:
    """Return the value with three significant digits: "1.23 MB" for 1234567 bytes, "12.3 k" for the number 12345."""
    value = float(f"{value:.3g}")  # round first, or 999,999 would be "1e+03 k"
    power = min(int(math.log10(value) // 3), len(PREFIXES) - 1) if value >= 1000 else 0
    scaled = value / 1000**power
    return " ".join(filter(None, [f"{scaled:.3g}", PREFIXES[power] + ("B" if unit == "bytes" else "")]))
