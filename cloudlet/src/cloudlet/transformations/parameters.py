"""One reader per parameter. It takes the text after the underscore and returns fields of a `Step`.

A reader raises ValueError with the reason. The parser adds which component is at fault.
"""

import math
import re
from collections.abc import Callable
from typing import Any, Literal, cast

from cloudlet.transformations.breakpoints import parse_breakpoints
from cloudlet.transformations.colors import parse_color
from cloudlet.transformations.effects import check_effect
from cloudlet.transformations.model import Background, Border, Corners, Effect, Length, Quality
from cloudlet.transformations.vocabulary import AUTO_GRAVITY_CROPS, COMPASS, CROP_MODES, FLAGS, FORMATS, VIDEO_FORMATS

MAX_SIDE_PIXELS = 30_000
_INTEGER = re.compile(r"-?\d{1,6}")
_DECIMAL = re.compile(r"-?(\d{1,6}\.\d{1,8}|\.\d{1,8}|\d{1,6}\.)")
_ANGLES = frozenset({"auto", "auto_right", "auto_left", "ignore", "exif", "vflip", "hflip"})

Fields = dict[str, Any]
Reader = Callable[[str], Fields]


def read_integer(text: str, low: int, high: int) -> int:
    """Return `text` as a whole number. Raises ValueError if it is not one, or outside of `low` to `high`."""
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
    return int(text)


def read_number(text: str, low: float, high: float) -> float:
    """Return `text` as a number. Raises ValueError if it is not one, or outside of `low` to `high`."""
    if not (_INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text)) or not low <= float(text) <= high:
        raise ValueError(f"{text!r} is not a number from {low:g} to {high:g}")
    return float(text)


def _length(text: str, low: float) -> Length:
    if _DECIMAL.fullmatch(text):
        return Length(read_number(text, low, 100.0), relative=True)
    return Length(read_integer(text, int(low), MAX_SIDE_PIXELS))


def _side(name: str) -> Reader:
    def read(text: str) -> Fields:
        if text == "auto" or text.startswith("auto:"):
            return _auto_side(name, text)
        length = _length(text, 0)
        if length.value <= 0:
            raise ValueError(f"{text!r} must be greater than 0")
        return {name: length}

    return read


def _auto_side(name: str, text: str) -> Fields:
    """Read `auto[:STEP[:FALLBACK]]` or `auto:breakpoints[_SETTINGS][:json]`.

    Client hints are not read, so `auto` means what it means on Cloudinary for a browser that sends none.
    """
    _, *arguments = text.split(":")
    match arguments:
        case [] | ["breakpoints"]:
            return {name: None}
        case [settings] if settings.startswith("breakpoints"):
            parse_breakpoints(settings)
            return {name: None}
        case [settings, "json"] if name == "width":
            return {name: None, "breakpoints": parse_breakpoints(settings)}
        case [step]:
            read_integer(step, 1, MAX_SIDE_PIXELS)
            return {name: None}
        case [step, fallback]:
            read_integer(step, 1, MAX_SIDE_PIXELS)
            return {name: Length(read_integer(fallback, 1, MAX_SIDE_PIXELS))}
    raise ValueError(f"{text!r} is not written auto, auto:100:400 or auto:breakpoints_50_1000_20_20:json")


def _offset(name: str) -> Reader:
    return lambda text: {name: _length(text, -MAX_SIDE_PIXELS)}


def _aspect_ratio(text: str) -> Fields:
    width, colon, height = text.partition(":")
    ratio = read_number(width, 0.0, 999_999)
    if colon:
        divisor = read_number(height, 0.0, 999_999)
        ratio = ratio / divisor if divisor else 0.0
    if not 0.001 <= ratio <= 1000:
        raise ValueError(f"{text!r} is not an aspect ratio such as 16:9 or 1.5")
    return {"aspect_ratio": ratio}


def _crop(text: str) -> Fields:
    if text not in CROP_MODES:
        raise ValueError(f"crop mode {text!r} is unknown to cloudlet; known are {', '.join(sorted(CROP_MODES))}")
    return {"crop": text}


def _gravity(text: str) -> Fields:
    focus = text.partition(":")[0]
    if text in COMPASS or text == "xy_center" or focus in ("auto", "face", "faces", "custom"):
        return {"gravity": text}
    raise ValueError(
        f"gravity {text!r} is unknown to cloudlet; known are {', '.join(sorted(COMPASS))}, auto, face, xy_center"
    )


def _dpr(text: str) -> Fields:
    return {"dpr": 1.0 if text == "auto" else read_number(text, 0.1, 10.0)}


def _angle(text: str) -> Fields:
    angles = tuple(re.split(r"[.:]", text))
    for angle in angles:
        if angle not in _ANGLES:
            read_integer(angle, -3600, 3600)
    return {"angles": angles}


def _effect(text: str) -> Fields:
    name, *arguments = text.split(":")
    effect = Effect(name, tuple(arguments))
    check_effect(effect)
    return {"effect": effect}


def _radius(text: str) -> Fields:
    if text == "max":
        return {"radius": "max"}
    values = [read_integer(part, 0, MAX_SIDE_PIXELS) for part in text.split(":")]
    match values:
        case [all_]:
            corners: Corners = (all_, all_, all_, all_)
        case [a, b]:
            corners = (a, b, a, b)
        case [a, b, c]:
            corners = (a, b, c, b)
        case [a, b, c, d]:
            corners = (a, b, c, d)
        case _:
            raise ValueError(f"{text!r} has more than four corners")
    return {"radius": corners}


