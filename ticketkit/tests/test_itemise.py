"""The fast path for Latin text gives the same runs as the general algorithm."""

from hypothesis import given
from hypothesis import strategies as st

from ticketkit.rendering.text import itemise as module
from ticketkit.rendering.text.fonts import LATIN
from ticketkit.rendering.text.itemise import TextRun, itemise

LETTERS = [chr(point) for point in range(0xA0, 0x2100) if module._LATIN_LETTERS.fullmatch(chr(point))]


def test_the_latin_font_has_all_letters_of_the_fast_path() -> None:
    for letter in LETTERS:
        assert set(module._fonts_by_character(f"a{letter}b", "en")) == {(LATIN, "Latn")}


@given(st.text(alphabet=[*"aZ 0-'", *LETTERS], min_size=1, max_size=30))
def test_text_of_fast_path_letters_is_one_run(text: str) -> None:
    assert itemise(text, "en", 0) == [TextRun(0, len(text), LATIN, "Latn", False)]


def test_the_fast_path_excludes_other_scripts_and_combining_marks() -> None:
    for text in ("Zoë 東京", "Ωmega", "e\u0301", "a\u00adb", "שלום"):
        assert not module._LATIN_LETTERS.fullmatch(text)
