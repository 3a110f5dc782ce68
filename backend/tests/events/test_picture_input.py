"""Uploaded covers and logos, compared by pixel: formats, modes, depths, profiles, orientations, refusals, memory."""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from PIL import Image

from apps.core import sandbox
from apps.events import event_images, picture_worker
from apps.events.event_images import prepare
from apps.events.models import EventImage
from tests import colour_profiles
from ticketkit import EventDetails
from ticketkit.rendering.pictures import prepare_cover
from ticketkit.wallet.artwork import pass_pictures

COVER, LOGO = EventImage.Kind.COVER, EventImage.Kind.LOGO
SIZE = (64, 64)
WHITE, BLACK, GREEN = (255, 255, 255), (0, 0, 0), (60, 180, 90)
Colour = tuple[int, ...]


def saved(picture: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def filled(mode: str, colour: Any, image_format: str = "PNG", **options: Any) -> bytes:
    return saved(Image.new(mode, SIZE, colour), image_format, **options)


def palette(transparent: bool) -> bytes:
    picture = Image.new("P", SIZE, 1)
    picture.putpalette([*BLACK, *GREEN])
    return saved(picture, transparency=1) if transparent else saved(picture)


def deep_png(colour_type: int, *channels: int) -> bytes:
    """Return a PNG with 16 bits per channel, in a single colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(f">{len(channels)}H", *channels) * SIZE[0]
    header = struct.pack(">IIBBBBB", *SIZE, 16, colour_type, 0, 0, 0)
    data = zlib.compress(row * SIZE[1])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def prepare_here(kind: EventImage.Kind, content: bytes) -> bytes:
    """Return what `prepare` stores, without its process."""
    image_format, longest_side = event_images.STORED[kind]
    return picture_worker.prepare(content, image_format, str(longest_side))


def pixel_of(content: bytes, kind: EventImage.Kind = COVER, at: tuple[int, int] = (32, 32)) -> Colour:
    picture = Image.open(io.BytesIO(prepare_here(kind, content)))
    assert "icc_profile" not in picture.info
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    return pixel


def near(pixel: Colour, colour: Colour) -> bool:
    """Return whether the colours are equal within the precision of JPEG."""
    return max(abs(one - other) for one, other in zip(pixel, colour, strict=True)) <= 3


@pytest.mark.parametrize(
    ("content", "cover", "logo"),
    [
        (filled("1", 1), WHITE, (*WHITE, 255)),
        (filled("L", 100), (100,) * 3, (100, 100, 100, 255)),
        (filled("L", 100, transparency=100), WHITE, (100, 100, 100, 0)),
        (filled("LA", (100, 0)), WHITE, (100, 100, 100, 0)),
        (filled("LA", (100, 128)), (177,) * 3, (100, 100, 100, 128)),
        (filled("I;16", 25700), (100,) * 3, (100, 100, 100, 255)),
        (filled("I;16", 65535), WHITE, (*WHITE, 255)),
        (filled("I;16", 25700, transparency=25700), WHITE, (100, 100, 100, 0)),
        (deep_png(0, 25700), (100,) * 3, (100, 100, 100, 255)),
        (deep_png(4, 25700, 0), WHITE, (100, 100, 100, 0)),
        (deep_png(2, 60 * 257, 180 * 257, 90 * 257), GREEN, (*GREEN, 255)),
        (deep_png(6, 60 * 257, 180 * 257, 90 * 257, 0), WHITE, (*GREEN, 0)),
        (palette(transparent=False), GREEN, (*GREEN, 255)),
        (palette(transparent=True), WHITE, (*GREEN, 0)),
        (filled("RGB", GREEN), GREEN, (*GREEN, 255)),
        (filled("RGB", GREEN, transparency=GREEN), WHITE, (*GREEN, 0)),
        (filled("RGBA", (*GREEN, 0)), WHITE, (*GREEN, 0)),
        (filled("RGBA", (*BLACK, 128)), (127,) * 3, (*BLACK, 128)),
        (filled("L", 100, "JPEG"), (100,) * 3, (100, 100, 100, 255)),
        (filled("RGB", GREEN, "JPEG", quality=95), GREEN, (*GREEN, 255)),
        (filled("CMYK", (0, 0, 0, 0), "JPEG", quality=95), WHITE, (*WHITE, 255)),
        (filled("CMYK", (255, 0, 255, 0), "JPEG", quality=95), (0, 255, 0), (0, 255, 0, 255)),
        (filled("RGB", GREEN, "WEBP", lossless=True), GREEN, (*GREEN, 255)),
        (filled("RGBA", (*GREEN, 0), "WEBP", lossless=True, exact=True), WHITE, (*GREEN, 0)),
    ],
)  # fmt: skip
def test_every_mode_and_depth_keeps_its_colours_on_white(content: bytes, cover: Colour, logo: Colour) -> None:
    assert near(pixel_of(content, COVER), cover)
    shown = pixel_of(content, LOGO)
    assert near(shown, logo) if logo[3] else shown[3] == 0


@pytest.mark.parametrize(
    ("profile", "mode", "colour", "expected"),
    [
        (colour_profiles.rgb(*colour_profiles.PROPHOTO), "RGB", GREEN, (0, 209, 87)),
        (colour_profiles.rgb(*colour_profiles.ADOBE_RGB), "RGB", GREEN, (0, 181, 83)),
        (colour_profiles.rgb(*colour_profiles.DISPLAY_P3), "RGB", GREEN, (0, 185, 77)),
        (colour_profiles.rgb(*colour_profiles.PROPHOTO), "RGB", WHITE, WHITE),
        (colour_profiles.rgb(*colour_profiles.PROPHOTO), "L", 128, (146, 146, 146)),
        (colour_profiles.grey(1.0), "L", 55, (128, 128, 128)),
        (colour_profiles.grey(1.0), "RGB", GREEN, GREEN),  # a profile for other channels is ignored
        (b"no profile at all", "RGB", GREEN, GREEN),
    ],
)
def test_colours_are_converted_from_the_profile(profile: bytes, mode: str, colour: Any, expected: Colour) -> None:
    assert near(pixel_of(filled(mode, colour, icc_profile=profile)), expected)
    assert near(pixel_of(filled(mode, colour, icc_profile=profile), LOGO), (*expected, 255))


def test_a_transparent_picture_with_a_profile_keeps_both() -> None:
    content = filled("RGBA", (*GREEN, 128), icc_profile=colour_profiles.rgb(*colour_profiles.PROPHOTO))
    assert near(pixel_of(content, LOGO), (0, 209, 87, 128))


def test_cmyk_colours_are_converted_from_the_profile() -> None:
    """L 60, a -40, b -30 is a cyan of (0, 163, 197) in sRGB; without the profile it would be (0, 255, 255)."""
    profile = colour_profiles.cmyk((60, -40, -30))
    cyan = filled("CMYK", (255, 0, 0, 0), "JPEG", quality=100, icc_profile=profile)
    assert near(pixel_of(cyan), (0, 163, 197))
    assert near(pixel_of(filled("CMYK", (0, 0, 0, 0), "JPEG", icc_profile=profile)), WHITE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(orientation: int) -> None:
    """Each picture is stored so that its red corner is at the top left after the orientation is applied."""
    upright = Image.new("RGB", (64, 32), WHITE)
    upright.paste((255, 0, 0), (0, 0, 16, 16))
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(undone[orientation]) if orientation > 1 else upright
    for content in (saved(stored, "JPEG", quality=95, exif=exif), saved(stored.convert("RGBA"), "PNG", exif=exif)):
        prepared = Image.open(io.BytesIO(prepare_here(LOGO, content)))
        assert prepared.size == (64, 32)
        assert near(prepared.getpixel((6, 6)), (255, 0, 0, 255))  # type: ignore[arg-type]
        assert not prepared.getexif()


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_first_frame_of_an_animation_is_used(image_format: str) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in (GREEN, BLACK)]
    content = saved(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100)
    assert near(pixel_of(content), GREEN)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("kind", "expected"),
    [(COVER, ((1600, 400), "RGB", "image/jpeg")), (LOGO, ((600, 150), "RGBA", "image/png"))],
    ids=["cover", "logo"],
)
def test_large_pictures_are_scaled_down_and_lose_their_metadata(kind: EventImage.Kind, expected: Any) -> None:
    profile = colour_profiles.rgb(*colour_profiles.PROPHOTO)
    content = saved(Image.new("RGB", (4000, 1000), GREEN), "JPEG", icc_profile=profile, comment=b"Ann's camera")
    stored, media_type = prepare(kind, content)
    assert stored == prepare_here(kind, content)
    picture = Image.open(io.BytesIO(stored))
    assert (picture.size, picture.mode, media_type) == expected
    assert "icc_profile" not in picture.info
    assert b"camera" not in stored
    assert near(picture.getpixel((300, 100))[:3], (0, 209, 87))  # type: ignore[index]


def test_tickets_and_passes_convert_pictures_as_the_form_does() -> None:
    """They may get pictures that were not uploaded through the form."""
    profile = colour_profiles.rgb(*colour_profiles.PROPHOTO)
    clear, wide = filled("RGBA", (*GREEN, 0)), filled("RGB", GREEN, icc_profile=profile)
    for content, expected in ((clear, WHITE), (wide, (0, 209, 87))):
        printed = Image.open(io.BytesIO(prepare_cover(content, 100, 100).data)).convert("RGB")
        assert near(printed.getpixel((5, 5)), expected)  # type: ignore[arg-type]
        strip = pass_pictures(EventDetails(title="x", starts_at=None, cover=content), (0.0, 0.0, 0.0))["strip@2x.png"]
        shown = Image.open(io.BytesIO(strip)).convert("RGB")
        assert near(shown.getpixel((5, 5)), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (filled("P", 0, "GIF"), "This file is a GIF. Save it as JPEG, PNG or WebP and upload that."),
        (filled("F", 0.5, "TIFF"), "a TIFF picture"),
        (filled("LAB", (50, 128, 128), "TIFF"), "a TIFF picture"),
        (filled("RGB", GREEN, "BMP"), "a BMP picture"),
        (filled("RGB", GREEN, "AVIF"), "an AVIF picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "an HEIC picture"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF document"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"hello", "not a whole JPEG, PNG or WebP picture"),
        (filled("RGB", GREEN, "JPEG")[:200], "not a whole JPEG, PNG or WebP picture"),
        (saved(Image.new("1", (20_001, 10))), "20001 by 10 pixels, and no side may have more than 20000"),
        (saved(Image.new("1", (10_000, 4_001))), "more than 40 million pixels"),
    ],
)
@pytest.mark.parametrize("kind", [COVER, LOGO])
def test_refused_picture_gives_one_message_with_what_to_do(kind: EventImage.Kind, content: bytes, said: str) -> None:
    with pytest.raises(sandbox.RefusedError) as caught:
        prepare_here(kind, content)
    assert said in str(caught.value)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(event_images.MAX_BYTES + 1), "larger than 10 MB"),
        (filled("P", 0, "GIF"), "This file is a GIF. Save it as JPEG, PNG or WebP and upload that."),
        (saved(Image.new("1", (20_001, 10))), "20001 by 10 pixels, and no side may have more than 20000"),
    ],
)
@pytest.mark.parametrize("kind", [COVER, LOGO])
def test_form_shows_the_message(kind: EventImage.Kind, content: bytes, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        prepare(kind, content)
    (message,) = caught.value.messages
    assert said in message


@pytest.mark.integration
def test_message_contains_no_library_warning() -> None:
    picture = filled("RGB", GREEN, "JPEG")
    index = b"MPF\0" + bytes(8)  # a damaged index of the other pictures in a camera's file
    with pytest.raises(ValidationError) as caught:
        prepare(COVER, picture[:2] + b"\xff\xe2" + (2 + len(index)).to_bytes(2, "big") + index + picture[2:200])
    assert caught.value.messages[0].startswith("This file is not a whole JPEG, PNG or WebP picture.")


# -- Memory ------------------------------------------------------------------------------------------------------


def peak_of(content: bytes) -> int:
    """Return the peak memory, in megabytes, of a process that reads the content."""
    code = (
        "import re, sys; from apps.events import picture_worker\n"
        "try: picture_worker.prepare(sys.stdin.buffer.read(), 'JPEG', '1600')\n"
        "except picture_worker.RefusedError: pass\n"
        "status = open('/proc/self/status').read()\n"
        "sys.stdout.write(str(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024))"
    )
    backend = Path(event_images.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=True, cwd=backend)
    return int(done.stdout)


def needle() -> bytes:
    """Return a PNG of 80 kB with 40 million pixels in one column."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 39_999_999, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(2 * 39_999_999), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def largest(mode: str, image_format: str = "PNG") -> Callable[[], bytes]:
    return lambda: saved(Image.new(mode, (8000, 5000)), image_format, compress_level=1)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("make", "megabytes"),
    [
        (needle, 100),
        (largest("L"), 400),
        (largest("P"), 600),
        (largest("RGB"), 400),
        (largest("RGBA"), 600),
        (largest("I;16"), 400),
        (largest("CMYK", "JPEG"), 400),
    ],
    ids=["needle", "L", "P", "RGB", "RGBA", "I;16", "CMYK"],
)
def test_pictures_stay_within_the_memory_limit(make: Callable[[], bytes], megabytes: int) -> None:
    assert peak_of(make()) < megabytes


@pytest.mark.integration
@pytest.mark.parametrize("make", [needle, largest("RGBA")], ids=["needle", "RGBA"])
def test_the_web_process_needs_no_memory_for_a_large_picture(make: Callable[[], bytes]) -> None:
    content = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if make is needle:
        assert len(content) < 100_000
        with pytest.raises(ValidationError, match="1 by 39999999 pixels"):
            prepare(COVER, content)
    else:
        prepare(COVER, content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024, "kilobytes"


@pytest.mark.integration
def test_picture_above_the_memory_limit_is_refused_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(event_images, "MEMORY_BYTES", 200 * 1024 * 1024)
    with pytest.raises(ValidationError, match=r"needs too much memory\. Upload a smaller one\."):
        prepare(COVER, largest("RGB")())
    assert "An upload could not be read" in caplog.text


@pytest.mark.integration
def test_process_that_does_not_end_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "TIMEOUT_SECONDS", 0.01)
    with pytest.raises(ValidationError, match="needs too much memory"):
        prepare(COVER, filled("RGB", GREEN))
