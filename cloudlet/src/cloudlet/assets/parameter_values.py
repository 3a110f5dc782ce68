"""Parse the notations inside upload parameters, such as ``k=v|k=v``, tags and coordinates.

All functions raise ApiError 400 if the value is invalid.
"""

import json
import re

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.web.params import Params

_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")
_UNESCAPED_EQUALS = re.compile(r"(?<!\\)=")
_ESCAPED = re.compile(r"\\([|=\\\"])")
_MAX_TAG_LENGTH = 255


def pairs(params: Params, name: str) -> dict[str, str]:
    r"""Return the pairs of ``k=v|k2=v2``, where ``\|`` and ``\=`` stand for the characters, or of a JSON object."""
    value = params.value(name)
    if value is None:
        return {}
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = params.json(name)
    if isinstance(value, dict):
        return {str(key): item if isinstance(item, str) else json.dumps(item) for key, item in value.items()}
    found: dict[str, str] = {}
    for pair in _UNESCAPED_BAR.split(params.text(name)):
        if not pair:
            continue
        parts = _UNESCAPED_EQUALS.split(pair, maxsplit=1)
        if len(parts) != 2 or not parts[0]:
            raise bad_request(f"Invalid value for parameter {name}: write key=value pairs separated by |")
        found[_ESCAPED.sub(r"\1", parts[0])] = _ESCAPED.sub(r"\1", parts[1])
    return found


def tags(params: Params, name: str = "tags") -> list[str]:
    """Return the tags without duplicates, in their order."""
    found = list(dict.fromkeys(params.texts(name)))
    for tag in found:
        if len(tag) > _MAX_TAG_LENGTH:
            raise bad_request(f"Tag {tag[:40]}... is too long: at most {_MAX_TAG_LENGTH} characters")
    return found


def coordinates(params: Params, name: str) -> list[list[int]]:
    """Return the rectangles of ``x,y,w,h|x,y,w,h``."""
    text = params.text(name)
    if not text:
        return []
    rectangles = [rectangle.split(",") for rectangle in text.split("|")]
    if any(len(numbers) != 4 or not all(re.fullmatch(r"-?\d{1,6}", n) for n in numbers) for numbers in rectangles):
        raise bad_request(f"Invalid value for parameter {name}: write x,y,width,height rectangles separated by |")
    return [[int(number) for number in numbers] for numbers in rectangles]


def clipped(rectangles: list[list[int]], width: int | None, height: int | None) -> list[list[int]]:
    """Return the rectangles, clipped to the size of the image if it is known."""
    if width is None or height is None:
        return rectangles
    return [[x, y, min(w, width - x), min(h, height)] for x, y, w, h in rectangles]


def access_control(params: Params) -> list[dict[str, Json]]:
    """Return the list of ``{"access_type": ..., "start": ..., "end": ...}``."""
    rules = params.json("access_control")
    if rules is None:
        return []
    if isinstance(rules, dict):
        rules = [rules]
    if not isinstance(rules, list) or any(
        not isinstance(rule, dict) or rule.get("access_type") not in ("anonymous", "token") for rule in rules
    ):
        raise bad_request("Invalid access_control: access_type must be anonymous or token")
    return rules
