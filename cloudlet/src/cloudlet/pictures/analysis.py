"""Analyse the content of images: colours, perceptual hash, sharpness and EXIF."""

import math
from collections.abc import Collection
from typing import IO

from PIL import ExifTags, Image, ImageFilter, ImageStat

from cloudlet.errors import bad_request
from cloudlet.model import Json

AVAILABLE = (
    "colors",
    "phash",
    "quality_analysis",
    "image_metadata",
    "media_metadata",
    "exif",
    "faces",
    "cinemagraph_analysis",
)
_COLOURS = 32
_GOOGLE = {
    "red": (255, 0, 0), "orange": (255, 152, 0), "yellow": (255, 235, 59), "green": (76, 175, 80),
    "teal": (0, 150, 136), "blue": (33, 150, 243), "purple": (156, 39, 176), "pink": (233, 30, 99),
    "white": (255, 255, 255), "gray": (158, 158, 158), "black": (0, 0, 0), "brown": (121, 85, 72),
}  # fmt: skip


def analyse_file(file: IO[bytes], wanted: Collection[str]) -> dict[str, Json]:
    """Return the fields of ``AVAILABLE`` in ``wanted`` for an open image. Runs in the worker process.

    Raises ApiError 400 if the image is not readable.
    """
    found: dict[str, Json] = {}
    try:
        with Image.open(file) as image:
            if {"image_metadata", "media_metadata", "exif"} & set(wanted):
                metadata = _exif(image)
                found.update(
                    {name: metadata for name in ("image_metadata", "media_metadata", "exif") if name in wanted}
                )
            image.draft("RGB", (512, 512))
            small = image.convert("RGB")
            small.thumbnail((512, 512))
    except (OSError, ValueError, SyntaxError) as error:
        raise bad_request("Invalid image file") from error
    if "colors" in wanted:
        found.update(_colours(small))
    if "phash" in wanted:
        found["phash"] = perceptual_hash(small)
    if "quality_analysis" in wanted:
        found["quality_analysis"] = {"focus": focus(small)}
    if "cinemagraph_analysis" in wanted:
        found["cinemagraph_analysis"] = {"cinemagraph_score": 0.0}
    if "faces" in wanted:
        found["faces"] = []
    return found


def focus(image: Image.Image) -> float:
    """Return the sharpness between 0 and 1, from the standard deviation of the edges."""
    edges = image.convert("L").filter(ImageFilter.FIND_EDGES)
    return round(min(1.0, ImageStat.Stat(edges).stddev[0] / 64), 4)


def perceptual_hash(image: Image.Image) -> str:
    """Return a 64-bit difference hash (dHash) in hex, which compares the neighbouring pixels of a 9x8 grey image."""
    pixels = image.convert("L").resize((9, 8)).tobytes()
    bits = [pixels[row * 9 + column] > pixels[row * 9 + column + 1] for row in range(8) for column in range(8)]
    return f"{sum(bit << index for index, bit in enumerate(bits)):016x}"


def _colours(image: Image.Image) -> dict[str, Json]:
    counted = image.quantize(_COLOURS).convert("RGB").getcolors(_COLOURS * 2) or []
    total = sum(count for count, _ in counted) or 1
    shares: list[tuple[tuple[int, int, int], float]] = []
    for count, colour in sorted(counted, reverse=True):
        if isinstance(colour, tuple):
            shares.append(((colour[0], colour[1], colour[2]), round(100 * count / total, 1)))
    by_name: dict[str, float] = {}
    for colour, share in shares:
        name = _nearest(colour)
        by_name[name] = round(by_name.get(name, 0) + share, 1)
    named = [[name, share] for name, share in sorted(by_name.items(), key=lambda pair: -pair[1])]
    return {
        "colors": [[f"#{r:02X}{g:02X}{b:02X}", share] for (r, g, b), share in shares],
        "predominant": {"google": named},
    }


def _nearest(colour: tuple[int, int, int]) -> str:
    return min(_GOOGLE, key=lambda name: math.dist(_GOOGLE[name], colour))


def _exif(image: Image.Image) -> dict[str, str]:
    tags = {ExifTags.TAGS.get(tag, str(tag)): str(value)[:500] for tag, value in image.getexif().items()}
    if "dpi" in image.info:
        tags["DPI"] = str(round(float(image.info["dpi"][0])))
    tags["Colorspace"] = image.mode
    return tags
