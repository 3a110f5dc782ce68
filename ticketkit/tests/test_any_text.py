"""Any text gives a valid PDF of bounded size, in bounded work, whose code scans."""

import io
import unicodedata
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import pikepdf
import pytest
from conftest import examples, sweep
from hypothesis import example, given, settings
from hypothesis import strategies as st
from readers import (
    comparable,
    pdfium_picture,
    pdfium_text,
    poppler_picture,
    qpdf_errors,
    read_qr_codes,
)
from samples import CODE, make_event, make_ticket

from ticketkit import EventTemplate
from ticketkit.rendering.content import is_printed_as_written, printed_as
from ticketkit.rendering.text import fitting, itemise, repair
from ticketkit.rendering.text.fitting import LINE_HEIGHT, Style, fit

GERMAN = "Prof. Dr. Hans-Joachim Müller-Lüdenscheidt und Dr. Anna-Katharina von und zu Schwarzenberg-Hohenlohe"
# Each as long as a field allows: characters without fonts, stacked marks, wide text, right-to-left text.
HARD = {
    "script letters": "𝓛𝓮𝓮 Ann",
    "control character": "Ann\x02 Lee",
    "nothing but a control character": "\x02",
    "half a surrogate pair": "Ann \ud83d Lee",
    "noncharacters": "\ufdd0\uffff\U0010ffff",
    "hieroglyphs": "Pharaoh \U00013000\U00013001",
    "private use": "\ue000\U000f0000",
    "unassigned": "\u0378\U0003ffff",
    "marks without end": "Z" + "\u0301" * 190,
    "marks on every letter": "Z\u0335\u0301\u0302\u0303\u0323" * 40,
    "a mark alone": "\u0301",
    "widest letters": "W" * 200,
    "widest signs": "﷽" * 200,
    "families": "👩‍👩‍👧‍👦" * 28,
    "joiners without end": "👩" + "\u200d👩" * 99,
    "half a flag": "🇬",
    "skin tones without end": "👍" + "🏽" * 199,
    "from both sides": "محمد John " * 20,
    "embeddings without end": "\u202b" * 199 + "a",
    "isolates without end": "\u2067a" * 100,
    "overrides": "\u202eeeL nnA\u202c",
    "invisible operators": "\u2061\u2062\u2063",
    "one syllable": "क्" * 100,
    "hangul pieces": "\u1160" * 200,
    "han": "王" * 200,
    "thai marks": "ก็้" * 66,
    "spaces": " \u3000\u00a0" * 60 + "a",
    "tags": "🏴" + "\U000e0067" * 199,
}
_PIECES = st.sampled_from([*HARD.values(), GERMAN, "\u200d", "\u0301", "\ufe0f", "\u202e", "\n", " ", "\U0001f468"])
TEXTS = st.lists(st.one_of(_PIECES, st.text(st.characters(), max_size=12)), max_size=8).map("".join)
# Built-in layouts, and frames of extreme sizes, as an organiser could choose.
LAYOUTS: list[dict[str, Any]] = [{"base": base} for base in ("a4", "letter", "phone")]
LAYOUTS += [
    {"stacks": {name: {"frame": [0, 0, width, height]} for name in ("event", "admission", "small_print")}}
    for width, height in ((0, 0), (3, 140), (300, 30))
]


def ticket_of(text: str, layout: dict[str, Any]) -> bytes:
    event = make_event(title=text[:200], venue=text[:200], address=text[:300], organiser=text[:200], terms=text)
    ticket = make_ticket(holder=text[:200], ticket_type=text[:100], order_reference=text[:40], price=text[:20])
    return EventTemplate(event, layout).render(ticket).pdf


