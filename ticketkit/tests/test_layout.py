"""Layout changes are applied, or rejected with the path of the error."""

import math
import re
from typing import Any
from unittest import mock

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from readers import pdfium_text
from samples import make_event, make_ticket

from ticketkit import EventTemplate, RenderingError
from ticketkit.rendering.colour import contrast, parse_colour
from ticketkit.rendering.layout.loading import layout_schema, load_layout
from ticketkit.rendering.palette import Palette
from ticketkit.rendering.text import fitting
from ticketkit.rendering.text.fitting import Style, fit


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "a5"}, r"layout: base: 'a5' is not one of"),
        ({"elements": {"title": {"size": -3}}}, r"layout: elements/title/size: -3 is less than the minimum"),
        ({"elements": {"titel": {"size": 20}}}, r"layout: elements: .*'titel' was unexpected"),
        ({"elements": {"qr": {"show": False}}}, r"layout: elements/qr: .*'show' was unexpected"),
        ({"elements": {"cover": {"frame": [0, 0, 100]}}}, r"layout: elements/cover/frame: "),
        (
            {"elements": {"cover": {"frame": [0, 0, 900, 200]}}},
            r"layout: elements/cover/frame: reaches beyond the page",
        ),
        ({"elements": {"qr": {"frame": [400, 458, 90, 90]}}}, r"layout: elements/qr/frame: a code needs 128 pt"),
        ({"elements": {"logo": {"frame": [400, 500, 60, 60]}}}, r"layout: elements/logo/frame: lies on the code"),
        ({"stacks": {"small_print": {"rows": [["terms"], ["price"]]}}}, r"price already stands somewhere else"),
        ({"stacks": {"notes": {"rows": [["terms"]]}}}, r"layout: stacks/notes/frame is missing"),
        ({"elements": {"title": {"show": False}}}, r"layout: stacks: no row shows the title"),
        ({"colours": {"ink": "red"}}, r"layout: colours/ink: 'red' does not match"),
        ({"fold": "yes"}, r"layout: fold: 'yes' is not of type 'boolean'"),
        ({"elements": {"logo": {"frame": [42, 203, 0, 60]}}}, r"elements/logo/frame: a picture needs 16 pt each way"),
        ({"elements": {"cover": {"frame": [0, 0, 595, 0]}}}, r"elements/cover/frame: a picture needs 16 pt each way"),
        ({"elements": {"qr": {"frame": [317, 458, math.nan, 236]}}}, r"elements/qr/frame/2: nan is not a number"),
        ({"page": {"size": [math.inf, 800]}}, r"layout: page/size/0: inf is not a number"),
        ({"stacks": {"a\0b": None}}, r"layout: stacks: .* does not match"),
        ({"colours": {"ink": "x" * 9999}}, r"^layout: colours/ink: '.{200,300}$"),
    ],
)
def test_an_invalid_layout_is_rejected_with_the_path_of_the_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderingError, match=message):
        EventTemplate(make_event(), changes)


@pytest.mark.parametrize("changes", ["a4", [1], 7, True])
def test_a_layout_that_is_no_object_is_rejected(changes: Any) -> None:
    with pytest.raises(RenderingError, match=r"layout: the document: .* is not of type 'object'"):
        load_layout(changes)


def test_a_deeply_nested_layout_is_rejected() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"stacks": deep}
    with pytest.raises(RenderingError, match="layout: "):
        load_layout(deep)


def test_a_box_one_letter_wide_has_no_empty_lines() -> None:
    fitted = fit("Am Meer", Style(15, 15, 800, 40), 17, 1000, "en", False)
    assert all(line.text for line in fitted.lines)
    assert "".join(line.text for line in fitted.lines) == "AmMeer"


def test_a_box_narrower_than_a_letter_has_an_ellipsis_inside() -> None:
    fitted = fit("Meer", Style(15, 15, 800, 40), 2, 1000, "en", False)
    assert fitted.text == "…"
    assert fitted.lines[0].width * fitted.size / 1000 <= 2.01


