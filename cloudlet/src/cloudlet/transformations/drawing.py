"""Apply one component, in this order: auto-rotate, resize, rotate, effect, corners, border, opacity, background."""

import math
from collections.abc import Callable
from dataclasses import replace

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from cloudlet.transformations.effects import apply_effect
from cloudlet.transformations.encoding import flatten
from cloudlet.transformations.focus import most_detailed_box
from cloudlet.transformations.geometry import Size, plan_resize
from cloudlet.transformations.model import Background, Border, Corners, Step

Spend = Callable[[int, int, str], None]
"""Called with the size of each image before it is made. Raises TransformationError when that is too much work."""

_OVERSAMPLE = 4
_TRANSPARENT = (0, 0, 0, 0)
_AUTO_TURNS = frozenset({"auto_right", "auto_left"})


def apply_step(image: Image.Image, step: Step, spend: Spend, base: Size | None = None) -> Image.Image:
    """Return the image after one step.

    `base` is the size of the image that a layer is put on. With `fl_relative`, fractions refer to it. Raises
    TransformationError if the step is too much work.
    """
    for angle in step.angles:
        if angle in _AUTO_TURNS:
            image = _turn_to_fit(image, step, clockwise=angle == "auto_right")
    if step.resizes:
        image = _resize(image, step, spend, base if "relative" in step.flags else None)
    for angle in step.angles:
        image = _rotate(image, angle, step, spend)
    if step.effect:
        spend(image.width, image.height, step.text)
        image = apply_effect(image, step.effect, step, spend)
    if step.radius is not None:
        spend(image.width, image.height, step.text)
        image = _round_corners(image, step.radius, step.dpr)
    if step.border:
        image = _draw_border(image, step.border, step, spend)
    if step.opacity is not None:
        image = fade(image, step.opacity)
    if step.background and image.mode in ("LA", "RGBA"):
        image = _on_background(image, step.background)
    return image


def _resize(image: Image.Image, step: Step, spend: Spend, relative_to: Size | None) -> Image.Image:
    placement = plan_resize(image.size, step, relative_to)
    if placement.box and (step.gravity or "").startswith("auto"):
        placement = replace(placement, box=most_detailed_box(image, placement.scaled, placement.box))
    spend(*placement.size, step.text)
    if placement.scaled != image.size:
        image = _scale(image, placement.scaled, placement.box)
    elif placement.box:
        image = image.crop(placement.box)
    if placement.canvas is None or placement.canvas == image.size:
        return image
    return _pad(image, placement.canvas, placement.offset, step)


def _scale(image: Image.Image, scaled: Size, box: tuple[int, int, int, int] | None) -> Image.Image:
    """Scale the image, but compute only the part that `box` keeps."""
    size = (box[2] - box[0], box[3] - box[1]) if box else scaled
    across, down = image.width / scaled[0], image.height / scaled[1]
    source = None
    if box:
        source = (box[0] * across, box[1] * down, min(image.width, box[2] * across), min(image.height, box[3] * down))
    return image.resize(size, Image.Resampling.LANCZOS, box=source)


def _pad(image: Image.Image, canvas_size: Size, offset: tuple[int, int], step: Step) -> Image.Image:
    background = step.background or Background("color", (255, 255, 255, 255))
    if step.background is None and image.mode in ("LA", "RGBA"):
        background = Background("color", _TRANSPARENT)
    canvas = _backdrop(image, canvas_size, background)
    rgba = image.convert("RGBA")
    layer = Image.new("RGBA", canvas_size, _TRANSPARENT)
    layer.paste(rgba, offset)
    return drop_opaque_alpha(Image.alpha_composite(canvas, layer))


