"""Detection of file types. Plain PNGs are read without Pillow, and the result must be the same as Pillow's."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cloudlet.errors import ApiError
from cloudlet.media import file_info
from cloudlet.media.file_info import MediaInfo, _plain_png, _raster
from cloudlet.staging import StagedBlob


def png(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (30, 20)).save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def by_pillow(data: bytes) -> MediaInfo | None:
    try:
        return _raster(StagedBlob(len(data), "", data))
    except ApiError:
        return None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_plain_png_is_read_without_pillow(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(mode, dpi=(300, 300))
    assert _plain_png(data) == by_pillow(data) == MediaInfo("image", "png", 30, 20)
    monkeypatch.setattr(file_info, "_raster", None)
    assert file_info.inspect(StagedBlob(len(data), "", data), "image", 1000) == MediaInfo("image", "png", 30, 20)


def test_png_with_animation_or_text_is_left_to_pillow() -> None:
    moving = io.BytesIO()
    frames = [Image.new("L", (5, 5), shade) for shade in (0, 99, 200)]
    frames[0].save(moving, "PNG", save_all=True, append_images=frames[1:])
    assert _plain_png(moving.getvalue()) is None
    info = by_pillow(moving.getvalue())
    assert info is not None
    assert info.pages == 3
    assert _plain_png(png()[:33] + chunk(b"tEXt", b"Title\0x") + png()[33:]) is None


_SAMPLE = png("P", dpi=(72, 72))
_KINDS = st.sampled_from([b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"pHYs", b"gAMA", b"sRGB", b"acTL", b"IEND", b"teXt"])


@given(st.integers(0, len(_SAMPLE)), st.integers(0, 10), st.binary(max_size=10))
def test_damaged_png_is_never_accepted_as_plain(position: int, removed: int, inserted: bytes) -> None:
    damaged = _SAMPLE[:position] + inserted + _SAMPLE[position + removed :]
    found = _plain_png(damaged)
    assert found in (None, by_pillow(damaged))


@given(st.lists(st.tuples(_KINDS, st.binary(max_size=20)), max_size=6), st.binary(min_size=13, max_size=13))
def test_unusual_png_with_valid_checksums_is_read_as_pillow_does(
    chunks: list[tuple[bytes, bytes]], header: bytes
) -> None:
    for head in (_SAMPLE[16:29], header):
        data = _SAMPLE[:8] + chunk(b"IHDR", head) + b"".join(chunk(*each) for each in chunks) + chunk(b"IEND", b"")
        found = _plain_png(data)
        assert found in (None, by_pillow(data))
