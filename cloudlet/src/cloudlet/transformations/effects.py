"""The effects of `e_...`: their arguments and their implementation.

Names, ranges and defaults are Cloudinary's. The formulas approximate Cloudinary's: results look alike, but their
pixels differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from cloudlet.transformations.colors import parse_color
from cloudlet.transformations.model import RGBA, Effect, Step

Picture = Image.Image
Spend = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class _Definition:
    """An effect. `low` to `high` bound its first argument, and `default` is used when it is not given."""

    draw: Callable[[Picture, int, Step], Picture]
    low: int = 0
    high: int = 0
    default: int = 0

    @property
    def takes_argument(self) -> bool:
        return self.high > self.low


def check_effect(effect: Effect) -> None:
    """Raise ValueError if the effect is unknown or an argument is out of range."""
    if effect.name in BLEND_MODES and not effect.arguments:
        return
    definition = _EFFECTS.get(effect.name)
    if definition is None:
        raise ValueError(f"effect {effect.name!r} is unknown or not implemented by cloudlet")
    if effect.name == "trim":
        _trim_arguments(effect)
        return
    arguments = list(effect.arguments)
    if len(arguments) > (1 if definition.takes_argument else 0):
        raise ValueError(f"effect {effect.name} takes {'one argument' if definition.takes_argument else 'no argument'}")
    if arguments:
        _argument(effect, definition)


def _argument(effect: Effect, definition: _Definition) -> int:
    if not effect.arguments:
        return definition.default
    text = effect.arguments[0]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise ValueError(f"effect {effect.name} takes a whole number in cloudlet, not {text!r}")
    if not definition.low <= int(text) <= definition.high:
        raise ValueError(f"effect {effect.name} takes {definition.low} to {definition.high}, not {text}")
    return int(text)


_WEIGHTS = {"oil_paint": 30, "unsharp_mask": 3, "sharpen": 3, "blur": 2, "vignette": 2}
"""The cost of one pixel of an effect in scaled pixels, where it is more than one.

