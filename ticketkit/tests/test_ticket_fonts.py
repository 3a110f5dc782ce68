"""Fonts of single tickets have the same glyphs as HarfBuzz's subsets."""

from io import BytesIO
from typing import Any

import pytest
from fontTools.cffLib import CFFFontSet
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont

from ticketkit.rendering.pdf.fonts import TicketFont
from ticketkit.rendering.text.charstrings import encode_integer
from ticketkit.rendering.text.shaping import GlyphRun, shape_line
from ticketkit.rendering.text.subset import make_subset

NAMES = (
    "Đorđe Ŷ Ждана Ωραία",
    "佐藤 陽葵",
    "김민준",
    "सिद्धार्थ श्रीवास्तव",
    "مُحَمَّد بن عبد الله",
    "שָׁלוֹם",
    "สมชาย ใจดี",
    "ကျော်စွာ",
    "🎫🎸",
)


def runs_of(text: str) -> list[GlyphRun]:
    return shape_line(text, 650, "en", False).runs


def compact_glyphs(data: bytes) -> Any:
    fonts = CFFFontSet()
    fonts.decompile(BytesIO(data), None)
    (font,) = fonts
    return font.CharStrings


def test_glyphs_match_harfbuzz_subsets() -> None:
    compared = 0
    for run in (run for name in NAMES for run in runs_of(name)):
        uses = run.uses()
        glyphs = compact_glyphs(TicketFont(b"T0", run.font, uses).program)
        subset = make_subset(run.font, {key: advance for (key, _), advance in uses.items()})
        parts = None
        if subset.is_cff:
            oracle = compact_glyphs(subset.data)
        else:
            font = TTFont(BytesIO(subset.data))
            parts = font.getGlyphSet()
            oracle = {f"cid{n:05d}": parts[name] for n, name in enumerate(font.getGlyphOrder())}
        for code, (key, _) in enumerate(uses, 1):
            if key not in subset.glyph_ids:  # CFF outlines cannot be composed there
                continue
            found, expected = glyphs[f"cid{code:05d}"], oracle[f"cid{subset.glyph_ids[key]:05d}"]
            assert_alike(found, expected, parts, 1000 / run.font.typeface.face.upem)
            compared += 1
    assert compared > 50


def assert_alike(found: Any, expected: Any, parts: Any, scale: float) -> None:
    shapes = []
    for glyph in (found, expected):
        area, bounds = AreaPen(parts), BoundsPen(parts)
        glyph.draw(area)
        glyph.draw(bounds)
        shapes.append((abs(area.value), bounds.bounds or (0, 0, 0, 0), glyph.width))
    (area, box, width), (expected_area, expected_box, expected_width) = shapes
    assert area == pytest.approx(expected_area * scale**2, rel=0.015, abs=200)
    assert list(box) == pytest.approx([scale * edge for edge in expected_box], abs=2)
    assert width == pytest.approx(expected_width * scale, abs=1)


def test_each_use_of_a_glyph_has_its_own_code() -> None:
    (run,) = runs_of("佐藤")
    glyph = run.glyphs[0]
    font = TicketFont(b"T0", run.font, {(glyph, "佐"): 1000, (glyph, "佐󠄀"): 1000})

    assert sorted(font.codes.values()) == ["0001", "0002"]
    assert font.composes


def test_a_font_without_glyphs_is_valid() -> None:
    (run,) = runs_of("佐")

    font = TicketFont(b"T0", run.font, {})

    assert list(compact_glyphs(font.program).keys()) == [".notdef"]
    assert b"/W[]>>" in font.objects(9)[1]


def test_ticket_fonts_are_deterministic() -> None:
    (run,) = runs_of("श्रेया")

    assert TicketFont(b"T0", run.font, run.uses()).program == TicketFont(b"T0", run.font, run.uses()).program


@pytest.mark.parametrize("value", [0, -107, 107, 108, -108, 1131, -1131, 1132, -1132, 32767, -32768])
def test_operands_round_trip(value: int) -> None:
    from fontTools.misc.psCharStrings import T2CharString

    charstring = T2CharString(bytecode=encode_integer(value) + b"\x0e")
    charstring.decompile()

    assert charstring.program == [value, "endchar"]