# There are six layouts: with every fifth case, each text is printed once or twice, on one layout after the other.
@pytest.mark.parametrize(("text", "layout"), sweep(list(product([*HARD, "long"], range(len(LAYOUTS)))), every=5))
def test_any_text_is_printed(text: str, layout: int) -> None:
    pdf = ticket_of(HARD.get(text, GERMAN), LAYOUTS[layout])
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert len(document.pages) == 1
        assert not document.check_pdf_syntax()
    assert len(pdf) < 100_000
    assert read_qr_codes(pdfium_picture(pdf, 100)) == [CODE]


@given(text=TEXTS, layout=st.sampled_from(LAYOUTS), language=st.sampled_from(["en", "ar", "ja", "hi", "th"]))
@example(text="", layout={}, language="en")
@settings(max_examples=examples(0.1))
def test_any_text_in_every_field_is_printed(text: str, layout: dict[str, Any], language: str) -> None:
    event = make_event(title=text, venue=text, address=text, organiser=text, terms=text, language=language)
    shaped = mock.Mock(side_effect=fitting.shape_line)
    with mock.patch.object(fitting, "shape_line", shaped):
        rendered = EventTemplate(event, layout).render(
            make_ticket(holder=text, ticket_type=text, order_reference=text, price=text)
        )
    with pikepdf.open(io.BytesIO(rendered.pdf)) as document:
        assert not document.check_pdf_syntax()
    assert len(rendered.pdf) < 150_000
    assert sum(len(call.args[0]) for call in shaped.call_args_list) < 500_000
    assert read_qr_codes(pdfium_picture(rendered.pdf, 100)) == [CODE]


@pytest.mark.integration
@pytest.mark.parametrize("name", ["marks without end", "joiners without end", "from both sides", "one syllable"])
def test_hard_texts_make_valid_pdfs_for_qpdf_and_poppler(name: str, tmp_path: Path) -> None:
    pdf = ticket_of(HARD[name], {})
    assert qpdf_errors(pdf, tmp_path) == ""
    assert read_qr_codes(poppler_picture(pdf, tmp_path, 100)) == [CODE]


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("𝓛𝓮𝓮 Ann", "Lee Ann"),
        ("Ann\x02 Lee", "Ann Lee"),
        ("Pharaoh \U00013000", "Pharaoh \ufffd"),
        ("Ann \ud83d Lee", "Ann \ufffd Lee"),
        ("ﬁve ①", "ﬁve ①"),  # drawable, so not replaced by their compatibility forms
        ("\ue000x\u0301", "\ufffdx\u0301"),
        ("Ann\U0001d173 Lee", "Ann Lee"),
        ("z" + "\u0301" * 190, "z\u0301\u0301\u0301"),
        ("محمد", "محمد"),
        ("👩‍🚀 Ada", "👩‍🚀 Ada"),
    ],
)
def test_undrawable_text_is_replaced_by_similar_text(written: str, printed: str) -> None:
    assert printed_as(written, "en") == printed
    assert is_printed_as_written(written, "en") == (written == printed)
    text = comparable(pdfium_text(EventTemplate(make_event()).render_pdf(make_ticket(holder=written))))
    assert comparable(unicodedata.normalize("NFKC", printed)) in unicodedata.normalize("NFKC", text)


def test_ordinary_names_do_not_use_the_repair() -> None:
    template = EventTemplate(make_event())
    with mock.patch.object(fitting, "drawable", side_effect=AssertionError), \
         mock.patch.object(repair, "shape_line", side_effect=AssertionError), \
         mock.patch.object(itemise, "clusters", side_effect=AssertionError):  # fmt: skip
        for name in ("John Doe", "Łukasz Żółć-Śmigły", "Nguyễn Thị Ánh Nguyệt", GERMAN):
            template.render(make_ticket(holder=name))
            assert is_printed_as_written(name, "en")


# -- Text that is too long ---------------------------------------------------------------------------------------


def words_of(pdf: bytes) -> str:
    """Return the page's text for comparison. Pdfium returns a hyphen at the end of a line as U+FFFE."""
    return comparable(pdfium_text(pdf).replace("\ufffe", "-"))


