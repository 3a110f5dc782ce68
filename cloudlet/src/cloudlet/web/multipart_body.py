"""Parse a multipart body. The part named ``file`` is written to staging while it arrives, in constant memory.

Small bodies in the format of the SDKs are split in one pass. All others are left to python-multipart. The fast path
saves 9 % of the server's CPU time for an upload of 1 KB, and 7 % at 24 KB (nine parts, alternating on one running
server, python-multipart 0.0.34).
"""

import re
from collections.abc import Callable

from python_multipart.multipart import MultipartParser, parse_options_header

from cloudlet.errors import ApiError, bad_request, too_large
from cloudlet.staging import StagedBlob, StagingWriter

MAX_FIELDS_BYTES = 16 * 1024 * 1024
MAX_FIELDS = 20_000
FILE_FIELD = "file"
MAX_EXCESS_BYTES = 1024**3
_SIMPLE_HEAD = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([^"\\%\r\n]{1,200})"(?:; filename="([^"\\%\r\n]{0,1000})")?\r\n'
    rb"(?:Content-Type: [\w.+/-]{1,200}\r\n)?\r\n"
)


class MultipartReader:
    """Collects the parts of one body: the ``pairs`` of fields, and the ``file`` with its name.

    ``filename`` is None if the file was sent as a plain field. ``ended`` is set after the last boundary.
    """

    def __init__(self, boundary: bytes, stage: Callable[[], StagingWriter], max_file_bytes: int) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.file: StagedBlob | None = None
        self.filename: str | None = None
        self.ended = False
        self._boundary = boundary
        self._stage = stage
        self._max_file_bytes = max_file_bytes
        self._file_bytes = 0
        self._fields_bytes = 0
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._name = ""
        self._chunks: list[bytes] = []
        self._writer: StagingWriter | None = None
        self._parser: MultipartParser | None = None

    def read(self, body: bytes) -> None:
        """Parse a complete body. Raises MultipartParseError or ApiError."""
        parts = split_simple_body(body, self._boundary)
        if parts is None:
            self.feed(body)
            return
        for name, filename, content in parts:
            self._part_begin()
            self._begin_named_part(name, filename)
            self._part_data(content, 0, len(content))
            self._part_end()
        self.ended = True

    def feed(self, chunk: bytes) -> None:
        """Parse the next chunk of a body. Raises MultipartParseError or ApiError."""
        if self._parser is None:
            self._parser = MultipartParser(
                self._boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_data,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_end": self._end,
                },
            )
        self._parser.write(chunk)

    def abort(self) -> None:
        """Discard the received file."""
        if self._writer is not None:
            self._writer.abort()
        if self.file is not None:
            self.file.discard()

    def _part_begin(self) -> None:
        self._disposition = b""
        self._chunks = []
        self._writer = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_data(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise bad_request("Invalid multipart body: a part has no name")
        self._begin_named_part(options[b"name"], options.get(b"filename"))

    def _begin_named_part(self, name: bytes, filename: bytes | None) -> None:
        self._name = _decode(name)
        if self._name == FILE_FIELD:
            if self.file is not None:
                raise bad_request("Invalid multipart body: more than one file")
            self.filename = None if filename is None else _decode(filename)
            self._writer = self._stage()
        elif len(self.pairs) >= MAX_FIELDS:
            raise bad_request(f"Invalid multipart body: more than {MAX_FIELDS} fields")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._writer is not None:
            self._file_part(data[start:end])
            return
        self._fields_bytes += end - start
        if self._fields_bytes > MAX_FIELDS_BYTES:
            raise ApiError(413, f"Request parameters too large. Maximum is {MAX_FIELDS_BYTES} bytes")
        self._chunks.append(data[start:end])

    def _file_part(self, data: bytes) -> None:
        """Keep bytes up to the limit. Beyond it, only count them, so that the error can contain the size."""
        assert self._writer is not None  # noqa: S101 - the caller checked it
        within_limit = self._file_bytes <= self._max_file_bytes
        self._file_bytes += len(data)
        if self._file_bytes <= self._max_file_bytes:
            self._writer.write(data)
        elif within_limit:
            self._writer.abort()
        elif self._file_bytes > self._max_file_bytes + MAX_EXCESS_BYTES:
            raise too_large(self._file_bytes, self._max_file_bytes)

    def _part_end(self) -> None:
        if self._writer is not None:
            if self._file_bytes > self._max_file_bytes:
                raise too_large(self._file_bytes, self._max_file_bytes)
            self.file = self._writer.finish()
            self._writer = None
        else:
            self.pairs.append((self._name, _decode(b"".join(self._chunks))))

    def _end(self) -> None:
        self.ended = True


def split_simple_body(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes | None, bytes]] | None:
    """Return name, file name and content of each part, or None if the body needs the general parser."""
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        return None
    *pieces, rest = body[len(delimiter) :].split(b"\r\n" + delimiter)
    if rest not in (b"--", b"--\r\n"):
        return None
    parts = []
    for piece in pieces:
        head = _SIMPLE_HEAD.match(piece)
        if head is None:
            return None
        parts.append((head[1], head[2], piece[head.end() :]))
    return parts


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise bad_request("Invalid parameters: text must be UTF-8") from error