Measured CPU time, as a multiple of one pixel scaled by Lanczos (24 ns), median of several runs: oil_paint 31, sharpen
and unsharp_mask 2.4, blur 1.8, shadow 1.6 (its larger canvas is counted separately), hue 0.9, vignette 0.5, all others
less. A vignette costs more than its time because it holds four more images of its size in memory.
"""


def apply_effect(image: Picture, effect: Effect, step: Step, spend: Spend) -> Picture:
    """Return the image with the effect applied.

    The caller has spent one image of this size. `spend` is called for what the effect costs beyond that, and raises
    TransformationError when it is too much.
    """
    definition = _EFFECTS[effect.name]
    if effect.name == "trim":
        return _trim(image, *_trim_arguments(effect))
    if effect.name == "shadow":
        spend(image.width * 2, image.height * 2, step.text)
    for _ in range(_WEIGHTS.get(effect.name, 1) - 1):
        spend(image.width, image.height, step.text)
    return definition.draw(image, _argument(effect, definition), step)


def _opaque(draw: Callable[[Picture, int], Picture]) -> Callable[[Picture, int, Step], Picture]:
    """Wrap an effect that changes colours only, so that it keeps the alpha channel."""

    def drawn(image: Picture, argument: int, _: Step) -> Picture:
        alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
        result = draw(image.convert("RGB"), argument).convert("RGB")
        if alpha is not None:
            result.putalpha(alpha)
        return result

    return drawn


def _whole(draw: Callable[[Picture, int], Picture]) -> Callable[[Picture, int, Step], Picture]:
    """Wrap an effect that changes colours and the alpha channel alike."""
    return lambda image, argument, _: draw(image.convert("RGBA") if image.mode == "LA" else image, argument)


def _grayscale(image: Picture, argument: int) -> Picture:
    return ImageOps.grayscale(image)


def _black_and_white(image: Picture, threshold: int) -> Picture:
    return ImageOps.grayscale(image).point(lambda value: 255 if value * 100 >= threshold * 255 else 0)


def _sepia(image: Picture, strength: int) -> Picture:
    toned = image.convert(
        "RGB", (0.393, 0.769, 0.189, 0, 0.349, 0.686, 0.168, 0, 0.272, 0.534, 0.131, 0)
    )  # the sepia matrix of the W3C's Filter Effects module
    return Image.blend(image, toned, strength / 100)


def _blur(image: Picture, strength: int) -> Picture:
    return image.filter(ImageFilter.GaussianBlur(strength / 20))


def _pixelate(image: Picture, side: int) -> Picture:
    side = side or max(2, min(image.size) // 20)
    small = image.resize((max(1, image.width // side), max(1, image.height // side)), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


def _sharpen(image: Picture, strength: int) -> Picture:
    return image.filter(ImageFilter.UnsharpMask(radius=1, percent=strength, threshold=0))


def _unsharp_mask(image: Picture, strength: int) -> Picture:
    return image.filter(ImageFilter.UnsharpMask(radius=3, percent=strength, threshold=0))


def _brightness(image: Picture, level: int) -> Picture:
    return ImageEnhance.Brightness(image).enhance(1 + level / 100)


def _contrast(image: Picture, level: int) -> Picture:
    return ImageEnhance.Contrast(image).enhance(1 + level / 100)


def _saturation(image: Picture, level: int) -> Picture:
    return ImageEnhance.Color(image).enhance(1 + level / 100)


def _gamma(image: Picture, level: int) -> Picture:
    exponent = 1 / max(0.1, 1 + level / 100)
    return image.point([round(255 * (value / 255) ** exponent) for value in range(256)] * 3)


def _hue(image: Picture, degrees: int) -> Picture:
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + degrees * 255 // 360) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def _negate(image: Picture, argument: int) -> Picture:
    return ImageOps.invert(image)


def _auto_contrast(image: Picture, argument: int) -> Picture:
    return ImageOps.autocontrast(image, cutoff=0.5, preserve_tone=True)


def _auto_color(image: Picture, argument: int) -> Picture:
    return ImageOps.autocontrast(image, cutoff=0.5)


def _channel(index: int) -> Callable[[Picture, int], Picture]:
    def draw(image: Picture, level: int) -> Picture:
        bands = list(image.split())
        bands[index] = bands[index].point(lambda value: value + 255 * level / 100)
        return Image.merge("RGB", bands)

    return draw


def _vignette(image: Picture, strength: int) -> Picture:
    shade = Image.radial_gradient("L").resize(image.size).point(lambda value: max(0, value - 64) * strength / 100)
    return Image.composite(Image.new("RGB", image.size), image, shade)


def _oil_paint(image: Picture, level: int) -> Picture:
    return image.filter(ImageFilter.ModeFilter(size=3 + 2 * (level // 34)))


def _colorize(image: Picture, strength: int, step: Step) -> Picture:
    red, green, blue, _ = step.color or (0, 0, 0, 255)
    veil = Image.new("RGB", image.size, (red, green, blue))
    return _opaque(lambda picture, _: Image.blend(picture, veil, strength / 100))(image, strength, step)


def _trim_arguments(effect: Effect) -> tuple[int, RGBA | None]:
    """Return tolerance and colour of `e_trim:TOLERANCE:COLOUR`, each of which may be empty. Raises ValueError."""
    tolerance, colour, *rest = (*effect.arguments, "", "")
    if any(rest):
        raise ValueError("effect trim takes a tolerance and a colour")
    amount = Effect(effect.name, (tolerance,) if tolerance else ())
    return _argument(amount, _EFFECTS["trim"]), parse_color(colour) if colour else None


def _trim(image: Picture, tolerance: int, colour: RGBA | None) -> Picture:
    """Crop the border of `colour`. Without a colour, crop what is transparent or has the colour of the corner."""
    if image.mode in ("LA", "RGBA") and colour is None:
        box = image.getchannel("A").point(lambda value: 255 if value * 100 > tolerance * 255 else 0).getbbox()
    else:
        rgb = image.convert("RGB")
        plain = Image.new("RGB", rgb.size, colour[:3] if colour else rgb.getpixel((0, 0)))
        difference = ImageChops.difference(rgb, plain).convert("L")
        box = difference.point(lambda value: 255 if value * 100 > tolerance * 255 else 0).getbbox()
    return image.crop(box) if box else image


def _make_transparent(image: Picture, tolerance: int, step: Step) -> Picture:
    """Make pixels transparent whose colour is near that of `co_`, or else of the corner."""
    rgba = image.convert("RGBA")
    rgb = rgba.convert("RGB")
    target = step.color[:3] if step.color else rgb.getpixel((0, 0))
    difference = ImageChops.difference(rgb, Image.new("RGB", rgb.size, target)).convert("L")
    mask = difference.point(lambda value: 255 if value * 100 > tolerance * 255 else 0)
    rgba.putalpha(ImageChops.multiply(rgba.getchannel("A"), mask))
    return rgba


def _shadow(image: Picture, strength: int, step: Step) -> Picture:
    """Draw a soft shadow below and to the right, or at `x_`, `y_`. The canvas grows to hold it."""
    x = round(step.x.pixels(image.width) if step.x else image.width * 0.04)
    y = round(step.y.pixels(image.height) if step.y else image.height * 0.04)
    x, y = max(-image.width // 2, min(x, image.width // 2)), max(-image.height // 2, min(y, image.height // 2))
    blur = max(2, strength // 4)
    blur = min(blur, image.width // 4 + 1, image.height // 4 + 1)
    left, top = max(0, blur - x, -x), max(0, blur - y, -y)
    size = image.width + left + max(0, x + blur), image.height + top + max(0, y + blur)
    rgba = image.convert("RGBA")
    shade = Image.new("L", size, 0)
    shade.paste(rgba.getchannel("A").point(lambda value: value * 0.6), (left + x, top + y))
    canvas = Image.new("RGBA", size, (*(step.color or (0, 0, 0, 255))[:3], 0))
    canvas.putalpha(shade.filter(ImageFilter.GaussianBlur(blur / 2)))
    canvas.alpha_composite(rgba, (left, top))
    return canvas


def _opacity_threshold(image: Picture, level: int, _: Step) -> Picture:
    rgba = image.convert("RGBA")
    rgba.putalpha(rgba.getchannel("A").point(lambda value: 255 if value * 100 >= level * 255 else 0))
    return rgba


_EFFECTS: dict[str, _Definition] = {
    "grayscale": _Definition(_opaque(_grayscale)),
    "blackwhite": _Definition(_opaque(_black_and_white), 0, 100, 50),
    "sepia": _Definition(_opaque(_sepia), 1, 100, 80),
    "blur": _Definition(_whole(_blur), 1, 2000, 100),
    "pixelate": _Definition(_whole(_pixelate), 1, 200, 0),
    "sharpen": _Definition(_opaque(_sharpen), 1, 2000, 100),
    "unsharp_mask": _Definition(_opaque(_unsharp_mask), 1, 2000, 100),
    "brightness": _Definition(_opaque(_brightness), -99, 100, 80),
    "brightness_hsb": _Definition(_opaque(_brightness), -99, 100, 80),
    "contrast": _Definition(_opaque(_contrast), -100, 100, 0),
    "saturation": _Definition(_opaque(_saturation), -100, 100, 80),
    "vibrance": _Definition(_opaque(_saturation), -100, 100, 20),
    "gamma": _Definition(_opaque(_gamma), -50, 150, 0),
    "hue": _Definition(_opaque(_hue), -100, 100, 80),
    "negate": _Definition(_opaque(_negate)),
    "auto_contrast": _Definition(_opaque(_auto_contrast), 0, 100, 100),
    "auto_brightness": _Definition(_opaque(_auto_contrast), 0, 100, 100),
    "auto_color": _Definition(_opaque(_auto_color), 0, 100, 100),
    "red": _Definition(_opaque(_channel(0)), -100, 100, 0),
    "green": _Definition(_opaque(_channel(1)), -100, 100, 0),
    "blue": _Definition(_opaque(_channel(2)), -100, 100, 0),
    "vignette": _Definition(_opaque(_vignette), 0, 100, 20),
    "oil_paint": _Definition(_opaque(_oil_paint), 0, 100, 30),
    "colorize": _Definition(_colorize, 0, 100, 100),
    "trim": _Definition(lambda image, tolerance, _: _trim(image, tolerance, None), 0, 100, 10),
    "make_transparent": _Definition(_make_transparent, 0, 100, 10),
    "opacity_threshold": _Definition(_opacity_threshold, 1, 100, 50),
    "shadow": _Definition(_shadow, 0, 100, 40),
}
BLEND_MODES = {
    "multiply": ImageChops.multiply,
    "screen": ImageChops.screen,
    "overlay": ImageChops.overlay,
}
"""Effects that say how a layer is blended with the image, instead of changing one image."""

EFFECT_NAMES = frozenset(_EFFECTS)
