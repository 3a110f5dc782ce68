"""Assemble a CID-keyed font in the Compact Font Format (Adobe Technical Note 5176) from charstrings."""

import struct
from collections.abc import Sequence
from typing import Final

_NOTDEF: Final = b"\x8b\x0e"  # an empty glyph with advance 0
_HEADER: Final = b"\x01\x00\x04\x04"
# nominalWidthX is 0: every charstring begins with its advance.
_PRIVATE: Final = b"\x8b\x15"
_FDSELECT: Final = struct.Struct(">BHHBH")
# ROS Adobe-Identity-0, FontBBox, CIDCount, charset, CharStrings, FDArray, FDSelect; each offset in five bytes.
_TOP: Final = struct.Struct(">Bh Bh B 2s Bh Bh Bh Bh B Bi 2s Bi B Bi B Bi 2s Bi 2s")


def _index(items: Sequence[bytes]) -> bytes:
    """Return an INDEX structure: the offsets of the items, then the items."""
    offsets = [1]
    for item in items:
        offsets.append(offsets[-1] + len(item))
    return struct.pack(f">HB{len(offsets)}I", len(items), 4, *offsets) + b"".join(items)


def _top(glyphs: int, charset: int, charstrings: int, fdarray: int, fdselect: int) -> bytes:
    ros = (28, 391, 28, 392, 139, b"\x0c\x1e")
    box = (28, -1000, 28, -1000, 28, 3000, 28, 2000, 5)
    offsets = (29, charset, 15, 29, charstrings, 17, 29, fdarray, b"\x0c\x24", 29, fdselect, b"\x0c\x25")
    return _TOP.pack(*ros, *box, 29, glyphs, b"\x0c\x22", *offsets)


_NAMES: Final = _index([b"Ticket"])
_STRINGS_AND_SUBROUTINES: Final = _index([b"Adobe", b"Identity"]) + b"\x00\x00"
_PRIVATE_OFFSET: Final = len(_HEADER + _NAMES + _index([bytes(_TOP.size)]) + _STRINGS_AND_SUBROUTINES)
_FDARRAY_OFFSET: Final = _PRIVATE_OFFSET + len(_PRIVATE)
_FDARRAY: Final = _index([struct.pack(">BiBiB", 29, len(_PRIVATE), 29, _PRIVATE_OFFSET, 18)])
_CHARSET_OFFSET: Final = _FDARRAY_OFFSET + len(_FDARRAY)


def compact_font(charstrings: Sequence[bytes]) -> bytes:
    """Return a font with an empty ``.notdef`` and ``charstrings`` as its glyphs; their CIDs count from 1."""
    count = len(charstrings) + 1
    charset = struct.pack(f">B{count - 1}H", 0, *range(1, count))
    fdselect_offset = _CHARSET_OFFSET + len(charset)
    top = _top(count, _CHARSET_OFFSET, fdselect_offset + _FDSELECT.size, _FDARRAY_OFFSET, fdselect_offset)
    return b"".join(
        (
            _HEADER + _NAMES + _index([top]) + _STRINGS_AND_SUBROUTINES + _PRIVATE + _FDARRAY,
            charset,
            _FDSELECT.pack(3, 1, 0, 0, count),
            _index([_NOTDEF, *charstrings]),
        )
    )
