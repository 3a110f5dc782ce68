"""Write PDF syntax (ISO 32000-1): numbers, strings, streams, and files of a shared prefix and a tail.

The prefix holds the objects that all tickets of an event share. A ticket's file is the prefix, a few objects of its
own, and a cross-reference stream for both.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from isal import isal_zlib

if TYPE_CHECKING:
    from ticketkit.rendering.pdf.fonts import EmbeddedFont

_MIN_COMPRESSED_BYTES = 600  # compressing less saves nothing
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)  # the second is better for some fonts
HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def numbers(*values: float) -> bytes:
    """Return numbers of at most two decimals, separated by spaces."""
    return b" ".join([b"%d" % value if value == int(value) else b"%.2f" % value for value in values])


def text_string(text: str) -> bytes:
    """Return a text string: printable ASCII as a literal, other text as UTF-16BE in hexadecimal."""
    if text.isascii() and text.isprintable():
        return b"(" + text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("ascii") + b")"
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode("ascii") + b">"


def reference(object_number: int) -> bytes:
    """Return an indirect reference."""
    return b"%d 0 R" % object_number


def stream(dictionary: bytes, data: bytes) -> bytes:
    """Return a stream object's body; ``dictionary`` holds the entries except Length."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (dictionary, len(data), data)


def quick_stream(dictionary: bytes, data: bytes) -> bytes:
    """Return a stream that is compressed fast, for objects of single tickets; short data is not compressed."""
    if len(data) < _MIN_COMPRESSED_BYTES:
        return stream(dictionary, data)
    return stream(dictionary + b"/Filter/FlateDecode", isal_zlib.compress(data, 1))


def small_stream(dictionary: bytes, data: bytes) -> bytes:
    """Return a stream that is compressed as well as possible, for objects that are built once per event."""
    return stream(dictionary + b"/Filter/FlateDecode", min(map(_compressed, repeat(data), _STRATEGIES), key=len))


def _compressed(data: bytes, strategy: int) -> bytes:
    deflate = zlib.compressobj(9, memLevel=9, strategy=strategy)
    return deflate.compress(data) + deflate.flush()


# Numbers of the two objects that differ between tickets; higher numbers in the prefix are shared objects.
PAGE, CONTENT = 1, 2


@dataclass(frozen=True, slots=True)
class PdfPrefix:
    """The serialised shared objects, numbered 3 to ``count``.

    ``entries`` are their entries in the cross-reference stream. ``page_head`` is the page's dictionary up to the names
    of its fonts, to which a ticket may add.
    """

    data: bytes
    entries: bytes
    count: int
    catalog: int
    page_head: bytes

    def complete(self, content: bytes, fonts: Iterable["EmbeddedFont"]) -> bytes:
        """Return a ticket's file with its own ``content`` and its extra ``fonts``.

        The objects of ``fonts`` are numbered from ``count + 1``. The file's ID is a digest of ``content``.
        """
        page = self.page_head
        extra: list[bytes] = []
        for font in fonts:
            first = self.count + 1 + len(extra)
            page += b"/%s %s" % (font.name, reference(first))
            extra += font.objects(first)
        page += b">>>>>>"
        content = quick_stream(b"", content)
        parts = [self.data]
        offset = len(self.data)
        offsets = []
        for object_number, body in ((PAGE, page), (CONTENT, content), *enumerate(extra, self.count + 1)):
            part = b"%d 0 obj\n%s\nendobj\n" % (object_number, body)
            parts.append(part)
            offsets.append(offset)
            offset += len(part)
        entries = [b"\x01%s\0\0" % place.to_bytes(3, "big") for place in (*offsets, offset)]
        table = b"\0\0\0\0\xff\xff%s%s%s" % (b"".join(entries[:2]), self.entries, b"".join(entries[2:]))
        file_id = hashlib.blake2b(content, digest_size=16).hexdigest().encode("ascii")
        last = self.count + len(extra) + 1
        parts.append(
            b"%d 0 obj\n<</Type/XRef/Size %d/W[1 3 2]/Root %d 0 R/ID[<%s><%s>]/Length %d>>stream\n%s\nendstream\n"
            b"endobj\nstartxref\n%d\n%%%%EOF\n"
            % (last, last + 1, self.catalog, file_id, file_id, len(table), table, offset)
        )
        return b"".join(parts)


class PdfPrefixWriter:
    """Collects and serialises the shared objects of an event's tickets."""

    def __init__(self) -> None:
        self._streams: dict[int, bytes] = {}
        self._objects: dict[int, bytes] = {}
        self.last = CONTENT

    def reserve(self) -> int:
        """Return the number of a new object whose body is added later."""
        self.last += 1
        return self.last

    def add(self, body: bytes, object_number: int | None = None) -> int:
        """Add an object's body and return its number. All but streams go into a compressed object stream."""
        object_number = object_number or self.reserve()
        kept = self._streams if body.endswith(b"endstream") else self._objects
        kept[object_number] = body
        return object_number

    def finish(self, catalog: int, page_head: bytes) -> PdfPrefix:
        """Return all added objects, serialised. Every reserved number must have its body."""
        pack_number = self.reserve()
        index, bodies, position = [], [], 0
        entries: dict[int, bytes] = {}
        for place, (object_number, body) in enumerate(self._objects.items()):
            index.append(b"%d %d" % (object_number, position))
            bodies.append(body)
            position += len(body) + 1
            entries[object_number] = b"\x02" + pack_number.to_bytes(3, "big") + place.to_bytes(2, "big")
        head = b" ".join(index) + b"\n"
        dictionary = b"/Type/ObjStm/N %d/First %d" % (len(bodies), len(head))
        self._streams[pack_number] = small_stream(dictionary, head + b"\n".join(bodies))
        parts, offset = [HEADER], len(HEADER)
        for object_number, body in self._streams.items():
            part = b"%d 0 obj\n%s\nendobj\n" % (object_number, body)
            parts.append(part)
            entries[object_number] = b"\x01" + offset.to_bytes(3, "big") + b"\0\0"
            offset += len(part)
        table = b"".join(entries[i] for i in range(CONTENT + 1, self.last + 1))
        return PdfPrefix(b"".join(parts), table, self.last, catalog, page_head)
