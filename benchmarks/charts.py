"""Draw bar charts as SVG, without a library and readable in a diff."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, VALUES = 760, 250, 130  # pixels: the chart, its left column, its right column
ROW, BAR = 30, 18
OURS, PEER = "#4f46e5", "#a1a1aa"


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float
    text: str
    is_ours: bool = True


def bars(title: str, rows: Sequence[Bar], *, logarithmic: bool = False, mark: tuple[float, str] | None = None) -> str:
    """Return an SVG with horizontal bars that start at zero, or at the power of ten below the smallest if logarithmic.

    `mark` is a value and a label: a dotted line is drawn there.
    """
    values = [row.value for row in rows] + ([mark[0]] if mark else [])
    lowest = 10 ** math.floor(math.log10(min(value for value in values if value > 0))) if logarithmic else 0.0
    highest = max(values)

    def length(value: float) -> float:
        room = WIDTH - LABELS - VALUES
        if logarithmic:
            return room * math.log10(max(value, lowest) / lowest) / math.log10(highest / lowest)
        return room * value / highest

    height = 52 + ROW * len(rows) + (16 if mark else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600" fill="#18181b">{escape(title)}'
        f"{' (logarithmic)' if logarithmic else ''}</text>",
    ]
    for number, row in enumerate(rows):
        middle = 48 + ROW * number + ROW / 2
        colour = OURS if row.is_ours else PEER
        wide = max(1.0, length(row.value))
        parts += [
            f'<text x="{LABELS - 12}" y="{middle + 4:.0f}" text-anchor="end" fill="#3f3f46">{escape(row.label)}</text>',
            f'<rect x="{LABELS}" y="{middle - BAR / 2:.0f}" width="{wide:.1f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{LABELS + wide + 8:.0f}" y="{middle + 4:.0f}" fill="#18181b">{escape(row.text)}</text>',
        ]
    if mark:
        x, bottom = LABELS + length(mark[0]), 48 + ROW * len(rows)
        parts += [
            f'<line x1="{x:.1f}" y1="44" x2="{x:.1f}" y2="{bottom}" stroke="#b91c1c" stroke-dasharray="3 3"/>',
            f'<text x="{x:.0f}" y="{bottom + 14}" text-anchor="middle" font-size="12" fill="#b91c1c">'
            f"{escape(mark[1])}</text>",
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
