"""Small videos for tests, written box by box: ISO base media (MP4) and WebM."""

import os
import struct


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 0x4000)
FTYP, MDAT = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41"), box(b"mdat", os.urandom(300_000))


def track(handler: bytes = b"vide", matrix: tuple[int, ...] = IDENTITY, *, long: bool = False) -> bytes:
    """Return a track of 640 x 360 pixels before its rotation by the matrix."""
    times = b"\1\0\0\0" + b"\0" * 32 if long else b"\0" * 24
    turn = struct.pack(">9i", *(number << 16 for number in matrix))
    header = box(b"tkhd", times + b"\0" * 16 + turn + struct.pack(">II", 640 << 16, 360 << 16))
    return box(b"trak", header + box(b"mdia", box(b"hdlr", b"\0" * 8 + handler + b"\0" * 13)))


def moov(*parts: bytes, units: int = 12_500, long: bool = False) -> bytes:
    """Return a movie of 12.5 seconds."""
    if long:
        header = b"\1\0\0\0" + b"\0" * 16 + struct.pack(">IQ", 1000, units)
    else:
        header = b"\0" * 12 + struct.pack(">II", 1000, units)
    return box(b"moov", box(b"mvhd", header + b"\0" * 80) + b"".join(parts))


def long_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content


MP4 = FTYP + moov(track()) + MDAT
WEBM = bytes.fromhex(
    "1a45dfa3 80 18538067 a7 1549a966 8e 2ad7b1 83 0f4240 4489 84 46435000 1654ae6b 8f ae 8d 83 81 01 e0 88 b0 82 0280"
    "ba 82 0168"
)
"""A header, a segment of information (1 ms a unit, 12,500 units) and one track of 640 x 360."""
