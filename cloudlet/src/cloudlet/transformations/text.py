"""Draw text layers, in an installed font of the family's name or else in the sans serif that Pillow includes."""

import functools
import re
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

from cloudlet.transformations.model import RGBA, Background, TextLayer, TextStyle

_PADDING = 2

Font = ImageFont.FreeTypeFont


def draw_text(
    layer: TextLayer,
    color: RGBA,
    background: Background | None,
    wrap_width: int | None,
    spend: Callable[[int, int, str], None],
) -> Image.Image:
    """Return an image that is just large enough for the text, transparent or in the colour of `background`.

    Lines are wrapped at `wrap_width` pixels if it is given. `spend` is called with the size before the image is made,
    and raises TransformationError when it is too much.
    """
    style = layer.style
    font, is_exact = _font(style.family, style.size, style.weight == "bold", style.italic)
    text = _wrap(layer.text, font, wrap_width) if wrap_width else layer.text
    thickened = style.stroke or (style.weight == "bold" and not is_exact)
    stroke = max(1, style.size // 32) if thickened else 0
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    spacing = max(0, style.line_spacing) + style.size // 5
    left, top, right, bottom = probe.multiline_textbbox(
        (0, 0), text, font=font, spacing=spacing, align=style.align, stroke_width=stroke
    )
    width, height = round(right - left) + 2 * _PADDING, round(bottom - top) + 2 * _PADDING
    spend(max(width, 1), max(height, 1), f"l_text:{style.family}_{style.size}")
    back = background.color if background and background.kind == "color" else (*color[:3], 0)
    picture = Image.new("RGBA", (max(width, 1), max(height, 1)), back)
    draw = ImageDraw.Draw(picture)
    origin = (_PADDING - left, _PADDING - top)
    draw.multiline_text(origin, text, font=font, fill=color, spacing=spacing, align=style.align, stroke_width=stroke)
    _draw_lines(draw, style, color, picture.width, picture.height)
    return picture


def _draw_lines(draw: ImageDraw.ImageDraw, style: TextStyle, color: RGBA, width: int, height: int) -> None:
    thickness = max(1, style.size // 16)
    if style.underline:
        draw.rectangle((0, height - thickness, width, height), fill=color)
    if style.strikethrough:
        draw.rectangle((0, (height - thickness) // 2, width, (height + thickness) // 2), fill=color)


def _wrap(text: str, font: Font, width: int) -> str:
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            candidate = f"{line} {word}".strip()
            if line and font.getlength(candidate) > width:
                lines.append(line)
                candidate = word
            line = candidate
        lines.append(line)
    return "\n".join(lines)


@functools.lru_cache(maxsize=64)
def _font(family: str, size: int, bold: bool, italic: bool) -> tuple[Font, bool]:
    """Return the font, and whether it has the requested weight and slant.

    Raises RuntimeError if Pillow was built without FreeType.
    """
    name = re.sub(r"[^A-Za-z0-9]", "", family)
    style = ("Bold" if bold else "") + ("Italic" if italic else "")
    exact = [f"{name}-{style}", f"{name}{style}"] if style else []
    for candidate in (*exact, f"{name}-Regular", name) if name else ():
        try:
            return ImageFont.truetype(f"{candidate}.ttf", size), not style or candidate in exact
        except OSError:
            continue
    default = ImageFont.load_default(size)
    if not isinstance(default, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType; text layers need it")
    return default, not style