@pytest.mark.parametrize(
    "terms", ["much to say " * 40_000, "x" * 100_000, "a\n" * 50_000], ids=["words", "word", "lines"]
)
def test_very_long_terms_are_shortened_with_bounded_work(terms: str) -> None:
    """The call count at the end is the negative control: text of normal length is shaped many times."""
    with mock.patch.object(fitting, "shape_line", side_effect=fitting.shape_line) as shaped:
        template = EventTemplate(make_event(terms=terms))
        assert sum(len(call.args[0]) for call in shaped.call_args_list) < 200_000
    assert "is too long for its place on the ticket: shorten it" in template.warnings[0]
    assert terms[:10] in pdfium_text(template.render_pdf(make_ticket())).replace("\r\n", "\n")
    assert shaped.call_count > 20


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ([42, 270, 3, 140], "title: 'Midnight Orchestra' .18 characters. is too long for its place"),
        (
            [42, 270, 511, 30],
            "stacks/event: the texts need .* but the frame is 30 pt high: shorten the texts or enlarge",
        ),
        ([42, 270, 0, 0], "stacks/event: the texts need .* but the frame is 0 pt high"),
    ],
)
def test_a_frame_that_is_too_small_is_reported_and_the_ticket_rendered(frame: list[float], words: str) -> None:
    template = EventTemplate(make_event(), {"stacks": {"event": {"frame": frame}}})
    assert any(re.match(words, warning) for warning in template.warnings)
    assert "John Doe" in pdfium_text(template.render_pdf(make_ticket()))


def test_the_schema_is_valid_and_describes_every_element() -> None:
    document = layout_schema()
    Draft202012Validator.check_schema(document)
    built_in = {*load_layout().texts, *load_layout().pictures}
    assert set(document["properties"]["elements"]["properties"]) == {*built_in, "number"}


@pytest.mark.parametrize("base", ["a4", "letter", "phone"])
def test_the_retired_number_element_is_ignored(base: str) -> None:
    rows: list[list[Any]] = [["holder"], ["ticket_type", "price"], ["quantity", "order_reference"]]
    named = {"show": True, "size": 20, "label": True, "colour": "accent"}
    layouts = [
        {"base": base, "stacks": {"admission": {"rows": rows}}},
        {"base": base, "stacks": {"admission": {"rows": [*rows[:2], ["quantity", "order_reference", "number"]]}}},
        {"base": base, "stacks": {"admission": {"rows": [["number"], *rows]}}, "elements": {"number": named}},
        {"base": base, "stacks": {"admission": {"rows": rows}}, "elements": {"number": {"show": False}}},
    ]
    templates = [EventTemplate(make_event(), layout) for layout in layouts]
    assert len({template.render_pdf(make_ticket()) for template in templates}) == 1
    assert not any(template.warnings for template in templates)


@pytest.mark.parametrize("base", ["a4", "letter", "phone"])
def test_built_in_layouts_pass_their_own_checks(base: str) -> None:
    assert load_layout({"base": base, "fold": True}).fold


def test_parts_can_be_hidden_moved_and_restyled() -> None:
    changes = {
        "elements": {"price": {"show": False}, "holder": {"size": 30, "colour": "accent"}},
        "stacks": {"admission": {"rows": [["order_reference"], ["holder"]]}, "small_print": None},
    }
    text = pdfium_text(EventTemplate(make_event(), changes).render_pdf(make_ticket()))
    assert "€48.00" not in text
    assert "Terms" not in text
    assert text.index("LUM-20931") < text.index("John Doe")


def test_empty_texts_have_no_label() -> None:
    template = EventTemplate(make_event(doors_at=None))
    text = pdfium_text(template.render_pdf(make_ticket(price="", holder="")))
    for word in ("Price", "Name", "Doors"):
        assert word not in text


@pytest.mark.parametrize("paper", ["#ffffff", "#000000", "#7f7f7f", "#ffef00", "#1b1b2f", "#d02090"])
@pytest.mark.parametrize("accent", ["#ffff66", "#101010", "#808080", "#e11d48"])
def test_texts_have_contrast_on_any_paper(paper: str, accent: str) -> None:
    palette = Palette.of(load_layout({"colours": {"paper": paper, "ink": accent, "muted": "#999999"}}), accent)
    surface = parse_colour(paper)
    for colour in (palette.ink, palette.muted, palette.accent, palette.text("#abcdef")):
        assert contrast(colour, surface) >= 4.5
