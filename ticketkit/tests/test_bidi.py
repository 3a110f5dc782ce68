"""The bidirectional algorithm, compared with Unicode's test data and with the wording of rule L2."""

from itertools import groupby
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ticketkit.rendering.text.bidi import base_direction, embedding_levels, visual_runs

_SAMPLE = Path(__file__).parent / "data" / "bidi_character_test.txt"
_LINES = [line for line in _SAMPLE.read_text("ascii").splitlines() if line and not line.startswith("#")]


def _visual_order(levels: list[int]) -> list[int]:
    order: list[int] = []
    for start, end, level in visual_runs(levels):
        order.extend(range(end - 1, start - 1, -1) if level % 2 else range(start, end))
    return order


def test_levels_and_order_match_unicodes_test_data() -> None:
    for line in _LINES:
        points, direction, paragraph, levels, places = line.split(";")
        text = "".join(chr(int(point, 16)) for point in points.split())
        found_paragraph, found = embedding_levels(text, {"0": 0, "1": 1, "2": None}[direction])
        assert found_paragraph == int(paragraph), line
        expected = levels.split()
        for want, level in zip(expected, found, strict=True):
            assert want in ("x", str(level)), line
        order = [place for place in _visual_order(found) if expected[place] != "x"]
        assert order == [int(place) for place in places.split()], line


def test_the_first_strong_letter_gives_the_direction() -> None:
    assert base_direction("(123) יוסי", False)
    assert not base_direction("Yossi יוסי", True)
    assert base_direction("123", True)
    assert not base_direction("123", False)


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 126)), max_size=30))
def test_visual_order_matches_rule_l2(levels: list[int]) -> None:
    order = list(range(len(levels)))
    odd = [level for level in levels if level % 2]
    for threshold in range(max(levels, default=0), min(odd, default=999) - 1, -1):
        # "From the highest level to the lowest odd level, reverse any sequence of that level or higher."
        groups = groupby(order, key=lambda place: levels[place] >= threshold)
        order = [place for deep, group in groups for place in (reversed(list(group)) if deep else group)]
    assert _visual_order(levels) == order
