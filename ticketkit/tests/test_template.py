"""Properties of tickets: deterministic, small, scannable, text fits, clear errors."""

import hashlib
import io
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers import pdfium_picture, pdfium_text, poppler_picture, read_qr_codes
from samples import CODE, NAMES, cover, logo, make_event, make_ticket

from ticketkit import EventTemplate, RenderingError
from ticketkit.rendering.text.fitting import Style, fit

_LATIN_BUDGET = {"with cover": 60_000, "without": 25_000}


def test_rendering_is_deterministic() -> None:
    event = make_event(cover=cover(), logo=logo())
    one, other = EventTemplate(event), EventTemplate(event)
    for name in NAMES.values():
        ticket = make_ticket(holder=name)
        assert one.render(ticket) == other.render(ticket)


@pytest.mark.integration
def test_rendering_is_deterministic_across_processes() -> None:
    program = (
        "import hashlib; from ticketkit import EventTemplate;"
        "from samples import *; t = EventTemplate(make_event());"
        "print(hashlib.sha256(b''.join(t.render_pdf(make_ticket(holder=n)) for n in NAMES.values())).hexdigest())"
    )
    environment = {"PYTHONHASHSEED": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", program]
    folder = Path(__file__).parent
    other = subprocess.run(command, cwd=folder, env=environment, timeout=60, check=True, capture_output=True).stdout
    template = EventTemplate(make_event())
    own = b"".join(template.render_pdf(make_ticket(holder=name)) for name in NAMES.values())
    assert other.decode().strip() == hashlib.sha256(own).hexdigest()


def test_files_of_two_tickets_have_different_ids() -> None:
    template = EventTemplate(make_event())
    ids = set()
    for quantity in (1, 2):
        with pikepdf.open(io.BytesIO(template.render_pdf(make_ticket(quantity=quantity)))) as pdf:
            ids.add(bytes(pdf.trailer.ID[0]))
    assert len(ids) == 2


@pytest.mark.parametrize("base", ["a4", "letter", "phone"])
def test_files_are_small(base: str) -> None:
    picture = cover()
    assert 120_000 < len(picture) < 200_000
    with_cover = EventTemplate(make_event(cover=picture, logo=logo()), {"base": base}).render_pdf(make_ticket())
    without = EventTemplate(make_event(logo=logo()), {"base": base}).render_pdf(make_ticket())
    assert len(with_cover) <= _LATIN_BUDGET["with cover"]
    assert len(without) <= _LATIN_BUDGET["without"]


def test_the_cover_is_printed_sharp() -> None:
    with pikepdf.open(io.BytesIO(EventTemplate(make_event(cover=cover())).render_pdf(make_ticket()))) as pdf:
        assert pdf.pages[0].Resources.XObject.Cover.Width / (595.28 / 72) >= 129


@cache
def _dark_ticket(base: str) -> bytes:
    layout = {"base": base, "colours": {"paper": "#12121c"}}
    return EventTemplate(make_event(cover=cover()), layout).render_pdf(make_ticket())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("base", "dpi"),
    # 300 dpi once: the same code with more pixels.
    [*((base, dpi) for base in ("a4", "letter", "phone") for dpi in (60, 100, 150)), ("phone", 300)],
)
def test_the_code_scans_from_the_page(base: str, dpi: int, tmp_path: Path) -> None:
    pdf = _dark_ticket(base)
    for picture in (poppler_picture(pdf, tmp_path, dpi), pdfium_picture(pdf, dpi)):
        found = read_qr_codes(picture)
        assert found == [CODE]


