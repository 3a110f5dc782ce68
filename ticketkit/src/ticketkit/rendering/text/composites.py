"""Add composite glyphs to a TrueType font, so that each text cluster is one glyph.

Fonts draw Arabic letters as a base and dots, and Devanagari syllables as several signs. With one glyph per cluster,
text extraction from the PDF gives exactly the cluster's text. Composites share the outlines, so they take only a few
bytes. Formats: OpenType 1.9, tables glyf, loca, hmtx, hhea and maxp.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_ARGS_ARE_WORDS, _ARGS_ARE_XY, _MORE_COMPONENTS = 0x0001, 0x0002, 0x0020


@dataclass(frozen=True, slots=True)
class Composite:
    """Components as (glyph id, x, y), and the advance of the composite, in font units."""

    components: tuple[tuple[int, int, int], ...]
    advance: int


def append_composites(font: bytes, composites: Sequence[Composite]) -> bytes:
    """Return the font with ``composites`` appended as its last glyphs, in this order."""
    tables = _read_tables(font)
    long_loca = struct.unpack_from(">h", tables["head"], 50)[0] == 1
    offsets = _read_loca(tables["loca"], long_loca)
    glyf = bytearray(tables["glyf"])
    metrics = _long_metrics(tables["hmtx"], tables["hhea"], len(offsets) - 1)
    for composite in composites:
        glyf += _encode(composite, tables["glyf"], offsets)
        glyf += bytes(-len(glyf) % 4)
        offsets.append(len(glyf))
        metrics += struct.pack(">Hh", composite.advance, 0)
    count = len(offsets) - 1
    head = bytearray(tables["head"])
    struct.pack_into(">h", head, 50, 1)
    maxp, hhea = bytearray(tables["maxp"]), bytearray(tables["hhea"])
    struct.pack_into(">H", maxp, 4, count)
    most = max(len(composite.components) for composite in composites)
    struct.pack_into(">HH", maxp, 28, max(most, struct.unpack_from(">H", maxp, 28)[0]), 3)
    struct.pack_into(">H", hhea, 34, count)
    tables |= {
        "glyf": bytes(glyf),
        "loca": struct.pack(f">{len(offsets)}L", *offsets),
        "hmtx": bytes(metrics),
        "head": bytes(head),
        "maxp": bytes(maxp),
        "hhea": bytes(hhea),
    }
    return _write_tables(tables)


def _encode(composite: Composite, glyf: bytes, offsets: Sequence[int]) -> bytes:
    boxes = []
    parts = []
    for n, (glyph, dx, dy) in enumerate(composite.components):
        flags = _ARGS_ARE_WORDS | _ARGS_ARE_XY
        if n < len(composite.components) - 1:
            flags |= _MORE_COMPONENTS
        parts.append(struct.pack(">HHhh", flags, glyph, dx, dy))
        if offsets[glyph + 1] > offsets[glyph]:
            left, bottom, right, top = struct.unpack_from(">4h", glyf, offsets[glyph] + 2)
            boxes.append((left + dx, bottom + dy, right + dx, top + dy))
    edges = zip((min, min, max, max), zip(*boxes, strict=True), strict=True) if boxes else ()
    box = [outermost(values) for outermost, values in edges] or [0, 0, 0, 0]
    return struct.pack(">h4h", -1, *box) + b"".join(parts)


def _read_tables(font: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack_from(">H", font, 4)
    tables = {}
    for n in range(count):
        tag, _, offset, length = struct.unpack_from(">4sLLL", font, 12 + 16 * n)
        tables[tag.decode("ascii")] = font[offset : offset + length]
    return tables


def _write_tables(tables: dict[str, bytes]) -> bytes:
    count = len(tables)
    power = count.bit_length() - 1
    directory = [struct.pack(">LHHHH", 0x00010000, count, 16 << power, power, 16 * count - (16 << power))]
    body = []
    offset = 12 + 16 * count
    for tag in sorted(tables):
        data = tables[tag]
        padded = data + bytes(-len(data) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}L", padded)) & 0xFFFFFFFF
        directory.append(struct.pack(">4sLLL", tag.encode("ascii"), checksum, offset, len(data)))
        body.append(padded)
        offset += len(padded)
    return b"".join(directory + body)


def _read_loca(loca: bytes, long_offsets: bool) -> list[int]:
    if long_offsets:
        return list(struct.unpack(f">{len(loca) // 4}L", loca))
    return [2 * offset for offset in struct.unpack(f">{len(loca) // 2}H", loca)]


def _long_metrics(hmtx: bytes, hhea: bytes, glyphs: int) -> bytearray:
    """Return the horizontal metrics with an explicit advance for every glyph."""
    (long_count,) = struct.unpack_from(">H", hhea, 34)
    metrics = bytearray(hmtx[: 4 * long_count])
    advance = hmtx[4 * long_count - 4 : 4 * long_count - 2]
    for n in range(glyphs - long_count):
        start = 4 * long_count + 2 * n
        metrics += advance + hmtx[start : start + 2]
    return metrics
