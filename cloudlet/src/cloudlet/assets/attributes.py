"""Set the descriptive attributes of an asset: tags, context, coordinates, access, moderation, analyses."""

import asyncio

from cloudlet import pictures
from cloudlet.assets import parameter_values
from cloudlet.errors import bad_request
from cloudlet.media.file_info import MediaInfo
from cloudlet.model import Asset, Json, now_iso
from cloudlet.pictures import CpuBudget, analysis
from cloudlet.staging import StagedBlob
from cloudlet.store import Store
from cloudlet.web.params import Params

_MAX_HEADERS = 20


def apply(params: Params, asset: Asset) -> None:
    """Overwrite the attributes of ``asset`` that ``params`` contain, except metadata, which needs the index.

    Raises ApiError 400 if a value is invalid.
    """
    if "tags" in params:
        asset.tags = parameter_values.tags(params)
    if "context" in params:
        asset.context = dict(parameter_values.pairs(params, "context"))
    if "access_control" in params:
        asset.access_control = parameter_values.access_control(params)
    if "display_name" in params:
        asset.display_name = params.text("display_name")
    if "headers" in params:
        asset.extra["headers"] = _headers(params)
    if "moderation" in params:
        asset.moderation = [_moderation(params)]
    _coordinates(params, asset)


def _coordinates(params: Params, asset: Asset) -> None:
    faces = parameter_values.coordinates(params, "face_coordinates")
    custom = parameter_values.coordinates(params, "custom_coordinates")
    kept = dict(asset.extra.get("coordinates") or {})
    if faces:
        kept["faces"] = faces
        asset.extra["faces"] = faces
    if custom:
        kept["custom"] = custom
    if "regions" in params:
        asset.extra["regions"] = params.json("regions")
    if kept:
        asset.extra["coordinates"] = kept


def _headers(params: Params) -> list[str]:
    lines = [line.strip() for line in params.text("headers").split("\n") if line.strip()]
    if len(lines) > _MAX_HEADERS or any(":" not in line or not line.isprintable() for line in lines):
        raise bad_request("Invalid headers: write Name: value lines")
    return lines


def _moderation(params: Params) -> dict[str, Json]:
    kind = params.text("moderation")
    if kind != "manual":
        raise bad_request(f"Moderation {kind[:60]} is invalid: cloudlet knows manual moderation only")
    return {"kind": "manual", "status": "pending", "updated_at": now_iso()}


def requested_analyses(params: Params) -> list[str]:
    """Return the names of the analyses that the call requests."""
    return [name for name in analysis.AVAILABLE if params.flag(name)]


async def analyse_upload(params: Params, asset: Asset, blob: StagedBlob, info: MediaInfo, budget: CpuBudget) -> None:
    """Add the requested analyses to an asset whose bytes are still staged. Fields that it has already are kept."""
    wanted = requested_analyses(params)
    if "faces" in asset.extra:
        asset.extra["faces"] = parameter_values.clipped(asset.extra["faces"], asset.width, asset.height)
    if wanted and info.resource_type == "image" and info.format not in ("svg", "pdf"):
        found = await asyncio.to_thread(pictures.analyse, pictures.source_of(blob), wanted, budget)
        asset.extra = {**found, **asset.extra}


async def analyse_stored(params: Params, asset: Asset, store: Store) -> None:
    """Add the requested analyses that a stored asset does not have yet."""
    wanted = [name for name in requested_analyses(params) if name not in asset.extra]
    if wanted:
        asset.extra.update(await asyncio.to_thread(pictures.analyse_stored, store, asset, wanted))