@pytest.mark.integration
def test_poppler_and_pdfium_draw_the_same_page(tmp_path: Path) -> None:
    pdf = EventTemplate(make_event(logo=logo(), language="hi")).render_pdf(make_ticket(holder=NAMES["arabic"]))
    one = poppler_picture(pdf, tmp_path, 72).convert("L").resize((149, 211))
    other = pdfium_picture(pdf, 72).convert("L").resize((149, 211))
    difference = [abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 2.5


_WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyzÄ王中あ한 ", min_size=1, max_size=14), min_size=1, max_size=30)


@given(words=_WORDS, width=st.integers(60, 500), lines=st.integers(1, 4))
def test_text_never_leaves_its_box(words: list[str], width: int, lines: int) -> None:
    style = Style(24, 8, 650, lines)
    height = lines * 8 * 1.28
    text = " ".join(" ".join(words).split()) or "x"
    fitted = fit(text, style, width, height, "en", False)
    assert all(line.width * fitted.size / 1000 <= width + 0.01 for line in fitted.lines)
    # Rounded to a hundredth of a line.
    assert len(fitted.lines) == 1 or fitted.height <= height + 0.011 * fitted.height / len(fitted.lines)
    if not fitted.is_shortened:
        assert "".join(line.text for line in fitted.lines).replace(" ", "") == text.replace(" ", "")


def test_a_long_name_shrinks_then_wraps() -> None:
    style = Style(24, 12, 650, 2)
    sizes = [fit(name, style, 200, 32, "en", False) for name in ("Ada", "Ada Augusta King", "Ada " * 14)]
    assert [len(fitted.lines) for fitted in sizes] == [1, 1, 2]
    assert sizes[0].size == 24 > sizes[1].size > sizes[2].size


def test_thai_is_broken_between_words() -> None:
    text = "ประเทศไทยเป็นประเทศที่สวยงามมากและมีอาหารอร่อย"
    lines = fit(text, Style(20, 18, 650, 4), 200, 200, "th", False).lines
    assert len(lines) > 1
    assert "".join(line.text for line in lines) == text
    assert all(
        line.text.endswith(("ไทย", "เป็น", "ประเทศ", "ที่", "สวยงาม", "มาก", "และ", "มี", "อาหาร", "อร่อย"))
        for line in lines
    )


@pytest.mark.parametrize(
    ("event", "ticket", "message"),
    [
        ({"time_zone": "Mars/Olympus"}, {}, "'Mars/Olympus' is not a time zone"),
        ({"cover": b"GIF89a nonsense"}, {}, "the cover cannot be read"),
        ({"accent": "blue"}, {}, "'blue' is not a colour"),
        ({"language": "not a tag"}, {}, "'not a tag' is not a language"),
        ({}, {"ticket_id": ""}, "the ticket has no id"),
    ],
)
def test_invalid_values_are_rejected_with_a_message(
    event: dict[str, Any], ticket: dict[str, Any], message: str
) -> None:
    with pytest.raises(RenderingError, match=message):
        EventTemplate(make_event(**event)).render_pdf(make_ticket(**ticket))


@pytest.mark.parametrize("holder", ["\u00ad", " \u200f ", "\ufeff\u2066"])
def test_a_name_of_only_invisible_characters_is_empty(holder: str) -> None:
    template = EventTemplate(make_event())
    assert template.render_pdf(make_ticket(holder=holder)) == template.render_pdf(make_ticket(holder=""))


def test_invisible_characters_in_a_name_are_not_drawn() -> None:
    template = EventTemplate(make_event())
    assert "John" in pdfium_text(template.render_pdf(make_ticket(holder="\u2067\u00ad\u2069John \u200f")))


def test_a_date_given_as_text_is_printed_as_given() -> None:
    template = EventTemplate(make_event(starts_at=None, ends_at=None, doors_at=None))
    assert "2024-01-15 19:00" in pdfium_text(template.render_pdf(make_ticket(event_date="2024-01-15 19:00")))


def test_times_follow_the_events_zone_and_language() -> None:
    text = pdfium_text(EventTemplate(make_event(language="de", time_zone="Asia/Tokyo")).render_pdf(make_ticket()))
    assert "Samstag, 19. Dezember 2026" in text
    assert "03:30 – 06:00 (Tokio, GMT+9)" in text
    assert "Einlass: 02:30" in text
