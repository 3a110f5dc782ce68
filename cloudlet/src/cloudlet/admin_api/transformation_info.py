"""Convert a transformation to the list of named parameters that the Admin API calls ``info``."""

import re

from cloudlet.assets.formats import split_format
from cloudlet.model import Json

_NAMES = {
    "a": "angle", "ac": "audio_codec", "af": "audio_frequency", "ar": "aspect_ratio", "b": "background",
    "bo": "border", "br": "bit_rate", "c": "crop", "co": "color",
    "d": "default_image", "dl": "delay", "dn": "density", "dpr": "dpr", "du": "duration", "e": "effect",
    "eo": "end_offset", "f": "fetch_format", "fl": "flags", "fps": "fps", "g": "gravity", "h": "height", "l": "overlay",
    "o": "opacity", "p": "prefix", "pg": "page", "q": "quality", "r": "radius", "so": "start_offset",
    "sp": "streaming_profile", "t": "transformation", "u": "underlay", "vc": "video_codec", "w": "width",
    "x": "x", "y": "y", "z": "zoom",
}  # fmt: skip


def info_of(text: str) -> list[dict[str, Json]]:
    """Return the info of ``c_scale,w_100/e_sepia``: ``[{"crop": "scale", "width": 100}, {"effect": "sepia"}]``.

    A format after the chain (``.../png``, or ``.../`` for none) becomes the ``extension`` of the last step.
    """
    chain, extension = split_format(text)
    steps = [_step(component) for component in chain.split("/") if component]
    if chain != text:
        steps = [*steps[:-1], {**(steps[-1] if steps else {}), "extension": extension or "none"}]
    return steps


def _step(component: str) -> dict[str, Json]:
    step: dict[str, Json] = {}
    for part in component.split(","):
        key, underscore, value = part.partition("_")
        name = _NAMES.get(key)
        if not underscore or name is None:
            step["raw_transformation"] = ",".join(filter(None, [step.get("raw_transformation"), part]))
        else:
            step[name] = _number(value)
    return step


def _number(value: str) -> Json:
    if re.fullmatch(r"-?\d{1,9}", value):
        return int(value)
    return float(value) if re.fullmatch(r"-?\d{1,9}\.\d{1,9}", value) else value
