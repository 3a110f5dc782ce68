"""Text set from cached pairs of letters is identical to text shaped by HarfBuzz."""

import random

import pytest
from conftest import examples, sweep
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import make_event, make_ticket

from ticketkit import EventTemplate
from ticketkit.rendering import page
from ticketkit.rendering.pdf.fonts import SharedFont
from ticketkit.rendering.pdf.text import KernedText, draw_line
from ticketkit.rendering.template import _COMMON_CHARACTERS
from ticketkit.rendering.text.fonts import LATIN, typeface
from ticketkit.rendering.text.shaping import shape_line

LANGUAGES = ["en", "ca", "nl", "pl", "ro", "tr"]
# Letters and punctuation with much kerning, some with accents.
LETTERS = "AVTYLWPoaevy'-. éčřłÄ/,’f"


@pytest.fixture(scope="module", params=sweep(LANGUAGES, every=1))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[400, 700])
def font(request: pytest.FixtureRequest) -> SharedFont:
    (run,) = shape_line(_COMMON_CHARACTERS, request.param, "en", False).runs
    return SharedFont(b"F0", run.font, run.uses())


@pytest.fixture(scope="module")
def kerned(font: SharedFont, language: str) -> KernedText:
    """Return text with all pairs of the letters cached, from random words."""
    kerned = KernedText(font)
    chooser = random.Random(1)  # noqa: S311
    for first in LETTERS:
        for second in LETTERS:
            word = first + second + "".join(chooser.choices(LETTERS, k=4))
            (run,) = shape_line(word, font.font.weight, language, False).runs
            kerned.learn(run)
    return kerned


@given(text=st.text(LETTERS, min_size=1, max_size=40))
@settings(max_examples=examples(0.5))
def test_kerned_text_matches_shaped_text(font: SharedFont, kerned: KernedText, language: str, text: str) -> None:
    line = shape_line(text, font.font.weight, language, False)
    assert kerned.width(text) == line.width
    assert kerned.draw(text, 42, 99.5, 24) == draw_line(line, 42, 99.5, 24, lambda _: font)


@pytest.mark.parametrize("text", ["l·l", "cel·la", "e\u0301", "i\u0328j", "1\u20442", "ŋ"])
def test_characters_with_contextual_rules_or_without_glyph_are_not_cached(font: SharedFont, text: str) -> None:
    kerned = KernedText(font)
    for run in shape_line(text, font.font.weight, "ca", False).runs:
        if run.font is typeface(LATIN).instance(font.font.weight):
            kerned.learn(run)
    with pytest.raises(KeyError):
        kerned.width(text)


def test_a_name_of_cached_pairs_is_not_shaped(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = make_ticket(holder="Anna Banana")
    expected = EventTemplate(make_event()).render(ticket)
    template = EventTemplate(make_event())
    for name in ("Anna B", "Banana", "ana"):
        template.render(make_ticket(holder=name))
    monkeypatch.delattr(page, "fit")
    assert template.render(ticket) == expected


def test_a_name_that_is_too_wide_still_shrinks() -> None:
    name = "Wanda " * 12 + "W"
    fresh = EventTemplate(make_event()).render(make_ticket(holder=name))
    template = EventTemplate(make_event())
    template.render(make_ticket(holder=name))
    assert template.render(make_ticket(holder=name)) == fresh


def test_latin_names_on_right_to_left_pages_are_shaped() -> None:
    event = make_event(language="ar")
    fresh = EventTemplate(event).render(make_ticket(holder="Anna (A."))
    template = EventTemplate(event)
    for name in ("Anna (A.", "Anna", "Anna (A."):
        again = template.render(make_ticket(holder=name))
    assert again == fresh
