"""Subset fonts for embedding: only the used glyphs, at a fixed weight."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import uharfbuzz as hb

from ticketkit.rendering.text.composites import Composite, append_composites
from ticketkit.rendering.text.fonts import EM, FontInstance
from ticketkit.rendering.text.shaping import Component, GlyphKey

_KEPT_TABLES = frozenset(
    ("glyf", "loca", "head", "hhea", "hmtx", "maxp", "CFF ", "CFF2", "fvar", "gvar", "avar", "HVAR", "cvt ")
)


@dataclass(frozen=True, slots=True)
class FontSubset:
    """An embeddable font program. ``glyph_ids`` maps the original glyph ids to those of the subset."""

    data: bytes
    glyph_ids: dict[GlyphKey, int]
    is_cff: bool


def make_subset(font: FontInstance, glyphs: Mapping[GlyphKey, int]) -> FontSubset:
    """Return a subset of ``font`` with the keys of ``glyphs``; the values are advances of composed glyphs in 1/1000 em.

    Fonts with CFF outlines cannot compose: their subset has only the parts of composed glyphs.
    """
    plain: set[int] = set()
    composed: list[tuple[Component, ...]] = []
    for key in glyphs:
        if isinstance(key, int):
            plain.add(key)
        else:
            composed.append(key)
            plain.update([glyph for glyph, _, _ in key])
    subset = _subset(font, plain)
    if not composed or subset.is_cff:
        return subset
    unit = font.typeface.face.upem / EM
    ids = subset.glyph_ids
    composites = [
        Composite(
            tuple([(ids[glyph], round(x * unit), round(y * unit)) for glyph, x, y in key]), round(glyphs[key] * unit)
        )
        for key in composed
    ]
    first = max(ids.values()) + 1
    numbered = ids | {key: first + n for n, key in enumerate(composed)}
    return FontSubset(append_composites(subset.data, composites), numbered, False)


def _subset(font: FontInstance, glyphs: Iterable[int]) -> FontSubset:
    """Return the font program with ``glyphs`` and their components."""
    face = font.typeface.face
    tags = face.table_tags
    is_cff = "CFF2" in tags or "CFF " in tags
    request = hb.SubsetInput()
    request.glyph_set.update(glyphs)
    request.drop_table_tag_set.update([_tag(tag) for tag in tags if tag not in _KEPT_TABLES])
    request.pin_axis_location(face, "wght", font.weight)
    flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE | hb.SubsetFlags.NOTDEF_OUTLINE
    if is_cff:
        flags |= hb.SubsetFlags.DOWNGRADE_CFF2 | hb.SubsetFlags.CFF_IDENTITY_CHARSET
    request.flags = flags
    plan = hb.SubsetPlan(face, request)
    result = plan.execute()
    mapping: dict[GlyphKey, int] = dict(plan.old_to_new_glyph_mapping.items())
    blob = result.reference_table("CFF ") if is_cff else result.blob
    return FontSubset(bytes(blob.data), mapping, is_cff)


def _tag(tag: str) -> int:
    return int.from_bytes(tag.encode("ascii"), "big")