@pytest.mark.parametrize("base", ["a4", "letter", "phone"])
def test_a_name_of_a_hundred_characters_is_printed_in_full(base: str) -> None:
    template = EventTemplate(make_event(title=GERMAN, venue=GERMAN, address=GERMAN), {"base": base})
    ticket = make_ticket(holder=GERMAN)
    assert (template.warnings, template.altered_texts(ticket)) == ([], [])
    assert words_of(template.render_pdf(ticket)).count(comparable(GERMAN)) == 4


@pytest.mark.parametrize("base", ["a4", "letter"])
def test_a_name_of_two_hundred_characters_is_printed_in_full_on_large_pages(base: str) -> None:
    name = (GERMAN + " und " + GERMAN)[:200]
    template = EventTemplate(make_event(), {"base": base})
    assert template.altered_texts(make_ticket(holder=name)) == []
    assert comparable(name) in words_of(template.render_pdf(make_ticket(holder=name)))


def test_text_that_does_not_fit_is_shortened_and_reported() -> None:
    template = EventTemplate(make_event(venue="W" * 200), {"base": "phone"})
    assert [warning.split(":")[0] for warning in template.warnings] == ["venue"]
    (found,) = template.altered_texts(make_ticket(ticket_type="W" * 100))
    assert (found.element, found.is_shortened) == ("ticket_type", True)
    assert found.drawn.endswith("W…")
    assert "ticket_type: 'WWW" in str(found)
    assert "(100 characters) is too long for its place on the ticket: shorten it" in str(found)
    assert pdfium_text(template.render_pdf(make_ticket(ticket_type="W" * 100))).count("…") == 2


@given(text=TEXTS, width=st.floats(0.5, 500), lines=st.integers(1, 5), size=st.floats(4, 40), share=st.floats(0.3, 1))
def test_no_text_leaves_its_box(text: str, width: float, lines: int, size: float, share: float) -> None:
    text = " ".join(repair.placeholders(text).split()) + "x"
    style = Style(size, size * share, 650, lines)
    fitted = fit(text, style, width, style.max_height, "en", False)
    assert all(line.width * fitted.size / 1000 <= width + 0.01 for line in fitted.lines)
    line_height = fitted.size * LINE_HEIGHT
    assert len(fitted.lines) * line_height <= style.max_height + 0.011 * line_height  # rounded to a hundredth of a line
    shown = "".join(line.text for line in fitted.lines).replace(" ", "")
    if fitted.is_shortened:
        assert shown.endswith("…")
        assert text.replace(" ", "").startswith(shown[:-1])
    else:
        assert shown == text.replace(" ", "")


def test_a_stack_never_leaves_its_frame() -> None:
    for height in (120, 60, 30, 10, 3):
        layout = {"stacks": {"event": {"frame": [42, 270, 511, height]}}}
        template = EventTemplate(make_event(title=GERMAN, venue="W" * 200, address="W" * 300), layout)
        blocks = [block for block in template_blocks(template) if 270 <= block.top < 420]
        assert blocks
        assert max(block.top + block.height for block in blocks) <= 270 + height + 0.6
        is_reported = any("stacks/event: the texts need" in warning for warning in template.warnings)
        assert is_reported == (height < 100)


def template_blocks(template: EventTemplate) -> list[Any]:
    """Return the placed blocks of the event's texts."""
    from ticketkit.rendering.layout.placing import place_texts

    layout, texts = template._layout, template._texts
    return place_texts(layout, texts, template._labels, frozenset(), template._language)[0]


def test_an_event_without_a_title_shows_the_word_ticket() -> None:
    for title in ("", "\u200b", "\x02"):
        assert "Ticket\n" in pdfium_text(EventTemplate(make_event(title=title)).render_pdf(make_ticket())).replace(
            "\r", ""
        )


def test_the_qr_png_does_not_depend_on_texts() -> None:
    template = EventTemplate(make_event())
    pictures = {template.render(replace(make_ticket(), holder=text)).qr_png for text in HARD.values()}
    assert len(pictures) == 1
