"""A line over time, as the numbers that `backoffice/plot.svg` draws: a small picture that needs no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WIDTH, HEIGHT = 400, 180
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 12, 26
SHORTEST: Final = timedelta(hours=12)  # of the axis, however young the first sample is
NEAR: Final = 0.2  # of a limit: from there on it is drawn
PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class Plot:
    """Coordinates are in the units of the view box, which is WIDTH by HEIGHT. Texts are plain."""

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
    """The plot of the points, oldest first; None when there are none. `unit` is "bytes", or empty for plain numbers."""
    if not points:
        return None
    (begin, first), (end, last) = points[0], points[-1]
    highest = max(value for _, value in points)
    if limit and highest < NEAR * limit:
        limit = None
    steps = nice_steps(max(highest, limit or 0.0))
    begin = min(begin, end - SHORTEST)

    def x(moment: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((moment - begin) / (end - begin)), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / steps[-1], 1)

    corners = [(x(moment), y(value)) for moment, value in points]
    line = " ".join(f"{across},{down}" for across, down in corners)
    floor = y(0)
    by_hour = end - begin < timedelta(days=2)
    form = "%d %b, %H:%M" if by_hour else "%d %b %Y" if begin.year != end.year else "%d %b"
    change = last - first
    period = f"from {first_words(points[0][0])} to {first_words(end)}"
    return Plot(
        name=name,
        title=title,
        note=note,
        now=quantity(last, unit) + (f" of {quantity(limit, unit)}" if limit else ""),
        change="" if len(points) == 1 else f"{'+' if change >= 0 else '−'}{quantity(abs(change), unit)}",
        description=f"{title}, {note}, {period}: {quantity(first, unit)} at first, {quantity(last, unit)} at last, "
        f"{quantity(highest, unit)} at most.",
        line=line,
        area=f"{corners[0][0]},{floor} {line} {corners[-1][0]},{floor}",
        last=corners[-1],
        rows=tuple(Tick(y(step), quantity(step, unit)) for step in steps),
        days=(Tick(LEFT, f"{begin:{form}}", "start"), Tick(WIDTH - RIGHT, f"{end:{form}}", "end")),
        limit=Tick(y(limit), f"plan: {quantity(limit, unit)}") if limit else None,
    )


def first_words(moment: datetime) -> str:
    return f"{moment:%d %b %Y}"


def nice_steps(highest: float) -> list[float]:
    """Zero, and two to five round numbers above it, the last of which is no less than `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    power: float = 10.0 ** math.floor(math.log10(highest))
    step = next(power * part for part in (0.2, 0.5, 1.0, 2.0, 5.0) if power * part * 4 >= highest * (1 - 1e-9))
    return [step * number for number in range(math.ceil(round(highest / step, 9)) + 1)]


def quantity(value: float, unit: str) -> str:
    """1234567 bytes -> "1.23 MB"; 12345 -> "12.3 k"; 1.5 -> "1.5"."""
    value = float(f"{value:.3g}")  # first, or 999,999 would be a thousand thousands
    power = min(int(math.log10(value) // 3), len(PREFIXES) - 1) if value >= 1000 else 0
    scaled = value / 1000**power
    return " ".join(filter(None, [f"{scaled:.3g}", PREFIXES[power] + ("B" if unit == "bytes" else "")]))
