"""Encode images, with the requested format, quality and flags."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from cloudlet.transformations.decoding import Decoded
from cloudlet.transformations.model import Quality
from cloudlet.transformations.vocabulary import FORMATS

_AUTO_LEVELS = {
    "JPEG": {"best": 90, "good": 80, "eco": 70, "low": 55},
    "WEBP": {"best": 88, "good": 78, "eco": 68, "low": 52},
    "AVIF": {"best": 72, "good": 60, "eco": 50, "low": 38},
}
_DEFAULT_LEVELS = {"JPEG": 90, "WEBP": 88, "AVIF": 72}
_WITHOUT_ALPHA = frozenset({"JPEG", "BMP", "PDF"})
_ICON_SIDE = 256


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded image, its format (a key of `FORMATS`) and its size in pixels."""

    content: bytes
    format: str
    width: int
    height: int


def encode(source: Decoded, format_name: str, quality: Quality | None, flags: frozenset[str]) -> Encoded:
    """Encode a decoded file as `format_name`, a key of `FORMATS`. Animations are kept where the format allows them."""
    pillow_format = FORMATS[format_name]
    frames = [_fit_mode(frame, pillow_format, flags) for frame in source.frames]
    options = _options(pillow_format, quality, flags, frames[0].size)
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": list(source.durations)}
        options |= {"loop": source.loop} if pillow_format in ("GIF", "WEBP") else {}
    buffer = io.BytesIO()
    frames[0].save(buffer, format=pillow_format, **options)
    return Encoded(buffer.getvalue(), format_name, frames[0].width, frames[0].height)


def _fit_mode(image: Image.Image, pillow_format: str, flags: frozenset[str]) -> Image.Image:
    if image.mode in ("LA", "RGBA") and pillow_format in _WITHOUT_ALPHA:
        image = flatten(image)
    if pillow_format == "ICO" and max(image.size) > _ICON_SIDE:
        image = image.copy()
        image.thumbnail((_ICON_SIDE, _ICON_SIDE))
    if pillow_format == "PNG" and "png8" in flags:
        return image.convert("RGBA").quantize(256, method=Image.Quantize.FASTOCTREE)
    if pillow_format == "PNG" and "png24" in flags:
        return flatten(image).convert("RGB")
    if pillow_format == "PNG" and image.mode == "L" and _is_black_and_white(image):
        return image.convert("1", dither=Image.Dither.NONE)
    if pillow_format in ("WEBP", "AVIF", "ICO") or (pillow_format == "PNG" and "png32" in flags):
        return image.convert("RGBA" if image.mode in ("LA", "RGBA") or "png32" in flags else "RGB")
    if pillow_format == "GIF" and image.mode == "LA":
        return image.convert("RGBA")
    return image


def _is_black_and_white(image: Image.Image) -> bool:
    """Return whether one bit per pixel is lossless, as for QR codes and line art. It is far smaller."""
    colors = image.getcolors(2)
    return colors is not None and all(value in (0, 255) for _, value in colors)


def flatten(image: Image.Image, color: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Return the image without an alpha channel, on a background of `color`."""
    if image.mode not in ("LA", "RGBA"):
        return image
    rgba = image.convert("RGBA")
    canvas = Image.new("RGB", rgba.size, color)
    canvas.paste(rgba, mask=rgba.getchannel("A"))
    return canvas


def _options(
    pillow_format: str, quality: Quality | None, flags: frozenset[str], size: tuple[int, int]
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if pillow_format in _DEFAULT_LEVELS:
        options["quality"] = _level(pillow_format, quality)
    match pillow_format:
        case "JPEG":
            options["progressive"] = "progressive" in flags
            options["optimize"] = True
            options["subsampling"] = "4:4:4" if quality and quality.full_chroma else "4:2:0"
        case "PNG":
            options["compress_level"] = 6
            options["optimize"] = quality is not None
        case "AVIF":
            options["speed"] = 8
        case "TIFF":
            options["compression"] = "tiff_lzw"
        case "ICO":
            options["sizes"] = [(size[0], size[1])]
    return options


def _level(pillow_format: str, quality: Quality | None) -> int:
    if quality is None:
        return _DEFAULT_LEVELS[pillow_format]
    if quality.level is not None:
        return quality.level
    return _AUTO_LEVELS[pillow_format][quality.auto or "good"]
