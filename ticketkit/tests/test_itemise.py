"""Texts of Latin letters take a short cut past the choice of fonts; it leads where the long way leads."""

from hypothesis import given
from hypothesis import strategies as st

from ticketkit.rendering.text import itemise as module
from ticketkit.rendering.text.fonts import LATIN
from ticketkit.rendering.text.itemise import TextRun, itemise

LETTERS = [chr(point) for point in range(0xA0, 0x2100) if module._LATIN_LETTERS.fullmatch(chr(point))]


def test_every_letter_of_the_short_cut_is_drawn_by_the_latin_font() -> None:
    for letter in LETTERS:
        assert set(module._fonts_by_character(f"a{letter}b", "en")) == {(LATIN, "Latn")}


@given(st.text(alphabet=[*"aZ 0-'", *LETTERS], min_size=1, max_size=30))
def test_any_mixture_of_them_is_one_run(text: str) -> None:
    assert itemise(text, "en", 0) == [TextRun(0, len(text), LATIN, "Latn", False)]


def test_the_short_cut_stops_at_other_scripts_and_at_combining_marks() -> None:
    for text in ("Zoë 東京", "Ωmega", "e\u0301", "a\u00adb", "שלום"):
        assert not module._LATIN_LETTERS.fullmatch(text)
