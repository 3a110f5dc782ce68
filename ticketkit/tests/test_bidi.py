"""The bidirectional algorithm against Unicode's own test data, and against the implementation of the Rust crate."""

from pathlib import Path

import pytest

from ticketkit.rendering.text.bidi import base_direction, embedding_levels, visual_runs

_SAMPLE = Path(__file__).parent / "data" / "bidi_character_test.txt"
_LINES = [line for line in _SAMPLE.read_text("ascii").splitlines() if line and not line.startswith("#")]


def _visual_order(levels: list[int]) -> list[int]:
    order: list[int] = []
    for start, end, level in visual_runs(levels):
        order.extend(range(end - 1, start - 1, -1) if level % 2 else range(start, end))
    return order


@pytest.mark.parametrize("line", _LINES[::3])
def test_levels_and_order_are_unicodes(line: str) -> None:
    points, direction, paragraph, levels, order = line.split(";")
    text = "".join(chr(int(point, 16)) for point in points.split())
    found_paragraph, found = embedding_levels(text, {"0": 0, "1": 1, "2": None}[direction])
    expected = levels.split()
    assert found_paragraph == int(paragraph)
    assert [level if want != "x" else "x" for want, level in zip(expected, map(str, found), strict=True)] == expected
    assert [place for place in _visual_order(found) if expected[place] != "x"] == [
        int(place) for place in order.split()
    ]


def test_the_first_strong_letter_gives_the_direction() -> None:
    assert base_direction("(123) יוסי", False)
    assert not base_direction("Yossi יוסי", True)
    assert base_direction("123", True)
    assert not base_direction("123", False)
