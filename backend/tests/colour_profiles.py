"""Make colour profiles (ICC, version 2) from the published values of each colour space."""

from __future__ import annotations

import struct
from collections.abc import Sequence

# X, Y and Z of the red, green and blue primaries, adapted to D50; and the gamma.
PROPHOTO = ([(0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)], 1.8)
ADOBE_RGB = ([(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 563 / 256)
DISPLAY_P3 = ([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)], 2.2)
_D50 = (0.9642, 1.0, 0.8249)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def _profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"test"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(79),
        b"cprt": b"text\0\0\0\0" + text + b"\0",
        b"wtpt": _xyz(_D50),
        **tags,
    }
    table, data, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += padded
    header = bytes(4) + b"\x02\x10\0\0" + device + space + connection
    header = struct.pack(">I", offset + len(data)) + bytes(4) + header[4:] + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + b"".join(map(_fixed, _D50))
    return header.ljust(128, b"\0") + table + data


def rgb(primaries: Sequence[Sequence[float]], gamma: float) -> bytes:
    tags = {name: _xyz(xyz) for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma)))


def grey(gamma: float) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(gamma)})


def cmyk(lab_of_full_cyan: tuple[int, int, int]) -> bytes:
    """Return the profile of a press whose full cyan has this L, a and b, and whose other inks are black."""
    identity = bytes(range(256))
    lightness, a, b = lab_of_full_cyan
    cyan = bytes((round(lightness * 255 / 100), a + 128, b + 128))
    grid = [
        bytes((255, 128, 128)) if corner == 0 else cyan if corner == 8 else bytes((0, 128, 128)) for corner in range(16)
    ]  # cyan is the highest bit
    matrix = b"".join(_fixed(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + identity * 4 + b"".join(grid) + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"A2B1": table})