def _border(text: str) -> Fields:
    match = re.fullmatch(r"(\d{1,4})px_solid_(.+)", text)
    if not match:
        raise ValueError(f"{text!r} is not a border such as 4px_solid_black")
    return {"border": Border(read_integer(match[1], 0, 1000), parse_color(match[2]))}


def _background(text: str) -> Fields:
    kind, *arguments = text.split(":")
    if kind == "blurred":
        defaults = [100, 0]
        values = [read_integer(argument, -100, 2000) for argument in arguments[:2]] + defaults[len(arguments) :]
        return {"background": Background("blurred", intensity=max(1, values[0]), brightness=values[1])}
    if kind == "auto":
        if arguments not in ([], ["border"], ["predominant"], ["border_contrast"], ["predominant_contrast"]):
            raise ValueError(f"background {text!r} is not implemented by cloudlet; b_auto and b_auto:border are")
        return {"background": Background("auto")}
    if kind.startswith("gen_"):
        raise ValueError(f"background {kind!r} is not implemented by cloudlet")
    return {"background": Background("color", parse_color(text))}


def _quality(text: str) -> Fields:
    level, *arguments = text.split(":")
    if level == "auto":
        goal = next((argument for argument in arguments if argument != "444"), "good")
        if goal not in ("best", "good", "eco", "low", "sensitive"):
            raise ValueError(
                f"quality {text!r} is unknown to cloudlet; known are auto:best, auto:good, auto:eco and auto:low"
            )
        auto = cast(Literal["best", "good", "eco", "low"], "best" if goal == "sensitive" else goal)
        return {"quality": Quality(auto=auto, full_chroma="444" in arguments)}
    if level == "jpegmini":
        raise ValueError("JPEGmini is not implemented by cloudlet")
    if arguments not in ([], ["420"], ["444"]):
        raise ValueError(f"chroma subsampling {':'.join(arguments)!r} is unknown; known are 420 and 444")
    return {"quality": Quality(level=max(1, math.ceil(read_number(level, 0, 100))), full_chroma="444" in arguments)}


def _format(text: str) -> Fields:
    name = "auto" if text in ("auto", "auto:image", "auto:video", "auto:animated") else text
    if name != "auto" and name not in FORMATS and name not in VIDEO_FORMATS:
        raise ValueError(f"format {text!r} can't be made by cloudlet; known are auto, {', '.join(sorted(FORMATS))}")
    return {"format": "jpg" if name in ("jpeg", "jpe") else name}


def _video_codec(text: str) -> Fields:
    """Accept `auto`, which needs no work because videos are delivered as they are, and refuse all else."""
    if text != "auto":
        raise ValueError("video transformations are not implemented by cloudlet")
    return {}


def _flags(text: str) -> Fields:
    attachment = None
    flags = set()
    for flag in re.split(r"\.(?=[a-z_0-9]+(?:[.:]|$))", text) if not text.startswith("attachment:") else [text]:
        name, colon, argument = flag.partition(":")
        if name not in FLAGS:
            raise ValueError(f"flag {name!r} is unknown or not implemented by cloudlet")
        if name == "progressive" and argument not in ("", "semi", "steep", "none"):
            raise ValueError(f"progressive mode {argument!r} is unknown; known are semi, steep and none")
        if colon and name not in ("attachment", "progressive"):
            raise ValueError(f"flag {name!r} takes no value")
        if name == "attachment":
            attachment = argument or None
        flags.add("progressive_none" if flag == "progressive:none" else name)
    return {"flags": frozenset(flags), "attachment": attachment}


def _page(text: str) -> Fields:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"pages written as {text!r} are not implemented by cloudlet; pg_1 is")
    return {"page": read_integer(text, 1, 100_000)}


def _default_image(text: str) -> Fields:
    return {"default_image": text.replace(":", "/")}


READERS: dict[str, Reader] = {
    "w": _side("width"),
    "h": _side("height"),
    "x": _offset("x"),
    "y": _offset("y"),
    "ar": _aspect_ratio,
    "c": _crop,
    "g": _gravity,
    "z": lambda text: {"zoom": read_number(text, 0.01, 100)},
    "dpr": _dpr,
    "a": _angle,
    "e": _effect,
    "r": _radius,
    "bo": _border,
    "b": _background,
    "co": lambda text: {"color": parse_color(text)},
    "o": lambda text: {"opacity": read_integer(text, 0, 100)},
    "q": _quality,
    "f": _format,
    "fl": _flags,
    "pg": _page,
    "dn": lambda text: {"density": read_integer(text, 1, 600)},
    "d": _default_image,
    "vc": _video_codec,
}


def check_combination(fields: Fields) -> None:
    """Raise ValueError if the parameters of one component, each valid by itself, contradict one another."""
    crop, gravity = fields.get("crop"), fields.get("gravity")
    if gravity and gravity.partition(":")[0] == "auto" and crop not in AUTO_GRAVITY_CROPS:
        raise ValueError("Use auto gravity only with crop, fill, lfill, fill_pad or thumb")
    if crop == "fill_pad" and not (gravity or "").startswith("auto"):
        raise ValueError("crop mode fill_pad needs g_auto")
    sized = any(fields.get(name) is not None for name in ("width", "height", "aspect_ratio"))
    if crop in ("pad", "lpad", "mpad", "fill_pad", "auto_pad", "fill", "lfill", "thumb") and not sized:
        raise ValueError(f"crop mode {crop} needs w_, h_ or ar_")
