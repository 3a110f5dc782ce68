"""Write ZIP archives that share most files: the shared part is serialised once, each archive adds a tail."""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

# APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16
_LOCAL_HEADER: Final = struct.Struct("<IHHHHHIIIHH")
_CENTRAL_HEADER: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<IHHHHIIH")
_VERSION: Final = 20
_STORED: Final = 0
_MIDNIGHT: Final = 0
_FIRST_OF_JANUARY_1980: Final = 0x21  # fixed, so that the output is deterministic


class StoredArchive:
    """An uncompressed ZIP archive, to copies of which a few files are added. File names must be ASCII."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files, self._directory = _lay_out(files, offset=0)
        self._count = len(files)

    def with_files(self, files: Mapping[str, bytes]) -> bytes:
        """Return a complete archive with `files` added."""
        added, entries = _lay_out(files, offset=len(self._files))
        directory = self._directory + entries
        count = self._count + len(files)
        end = _END.pack(0x06054B50, 0, 0, count, count, len(directory), len(self._files) + len(added), 0)
        return b"".join((self._files, added, directory, end))


def _lay_out(files: Mapping[str, bytes], offset: int) -> tuple[bytes, bytes]:
    """Return the files with local headers, the first at `offset` in the archive, and their directory entries."""
    parts, entries = [], []
    for name, data in files.items():
        raw = name.encode("ascii")
        shared = (0, _STORED, _MIDNIGHT, _FIRST_OF_JANUARY_1980, zlib.crc32(data), len(data), len(data), len(raw), 0)
        part = b"".join((_LOCAL_HEADER.pack(0x04034B50, _VERSION, *shared), raw, data))
        entries.append(_CENTRAL_HEADER.pack(0x02014B50, _VERSION, _VERSION, *shared, 0, 0, 0, 0, offset) + raw)
        parts.append(part)
        offset += len(part)
    return b"".join(parts), b"".join(entries)
