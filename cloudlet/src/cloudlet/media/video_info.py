"""Read size and duration of videos: MP4 and QuickTime (ISO/IEC 14496-12), WebM and Matroska (EBML).

Only the headers of boxes and the needed fields are read, whatever sizes the file declares. Frames are never decoded.
"""

import dataclasses
import struct
from collections.abc import Iterator
from typing import IO

MAX_BOXES = 100_000
"""The limit of boxes or elements that are read. For MP4, it applies separately to the top level and to `moov`."""

_SIZE_CHECKED_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat"})
"""A file is truncated if one of these boxes extends beyond its end. Other boxes may be padding with a wrong size."""

_UNKNOWN_DURATION = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
_MATRIX = struct.Struct(">9i")
_QUARTER_TURNS = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}
"""The clockwise rotation in degrees by the signs of the first row of a matrix."""


class BrokenVideoError(ValueError):
    """The container is truncated, or lacks a part that players need."""


@dataclasses.dataclass(frozen=True, slots=True)
class VideoInfo:
    """The properties of a video. Width and height are as displayed, after the rotation. `duration` is in seconds."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    rotation: int = 0
    is_audio: bool = False


def describe(file: IO[bytes], size: int, format_: str) -> VideoInfo | None:
    """Return the properties of a video, or None if its format is not supported. Raises BrokenVideoError."""
    try:
        if format_ in ("mp4", "mov", "m4a"):
            return _describe_mp4(file, size)
        if format_ in ("webm", "mkv"):
            return _describe_matroska(_Elements(file), size)
    except struct.error as error:
        raise BrokenVideoError("a box is shorter than its contents") from error
    return None


# ---------------------------------------------------------------------------------------------- MP4, QuickTime


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """A box or element: its kind, and where its content starts and ends."""

    kind: bytes
    start: int
    end: int


class _Boxes:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._seen = 0

    def inside(self, start: int, end: int) -> Iterator[_Part]:
        """Yield the boxes between two positions."""
        while start + 8 <= end and self._seen < MAX_BOXES:
            self._seen += 1
            size, kind = struct.unpack(">I4s", self.read(start, 8))
            header = 8
            if size == 1:
                size, header = struct.unpack(">Q", self.read(start + 8, 8))[0], 16
            elif size == 0:
                size = end - start
            if size < header or start + size > end:
                if kind in _SIZE_CHECKED_BOXES:
                    raise BrokenVideoError(f"the file ends inside of its box {kind.decode()}")
                return
            yield _Part(kind, start + header, start + size)
            start += size

    def child(self, parent: _Part, *kinds: bytes) -> _Part | None:
        """Return the first box at a path of kinds below a box."""
        found: _Part | None = parent
        for kind in kinds:
            if found is None:
                return None
            found = next((box for box in self.inside(found.start, found.end) if box.kind == kind), None)
        return found

    def read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)


def _describe_mp4(file: IO[bytes], size: int) -> VideoInfo:
    moov = None
    for box in _Boxes(file).inside(0, size):
        if box.kind == b"moov":
            moov = moov or box
    if moov is None:
        raise BrokenVideoError("the file has no moov box")
    boxes = _Boxes(file)  # with a new count, since the fragments of a file may have used up the first one
    tracks = [box for box in boxes.inside(moov.start, moov.end) if box.kind == b"trak"]
    if not tracks:
        raise BrokenVideoError("the file has no tracks")
    picture = next((track for track in tracks if _handler(boxes, track) == b"vide"), None)
    duration = _duration(boxes, moov)
    if picture is None:
        return VideoInfo(duration=duration, is_audio=True)
    width, height, rotation = _track_size(boxes, picture)
    return VideoInfo(width or None, height or None, duration, rotation)


def _handler(boxes: _Boxes, track: _Part) -> bytes:
    box = boxes.child(track, b"mdia", b"hdlr")
    return boxes.read(box.start + 8, 4) if box else b""


def _duration(boxes: _Boxes, moov: _Part) -> float | None:
    """Return the duration in seconds from the movie header, or from the fragments header of a fragmented file."""
    header = boxes.child(moov, b"mvhd")
    if header is None:
        raise BrokenVideoError("the file has no mvhd box")
    scale, units = _scale_and_duration(boxes, header)
    fragments = boxes.child(moov, b"mvex", b"mehd")
    if not units and fragments is not None:
        long = boxes.read(fragments.start, 1) == b"\x01"
        units = struct.unpack(">Q" if long else ">I", boxes.read(fragments.start + 4, 8 if long else 4))[0]
    if not scale or not units or units in _UNKNOWN_DURATION:
        return None
    return round(units / scale, 6)


def _scale_and_duration(boxes: _Boxes, header: _Part) -> tuple[int, int]:
    if boxes.read(header.start, 1) == b"\x01":
        scale, units = struct.unpack(">IQ", boxes.read(header.start + 20, 12))
    else:
        scale, units = struct.unpack(">II", boxes.read(header.start + 12, 8))
    return scale, units


def _track_size(boxes: _Boxes, track: _Part) -> tuple[int, int, int]:
    """Return width and height as displayed, and the rotation in degrees."""
    header = boxes.child(track, b"tkhd")
    if header is None:
        raise BrokenVideoError("a track has no tkhd box")
    start = header.start + (52 if boxes.read(header.start, 1) == b"\x01" else 40)
    matrix = _MATRIX.unpack(boxes.read(start, _MATRIX.size))
    width, height = (side >> 16 for side in struct.unpack(">II", boxes.read(start + _MATRIX.size, 8)))
    rotation = _QUARTER_TURNS.get((_sign(matrix[0]), _sign(matrix[1])), 0)
    return (height, width, rotation) if rotation in (90, 270) else (width, height, rotation)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


# ---------------------------------------------------------------------------------------------- WebM, Matroska

_SEGMENT, _INFO, _TRACKS, _TRACK, _CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1F43B675
_SCALE, _DURATION, _KIND, _VIDEO, _WIDTH, _HEIGHT = 0x2AD7B1, 0x4489, 0x83, 0xE0, 0xB0, 0xBA
_VIDEO_TRACK = 1


class _Elements:
    """A reader of EBML. Identifiers and lengths take 1 to 8 bytes, which their first bits encode."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._seen = 0

    def inside(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield kind, start and end of the elements between two positions. An unknown length extends to the end."""
        while start < end and self._seen < MAX_BOXES:
            self._seen += 1
            kind, kind_length = self._number(start, keep_marker=True)
            length, length_length = self._number(start + kind_length, keep_marker=False)
            start += kind_length + length_length
            unknown = length == (1 << 7 * length_length) - 1
            if kind == _SEGMENT and not unknown and start + length > end:
                raise BrokenVideoError("the file ends inside of its segment")
            stop = end if unknown else min(start + length, end)
            yield kind, start, stop
            start = stop

    def children(self, start: int, end: int) -> dict[int, tuple[int, int]]:
        """Return start and end of the first element of each kind between two positions."""
        found: dict[int, tuple[int, int]] = {}
        for kind, first, last in self.inside(start, end):
            found.setdefault(kind, (first, last))
        return found

    def integer(self, place: tuple[int, int] | None) -> int:
        return int.from_bytes(self._read(place[0], min(8, place[1] - place[0])), "big") if place else 0

    def real(self, place: tuple[int, int] | None) -> float:
        length = place[1] - place[0] if place else 0
        if place is None or length not in (4, 8):
            return 0.0
        number: float = struct.unpack(">f" if length == 4 else ">d", self._read(place[0], length))[0]
        return number

    def _number(self, start: int, *, keep_marker: bool) -> tuple[int, int]:
        first = self._read(start, 1)
        if not first or not first[0]:
            raise BrokenVideoError("the file has a damaged element")
        length = 9 - first[0].bit_length()
        number = int.from_bytes(self._read(start, length), "big")
        return (number if keep_marker else number & ~(1 << 7 * length)), length

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        content = self._file.read(length)
        if len(content) != length:
            raise BrokenVideoError("the file ends inside of an element")
        return content


def _describe_matroska(elements: _Elements, size: int) -> VideoInfo:
    segment = elements.children(0, size).get(_SEGMENT)
    if segment is None:
        raise BrokenVideoError("the file has no segment")
    info = tracks = None
    for kind, start, end in elements.inside(*segment):
        if kind == _INFO:
            info = elements.children(start, end)
        elif kind == _TRACKS:
            tracks = list(elements.inside(start, end))
        if kind == _CLUSTER or (info is not None and tracks is not None):
            break
    if not info or not tracks:
        raise BrokenVideoError("the file has no tracks")
    units = elements.real(info.get(_DURATION)) * (elements.integer(info.get(_SCALE)) or 1_000_000)
    duration = round(units / 1e9, 6) if 0 < units < 1e18 else None
    for _, start, end in (track for track in tracks if track[0] == _TRACK):
        fields = elements.children(start, end)
        if elements.integer(fields.get(_KIND)) == _VIDEO_TRACK and _VIDEO in fields:
            video = elements.children(*fields[_VIDEO])
            width, height = elements.integer(video.get(_WIDTH)), elements.integer(video.get(_HEIGHT))
            return VideoInfo(width or None, height or None, duration)
    return VideoInfo(duration=duration, is_audio=True)
