"""Tickets conform to PDF/A-2u and PDF/UA-1, as their metadata claim."""

import io
from collections.abc import Callable

import pikepdf
import pytest
from conformance import violations
from conftest import sweep
from samples import NAMES, cover, logo, make_event, make_ticket

from ticketkit import EventTemplate


@pytest.mark.parametrize("script", sweep(list(NAMES), every=1))
def test_ticket_of_any_script_conforms(script: str) -> None:
    template = EventTemplate(make_event(title=NAMES[script]))
    assert violations(template.render_pdf(make_ticket(holder=NAMES[script]))) == []


@pytest.mark.parametrize("base", ["a4", "letter", "phone"])
def test_ticket_with_pictures_conforms_on_every_page(base: str) -> None:
    template = EventTemplate(make_event(cover=cover(), logo=logo(), language="ar"), {"base": base})
    assert violations(template.render_pdf(make_ticket())) == []


def test_bare_ticket_on_coloured_paper_conforms() -> None:
    template = EventTemplate(make_event(terms="", organiser="", doors_at=None), {"colours": {"paper": "#1b1b2f"}})
    bare = make_ticket(holder="", ticket_type="", price="", order_reference="")
    assert violations(template.render_pdf(bare)) == []


def _without_language(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.Lang


def _without_alternative_text(pdf: pikepdf.Pdf) -> None:
    for element in pdf.Root.StructTreeRoot.K[0].K:
        if element.S == "/Figure":
            del element.Alt


def _without_output_intent(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.OutputIntents


def _without_to_unicode(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[0].Resources.Font.F0.ToUnicode


def _with_wrong_widths(pdf: pikepdf.Pdf) -> None:
    widths = pdf.pages[0].Resources.Font.F0.DescendantFonts[0].W[1]
    for i in range(len(widths)):
        widths[i] = 77


def _with_untagged_path(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].contents_add(b"0 0 10 10 re f")


def _without_an_element(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.StructTreeRoot.K[0].K[0]


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_without_language, "UA-1 7.2"),
        (_without_alternative_text, "UA-1 7.3"),
        (_without_output_intent, "A-2 6.2.3"),
        (_without_to_unicode, "A-2 6.2.11.7.2"),
        (_with_wrong_widths, "A-2 6.2.11.5"),
        (_with_untagged_path, "UA-1 7.1"),
        (_without_an_element, "UA-1 7.1"),
    ],
)
def test_conformance_checks_detect_violations(damage: Callable[[pikepdf.Pdf], None], rule: str) -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(EventTemplate(make_event()).render_pdf(make_ticket()))) as pdf:
        damage(pdf)
        pdf.save(target)
    assert rule in [clause for clause, _ in violations(target.getvalue())]
