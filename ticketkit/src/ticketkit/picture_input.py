"""Open uploaded pictures: upright, 8 bits per channel, in sRGB.

| input | result |
|---|---|
| JPEG, PNG, WebP | opened; of an animation, the first frame |
| GIF, TIFF, BMP, HEIC, AVIF, SVG, PDF and others | rejected; the error names the format |
| black and white, grey, palette, RGB; 8 or 16 bits; with alpha or one transparent colour | RGB, or RGBA |
| CMYK | RGB: through its profile, or as the complement if it has none |
| a colour profile (RGB, grey, CMYK) | converted: relative colorimetric, black point compensation, as browsers do |
| a damaged profile, or one for another colour mode | ignored: the picture is treated as sRGB |
| EXIF orientation | rotated upright |
"""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageCms, ImageOps

MAX_PIXELS = 40_000_000
MAX_SIDE_PIXELS = 20_000
FORMATS = ("JPEG", "PNG", "WEBP")
_SAVE = "Save it as JPEG, PNG or WebP and upload that."
_TOO_MANY_PIXELS = "The picture has more than 40 million pixels. Upload a smaller one."
_OTHER_FORMATS = (
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"BM", "a BMP picture"),
    (4, b"ftypavi", "an AVIF picture"),
    (4, b"ftyphei", "an HEIC picture, as iPhones take them"),
    (4, b"ftyphev", "an HEIC picture, as iPhones take them"),
    (4, b"ftypmif1", "an HEIC picture, as iPhones take them"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an SVG drawing or another XML document"),
)
_CHANNELS = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # modes that a profile of a colour space applies to
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class PictureError(ValueError):
    """A picture that cannot be used. The message says why and what to do."""


def open_picture(
    content: bytes, *, shrink_to: int | None = None, draft_size: tuple[int, int] | None = None
) -> Image.Image:
    """Return the picture in mode RGB, or in RGBA if it has transparency.

    `shrink_to` is the maximum of the longer side in pixels: shrinking before the colour conversion saves memory.
    `draft_size` lets a JPEG be decoded at a reduced size, but at least this one, which is faster. Raises PictureError
    for another format, a damaged file, more than 40 million pixels, or a side of more than 20,000 pixels.
    """
    start = content[:64].lstrip()
    for offset, prefix, kind in _OTHER_FORMATS:
        if start[offset : offset + len(prefix)] == prefix:
            raise PictureError(f"This file is {kind}. {_SAVE}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # lower limits are checked below
            picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(*picture.size)
        if wanted := draft_size or (shrink_to and (2 * shrink_to, 2 * shrink_to)):
            picture.draft(None, wanted)
        picture.load()
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(_TOO_MANY_PIXELS) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"This file is not a whole JPEG, PNG or WebP picture. {_SAVE}") from error
    profile, orientation = picture.info.get("icc_profile"), picture.getexif()
    picture = _in_eight_bits(picture)
    if shrink_to:
        picture.thumbnail((shrink_to, shrink_to), Image.Resampling.LANCZOS)
    picture = _in_srgb(picture, profile)
    picture.getexif().update(orientation)
    return ImageOps.exif_transpose(picture)


def on_white(picture: Image.Image) -> Image.Image:
    """Return the picture in mode RGB, with transparent areas filled with white."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError(_TOO_MANY_PIXELS)
    if max(width, height) > MAX_SIDE_PIXELS:
        raise PictureError(
            f"The picture is {width} by {height} pixels, and no side may have more than {MAX_SIDE_PIXELS}."
        )


def _in_eight_bits(picture: Image.Image) -> Image.Image:
    """Return the picture in mode L, RGB or CMYK, or in LA or RGBA if it has transparency."""
    clear = picture.info.get("transparency")
    if picture.mode.startswith("I;16"):
        high_byte = slice(0, None, 2) if picture.mode == "I;16B" else slice(1, None, 2)
        picture = Image.frombytes("L", picture.size, picture.tobytes()[high_byte])
        clear = None if clear is None else clear >> 8
    elif picture.mode == "I":
        picture = picture.point(lambda value: value * (1 / 257)).convert("L")
        clear = None if clear is None else clear >> 8
    elif picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode in ("L", "RGB") and clear is not None:
        picture.info["transparency"] = clear
        return picture.convert("LA" if picture.mode == "L" else "RGBA")
    if picture.mode in ("P", "PA"):
        return picture.convert("RGBA" if clear is not None or picture.mode == "PA" else "RGB")
    return picture if picture.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else picture.convert("RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    alpha = picture.getchannel("A") if picture.mode in ("LA", "RGBA") else None
    colour = picture.convert({"LA": "L", "RGBA": "RGB"}[picture.mode]) if alpha else picture
    converted = _through_profile(colour, profile) if profile else colour.convert("RGB")
    if alpha:
        converted.putalpha(alpha)
    converted.info.pop("icc_profile", None)  # Pillow would save it with the picture, which is in sRGB now
    return converted


def _through_profile(picture: Image.Image, profile: bytes) -> Image.Image:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        channels = _CHANNELS.get(opened.profile.xcolor_space.strip())
        if channels == "RGB" and picture.mode == "L":
            picture = picture.convert("RGB")
        if channels != picture.mode:
            return picture.convert("RGB")
        converted = ImageCms.profileToProfile(
            picture,
            opened,
            _SRGB,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return picture.convert("RGB")
    return converted or picture.convert("RGB")
