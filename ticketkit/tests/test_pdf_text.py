"""Text can be extracted from tickets in every script, by poppler and pdfium."""

from pathlib import Path

import pytest
from conformance import violations
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import comparable, pdfium_text, poppler_text, qpdf_errors
from samples import NAMES, make_event, make_ticket

from ticketkit import EventTemplate


@pytest.fixture(scope="module")
def template() -> EventTemplate:
    return EventTemplate(make_event())


@pytest.mark.integration
@pytest.mark.parametrize("script", NAMES)
def test_poppler_reads_the_name_back(template: EventTemplate, script: str, tmp_path: Path) -> None:
    pdf = template.render_pdf(make_ticket(holder=NAMES[script]))
    assert comparable(NAMES[script]) in comparable(poppler_text(pdf, tmp_path))


@pytest.mark.parametrize("script", NAMES)
def test_pdfium_reads_the_name_back(template: EventTemplate, script: str) -> None:
    pdf = template.render_pdf(make_ticket(holder=NAMES[script]))
    assert comparable(NAMES[script]) in comparable(pdfium_text(pdf))


@pytest.mark.integration
@pytest.mark.parametrize("script", ["arabic", "chinese", "devanagari", "greek", "emoji", "polish"])
def test_titles_and_places_read_back(script: str, tmp_path: Path) -> None:
    name = NAMES[script]
    template = EventTemplate(make_event(title=name, venue=f"{name} II", terms=f"{name}. " * 5))
    pdf = template.render_pdf(make_ticket())
    text = comparable(poppler_text(pdf, tmp_path))
    assert comparable(name) in text
    assert qpdf_errors(pdf, tmp_path) == ""


def test_texts_are_read_in_the_order_of_the_page(template: EventTemplate) -> None:
    text = pdfium_text(template.render_pdf(make_ticket()))
    expected = [
        "Midnight Orchestra",
        "December 18, 2026",
        "Philharmonie",
        "John Doe",
        "Stalls",
        "€48.00",
        "LUM-20931",
        "Terms",
    ]
    positions = [text.index(part) for part in expected]
    assert positions == sorted(positions)


def test_letters_that_share_a_base_glyph_are_extracted_correctly(template: EventTemplate) -> None:
    """Arabic fonts draw these letters with the same base and different dots."""
    name = "بتثني ببب تتت ييي"
    assert comparable(name) in comparable(pdfium_text(template.render_pdf(make_ticket(holder=name))))


@given(name=st.text(min_size=1, max_size=60))
def test_any_name_is_drawn(template: EventTemplate, name: str) -> None:
    assert template.render_pdf(make_ticket(holder=name)).startswith(b"%PDF-1.7")


@given(title=st.text(min_size=1, max_size=120), terms=st.text(max_size=300))
@settings(max_examples=examples(0.5))
def test_any_event_is_drawn(title: str, terms: str) -> None:
    assert violations(EventTemplate(make_event(title=title, terms=terms)).render_pdf(make_ticket())) == []


_LETTERS = st.characters(categories=["Lu", "Ll", "Lo"], max_codepoint=0x24F) | st.sampled_from(
    list("αβγДЖЯ王小明あカ김")
)


@given(name=st.text(_LETTERS, min_size=1, max_size=40))
def test_letters_of_many_scripts_read_back(template: EventTemplate, name: str) -> None:
    text = pdfium_text(template.render_pdf(make_ticket(holder=name)))
    assert comparable(name) in comparable(text)
