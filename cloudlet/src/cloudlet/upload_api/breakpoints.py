"""``responsive_breakpoints``: the widths in which an image should be delivered."""

import dataclasses
import json
import re

from cloudlet.assets import eager
from cloudlet.assets.formats import split_format
from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json
from cloudlet.transformations.breakpoints import MAX_IMAGES, Breakpoints
from cloudlet.upload_api.upload_call import UploadCall

_SETTINGS = tuple(field.name for field in dataclasses.fields(Breakpoints))


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One entry of the parameter."""

    transformation: str
    format: str
    breakpoints: Breakpoints


def parse_requests(call: UploadCall) -> list[Request]:
    """Return the entries of the parameter. Raises ApiError 400 if one is invalid."""
    value = call.params.json("responsive_breakpoints")
    if value is None:
        return []
    entries = value if isinstance(value, list) else [value]
    return [_request(entry) for entry in entries]


def _request(entry: Json) -> Request:
    entry = _parsed_json(entry) if isinstance(entry, str) else entry
    if not isinstance(entry, dict):
        raise bad_request("Invalid value for parameter responsive_breakpoints: must be JSON objects")
    numbers = {name: _positive(name, entry[name]) for name in _SETTINGS if entry.get(name) is not None}
    if numbers.get("max_images", 0) > MAX_IMAGES:
        raise bad_request(f"Invalid value for responsive_breakpoints: max_images may be {MAX_IMAGES} at most")
    chain, extension = split_format(str(entry.get("transformation") or ""))
    return Request(chain, str(entry.get("format") or extension), Breakpoints(**numbers))


def _parsed_json(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_request("Invalid value for parameter responsive_breakpoints: must be valid JSON") from error


def _positive(name: str, value: Json) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(value) < 1:
        raise bad_request(f"Invalid value for responsive_breakpoints: {name} must be a positive number")
    return int(value)


async def compute(call: UploadCall, asset: Asset, requests: list[Request]) -> list[dict[str, Json]]:
    """Return the field ``responsive_breakpoints`` of the response for an image asset.

    Raises ApiError 400 if an entry's transformation fails or the asset has no size.
    """
    return [await _compute_one(call, asset, request) for request in requests]


async def _compute_one(call: UploadCall, asset: Asset, request: Request) -> dict[str, Json]:
    width, height, size = await _base_size(call, asset, request)
    breakpoints = []
    for chosen in request.breakpoints.widths(width, size):
        step = f"c_scale,w_{chosen}"
        chain = f"{request.transformation}/{step}" if request.transformation else step
        breakpoints.append(
            {
                "width": chosen,
                "height": max(1, round(height * chosen / width)),
                "bytes": round(size * (chosen / width) ** 2),
                **call.presenter.urls(asset, transformation=chain, format_=request.format or None),
            }
        )
    answer: dict[str, Json] = {"breakpoints": breakpoints}
    if request.transformation:
        answer = {"transformation": request.transformation, **answer}
    return answer


async def _base_size(call: UploadCall, asset: Asset, request: Request) -> tuple[int, int, int]:
    """Return width, height and bytes of the image to scale, after the entry's own transformation."""
    if request.transformation:
        items = eager.parse_items(call.store, request.transformation)
        made = (await call.assets.derive(asset, items))[0]
        if "width" in made:
            return made["width"], made["height"], made["bytes"]
        if made.get("status") == "failed":
            raise bad_request(f"responsive_breakpoints: {made['reason']}")
    if not asset.width or not asset.height:
        raise bad_request("responsive_breakpoints: the asset has no size")
    return asset.width, asset.height, asset.bytes
