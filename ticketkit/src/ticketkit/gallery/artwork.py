"""Draw covers and a logo for the samples, so that no third-party pictures are needed."""

import io
import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageDraw

_SCALE = 2  # drawn larger and scaled down, for antialiasing
_SIZE = (1280, 640)


def hills(colours: Sequence[str]) -> bytes:
    """Draw hills under a low sun. Colours: upper sky, lower sky, sun, then the hills from far to near."""
    width, height = _SIZE[0] * _SCALE, _SIZE[1] * _SCALE
    image = _gradient(colours[0], colours[1])
    draw = ImageDraw.Draw(image)
    x, y, radius = width * 0.7, height * 0.42, height * 0.2
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[2])
    for n, colour in enumerate(colours[3:]):
        base = height * (0.52 + 0.13 * n)
        crest = [(px, base + height * _wave(px, width, n)) for px in range(0, width + 8, 8)]
        draw.polygon([*crest, (width, height), (0, height)], fill=colour)
    return _jpeg(image)


def tiles(colours: Sequence[str], seed: int) -> bytes:
    """Draw a wall of tiles, each with a quarter of a circle."""
    random = Random(seed)  # noqa: S311 not security-relevant
    edge = _SIZE[1] * _SCALE // 4
    image = Image.new("RGB", (_SIZE[0] * _SCALE, _SIZE[1] * _SCALE), colours[0])
    draw = ImageDraw.Draw(image)
    for x in range(0, image.width, edge):
        for y in range(0, image.height, edge):
            ground, figure = random.sample(colours, 2)
            draw.rectangle((x, y, x + edge, y + edge), fill=ground)
            corner_x, corner_y = random.choice((0, 1)), random.choice((0, 1))
            centre = x + corner_x * edge, y + corner_y * edge
            for share in (1.0, 0.62, 0.3):
                radius = edge * share
                box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
                start = {(0, 0): 0, (1, 0): 90, (1, 1): 180, (0, 1): 270}[corner_x, corner_y]
                draw.pieslice(box, start, start + 90, fill=figure if share != 0.62 else ground)
    return _jpeg(image)


def stage(colours: Sequence[str]) -> bytes:
    """Draw beams of light in a dark hall. Colours: upper hall, lower hall, then the beams."""
    width, height = _SIZE[0] * _SCALE, _SIZE[1] * _SCALE
    image = _gradient(colours[0], colours[1])
    light = ImageDraw.Draw(image, "RGBA")
    for n in range(9):
        source = width * (n + 0.5) / 9
        lean = (n - 4) * -0.22 * width + (160 if n % 2 else -160)
        spread = width * 0.07
        points = [
            (source - 14, 0),
            (source + 14, 0),
            (source + lean + spread, height),
            (source + lean - spread, height),
        ]
        light.polygon(points, fill=f"{colours[2 + n % (len(colours) - 2)]}5c")
    draw = ImageDraw.Draw(image)
    random = Random(4)  # noqa: S311 not security-relevant
    for x in range(-40, width, 74):
        top = height * 0.86 + random.randrange(-34, 34)
        draw.ellipse((x, top, x + 92, top + 104), fill=colours[0])
        draw.rectangle((x - 30, top + 84, x + 122, height), fill=colours[0])
    return _jpeg(image)


def mark(ground: str, figure: str) -> bytes:
    """Draw a logo: a disc with three bars, on a transparent background."""
    image = Image.new("RGBA", (480, 480), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, 472, 472), fill=ground)
    for x, top in ((150, 210), (216, 130), (282, 250)):
        draw.rounded_rectangle((x, top, x + 46, 350), 23, fill=figure)
    target = io.BytesIO()
    image.resize((240, 240), Image.Resampling.LANCZOS).save(target, "PNG")
    return target.getvalue()


def _wave(x: int, width: int, n: int) -> float:
    return 0.07 * math.sin(x / width * (5 + n) + n * 2.1) + 0.03 * math.sin(x / 190 + n)


def _gradient(top: str, bottom: str) -> Image.Image:
    size = (_SIZE[0] * _SCALE, _SIZE[1] * _SCALE)
    mask = Image.linear_gradient("L").resize(size)
    image = Image.new("RGB", size, top)
    image.paste(bottom, mask=mask)
    return image


def _jpeg(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.reduce(_SCALE).save(target, "JPEG", quality=90)
    return target.getvalue()
