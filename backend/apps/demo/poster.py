"""Draw the pictures of the demo event: a cover (dusk over a river with lanterns) and the organiser's logo."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]

WIDTH, HEIGHT = 1600, 800
HORIZON = 560
SCALE = 2  # antialiasing by supersampling: Pillow's shapes have hard edges
SKY: Sequence[tuple[float, Colour]] = (
    (0.0, (22, 18, 66)),
    (0.42, (88, 40, 130)),
    (0.72, (226, 86, 122)),
    (1.0, (255, 190, 120)),
)
WATER: Sequence[tuple[float, Colour]] = ((0.0, (214, 96, 118)), (0.35, (92, 44, 128)), (1.0, (18, 15, 54)))
HILLS: Sequence[tuple[int, int, Colour]] = ((76, 3, (146, 56, 128)), (52, 5, (92, 38, 116)), (30, 8, (48, 25, 86)))


def draw_cover() -> bytes:
    """Return a JPEG of 1600 x 800 pixels. It is the same for every call."""
    chance = random.Random(7)  # noqa: S311 # decoration, not a secret
    size = (WIDTH * SCALE, HEIGHT * SCALE)
    horizon = HORIZON * SCALE
    picture = Image.new("RGB", size)
    picture.paste(_gradient(size[0], horizon, SKY), (0, 0))
    _stars(picture, chance)
    _sun(picture)
    for number, (height, waves, colour) in enumerate(HILLS):
        _hill(picture, height, waves, colour, phase=number * 1.9)
    _reflection(picture, chance)
    picture = picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    _lanterns(picture, chance)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def draw_logo() -> bytes:
    """Return a PNG of 480 x 480 pixels with a transparent background: a lantern over two waves."""
    side = 480 * SCALE
    logo = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(logo)
    draw.ellipse((0, 0, side - 1, side - 1), fill=(49, 32, 104, 255))
    box = (side * 0.34, side * 0.16, side * 0.66, side * 0.58)
    draw.rounded_rectangle(box, radius=side * 0.13, fill=(255, 190, 120, 255))
    for y in (0.27, 0.37, 0.47):
        draw.line((box[0], side * y, box[2], side * y), fill=(226, 120, 96, 255), width=side // 80)
    draw.rounded_rectangle((side * 0.41, side * 0.13, side * 0.59, side * 0.18), side * 0.02, fill=(255, 236, 214, 255))
    draw.rounded_rectangle((side * 0.41, side * 0.56, side * 0.59, side * 0.61), side * 0.02, fill=(255, 236, 214, 255))
    for y in (0.70, 0.80):
        _wave(draw, side, y)
    buffer = io.BytesIO()
    logo.resize((480, 480), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _wave(draw: ImageDraw.ImageDraw, side: int, height: float) -> None:
    """Draw a wave of the logo from overlapping dots, which give it round ends."""
    for x in range(int(side * 0.24), int(side * 0.77)):
        y = side * height + math.sin(x / side * 4 * math.pi) * side * 0.022
        draw.circle((x, y), side * 0.016, fill=(255, 236, 214, 255))


def _gradient(width: int, height: int, stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """Return a vertical gradient through the stops: (position from 0 to 1, colour)."""
    column = Image.new("RGB", (1, height))
    for y in range(height):
        column.putpixel((0, y), _between(stops, y / max(1, height - 1)))
    return column.resize((width, height))


def _between(stops: Sequence[tuple[float, Colour]], place: float) -> Colour:
    for (start, first), (end, last) in pairwise(stops):
        if place <= end:
            part = (place - start) / (end - start)
            red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, last, strict=True))
            return red, green, blue
    return stops[-1][1]


def _stars(picture: Image.Image, chance: random.Random) -> None:
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(170):
        x, y = chance.random() * picture.width, chance.random() ** 1.7 * HORIZON * SCALE * 0.6
        radius = chance.choice((1.2, 1.6, 2.2, 3.2))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 240, 220, chance.randint(90, 220)))


def _sun(picture: Image.Image) -> None:
    """Draw the sun, half set, with rings of light around it."""
    draw = ImageDraw.Draw(picture, "RGBA")
    x, y, radius = picture.width // 2, HORIZON * SCALE - 70 * SCALE, 190 * SCALE
    for ring in range(5, 0, -1):
        grown = radius + ring * 46 * SCALE
        draw.ellipse((x - grown, y - grown, x + grown, y + grown), fill=(255, 170, 110, 20))
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    disc = _gradient(picture.width, 2 * radius, ((0.0, (255, 236, 178)), (0.6, (255, 176, 92)), (1.0, (250, 108, 104))))
    layer = Image.new("RGB", picture.size)
    layer.paste(disc, (0, y - radius))
    picture.paste(layer, (0, 0), mask)


def _hill(picture: Image.Image, height: int, waves: int, colour: Colour, phase: float) -> None:
    base = HORIZON * SCALE
    ridge = []
    for x in range(0, picture.width + 8, 8):
        turn = x / picture.width * math.tau
        rise = 0.5 + 0.5 * math.sin(turn * waves / 2 + phase) + 0.35 * math.sin(turn * waves + phase * 2.3)
        valley = 0.35 + 0.65 * abs(x / picture.width - 0.5) * 2  # low in the middle, where the sun is
        ridge.append((x, base - max(0.0, rise) * height * 1.5 * SCALE * valley - 6 * SCALE))
    ImageDraw.Draw(picture).polygon([(0, base), *ridge, (picture.width, base)], fill=colour)


def _reflection(picture: Image.Image, chance: random.Random) -> None:
    """Draw the river: the mirrored sky, darkened, with strokes of light under the sun."""
    horizon, depth = HORIZON * SCALE, (HEIGHT - HORIZON) * SCALE
    mirrored = picture.crop((0, horizon - depth, picture.width, horizon)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirrored = mirrored.filter(ImageFilter.GaussianBlur(16 * SCALE))
    river = Image.blend(mirrored, _gradient(picture.width, depth, WATER), 0.7)
    draw = ImageDraw.Draw(river, "RGBA")
    for _ in range(240):
        y = chance.random() ** 1.3 * depth
        near = y / depth
        spread = (130 + 330 * near) * SCALE
        x = picture.width / 2 + chance.gauss(0, 0.5) * spread
        length, thick = (18 + 90 * near * chance.random()) * SCALE, (0.7 + 1.9 * near) * SCALE
        fill = (255, 214, 150, chance.randint(50, 150))
        draw.rounded_rectangle((x - length, y, x + length, y + thick * 2), thick, fill=fill)
    picture.paste(river, (0, horizon))


def _lanterns(picture: Image.Image, chance: random.Random) -> None:
    """Draw paper lanterns on both sides of the sun."""
    glow = Image.new("RGB", picture.size)
    bodies = Image.new("RGBA", picture.size)
    glow_draw, draw = ImageDraw.Draw(glow), ImageDraw.Draw(bodies)
    placed: list[tuple[float, float, float]] = []
    while len(placed) < 24:
        side = -1 if len(placed) % 2 else 1
        x = WIDTH / 2 + side * (190 + 590 * chance.random())
        y = 50 + chance.random() * (HORIZON - 40)
        wide = 9 + 26 * (y / HEIGHT) ** 1.2 * (0.6 + 0.7 * chance.random())
        high = wide * 1.32
        if any(math.hypot(x - other_x, y - other_y) < 3.2 * max(wide, other) for other_x, other_y, other in placed):
            continue
        placed.append((x, y, wide))
        glow_draw.ellipse((x - wide * 2.6, y - wide * 2.6, x + wide * 2.6, y + wide * 2.6), fill=(150, 76, 26))
        draw.rounded_rectangle((x - wide, y - high, x + wide, y + high), wide * 0.72, fill=(255, 178, 96, 255))
        draw.rounded_rectangle(
            (x - wide * 0.6, y - high * 0.2, x + wide * 0.6, y + high), wide * 0.5, fill=(255, 226, 158, 230)
        )
        draw.rectangle((x - wide * 0.5, y + high - 2, x + wide * 0.5, y + high + 2), fill=(126, 52, 60, 255))
    lit = ImageChops.screen(picture, glow.filter(ImageFilter.GaussianBlur(20)))
    picture.paste(lit)
    bodies = bodies.filter(ImageFilter.GaussianBlur(0.6))
    picture.paste(bodies, (0, 0), bodies)