def _backdrop(image: Image.Image, size: Size, background: Background) -> Image.Image:
    if background.kind == "blurred":
        plain = flatten(image).convert("RGB").resize(size, Image.Resampling.BILINEAR)
        blurred = plain.filter(ImageFilter.GaussianBlur(background.intensity / 10))
        return blurred.point(lambda value: value + background.brightness * 255 // 100).convert("RGBA")
    color = _border_color(image) if background.kind == "auto" else background.color
    return Image.new("RGBA", size, color)


def _border_color(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the mean colour of the outermost pixels."""
    rgb = flatten(image).convert("RGB")
    mask = Image.new("L", rgb.size, 255)
    if rgb.width > 2 and rgb.height > 2:
        mask.paste(0, (1, 1, rgb.width - 1, rgb.height - 1))
    red, green, blue = (round(value) for value in ImageStat.Stat(rgb, mask).mean)
    return (red, green, blue, 255)


def _on_background(image: Image.Image, background: Background) -> Image.Image:
    backdrop = _backdrop(image, image.size, background)
    return drop_opaque_alpha(Image.alpha_composite(backdrop, image.convert("RGBA")))


def _rotate(image: Image.Image, angle: str, step: Step, spend: Spend) -> Image.Image:
    match angle:
        case "ignore" | "exif" | "auto" | "auto_right" | "auto_left":
            return image
        case "hflip":
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case "vflip":
            return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    degrees = int(angle) % 360
    quarter = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
    if degrees in quarter:
        return image.transpose(quarter[degrees])
    if degrees == 0:
        return image
    diagonal = round((image.width**2 + image.height**2) ** 0.5)
    spend(diagonal, diagonal, step.text)
    margin = ImageOps.expand(image.convert("RGBA"), 1, _TRANSPARENT)  # anti-aliases the rotated edges
    turned = margin.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=_TRANSPARENT)
    width, height = _rotated_size(image.size, degrees)
    left, top = (turned.width - width) // 2, (turned.height - height) // 2
    return turned.crop((left, top, left + width, top + height))


def _rotated_size(size: tuple[int, int], degrees: int) -> tuple[int, int]:
    """Return the size of the box around a rotated image, rounded down as Cloudinary does."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    width, height = size
    return max(1, int(width * cosine + height * sine)), max(1, int(width * sine + height * cosine))


def _turn_to_fit(image: Image.Image, step: Step, *, clockwise: bool) -> Image.Image:
    """Rotate by 90 degrees if one of the image and the requested box is landscape and the other is not."""
    ratio = step.aspect_ratio
    if ratio is None and step.width and step.height:
        ratio = step.width.value / step.height.value
    if ratio is None or (ratio > 1) == (image.width > image.height):
        return image
    return image.transpose(Image.Transpose.ROTATE_270 if clockwise else Image.Transpose.ROTATE_90)


def _round_corners(image: Image.Image, radius: Corners | str, dpr: float) -> Image.Image:
    mask = corner_mask(image.size, radius, dpr)
    rgba = image.convert("RGBA")
    rgba.putalpha(ImageChops.multiply(rgba.getchannel("A"), mask))
    return rgba


def corner_mask(size: Size, radius: Corners | str, dpr: float = 1.0) -> Image.Image:
    """Return a mask that is white inside the rounded rectangle, with anti-aliased edges.

    The corners of `radius` run clockwise from the top left. "max" makes an ellipse.
    """
    width, height = size
    mask = Image.new("L", size, 255)
    if isinstance(radius, str):
        large = Image.new("L", (min(width, 2048), min(height, 2048)), 0)
        ImageDraw.Draw(large).ellipse((0, 0, large.width - 1, large.height - 1), fill=255)
        smooth = Image.new("L", (large.width * 2, large.height * 2), 0)
        ImageDraw.Draw(smooth).ellipse((0, 0, smooth.width - 1, smooth.height - 1), fill=255)
        return smooth.resize(size, Image.Resampling.BOX if smooth.width >= width * 2 else Image.Resampling.BICUBIC)
    most = min(width, height) // 2
    for index, corner in enumerate(radius):
        side = min(round(corner * dpr), most)
        if side:
            left, top = index in (1, 2), index in (2, 3)
            mask.paste(_quarter(side, index), ((width - side) * left, (height - side) * top))
    return mask


def _quarter(side: int, index: int) -> Image.Image:
    scale = _OVERSAMPLE if side <= 512 else 1
    large = Image.new("L", (side * scale, side * scale), 0)
    reach = side * scale * 2 - 1
    ImageDraw.Draw(large).ellipse((0, 0, reach, reach), fill=255)
    corner = large.resize((side, side), Image.Resampling.BOX)
    turns = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}
    return corner.transpose(turns[index]) if index else corner


def _draw_border(image: Image.Image, border: Border, step: Step, spend: Spend) -> Image.Image:
    width = round(border.width * step.dpr)
    if width == 0:
        return image
    outer = image.width + 2 * width, image.height + 2 * width
    spend(*outer, step.text)
    frame = Image.new("RGBA", outer, border.color)
    inside = Image.new("L", outer, 255)
    if step.radius is not None:
        grown: Corners | str = "max"
        if not isinstance(step.radius, str):
            a, b, c, d = (corner + border.width if corner else 0 for corner in step.radius)
            grown = (a, b, c, d)
        inside = corner_mask(outer, grown, step.dpr)
    frame.putalpha(ImageChops.multiply(frame.getchannel("A"), inside))
    layer = Image.new("RGBA", outer, _TRANSPARENT)
    layer.paste(image.convert("RGBA"), (width, width))
    return drop_opaque_alpha(Image.alpha_composite(frame, layer))


def fade(image: Image.Image, opacity: int) -> Image.Image:
    """Return the image with its opacity reduced to `opacity` per cent."""
    if opacity == 100:
        return image
    rgba = image.convert("RGBA")
    rgba.putalpha(rgba.getchannel("A").point(lambda value: value * opacity // 100))
    return rgba


def drop_opaque_alpha(image: Image.Image) -> Image.Image:
    """Convert the image to RGB if all pixels are opaque, which makes smaller files."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    return image
