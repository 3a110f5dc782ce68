"""Transformations around an upload: the incoming one, before storing, and eager ones, after it."""

import asyncio
import dataclasses

from cloudlet.assets.formats import canonical, made_format, needs_rendering, refuse_transformation
from cloudlet.assets.layer_loader import signed_call
from cloudlet.assets.named_transformations import parse_parameter
from cloudlet.errors import ApiError, bad_request
from cloudlet.media.file_info import IMAGE_FORMATS, MediaInfo, inspect
from cloudlet.model import Asset, Derived, Json
from cloudlet.pictures import source_of
from cloudlet.staging import StagedBlob
from cloudlet.transformations import Transformation, TransformationError, looks_like_transformation
from cloudlet.transformations.vocabulary import VIDEO_FORMATS
from cloudlet.upload_api.upload_call import UploadCall

_KNOWN_FORMATS = frozenset({*IMAGE_FORMATS.values(), "jpeg", "tiff", "pdf", *VIDEO_FORMATS})


@dataclasses.dataclass(frozen=True, slots=True)
class EagerItem:
    """One ``transformation[/format]`` of the ``eager`` parameter. ``problem`` says why it cannot be made."""

    text: str
    format: str
    transformation: Transformation
    problem: str = ""


def parsed(call: UploadCall, name: str = "eager", resource_type: str = "image") -> list[EagerItem]:
    """Return the items of ``eager``; 400 names the one that makes no sense, before anything is stored.

    Of a video, whose transformations are not understood here, the file is worth keeping all the same: the items that
    cannot be made carry their problem.
    """
    texts = [text for text in call.params.text(name).split("|") if text]
    return [_item(call, *split_format(text), resource_type) for text in texts]


def _item(call: UploadCall, chain: str, extension: str, resource_type: str) -> EagerItem:
    try:
        return EagerItem(chain, extension, parse_parameter(call.store, chain))
    except ApiError as error:
        if resource_type == "image":
            raise
        return EagerItem(chain, extension, Transformation(), error.message)


def split_format(text: str) -> tuple[str, str]:
    """``c_scale,w_100/png`` into chain and format; the format may be absent or empty."""
    chain, slash, last = text.rpartition("/")
    if slash and (not last or (last.lower() in _KNOWN_FORMATS and not looks_like_transformation(last))):
        return chain, last.lower()
    return text, ""


async def incoming(call: UploadCall, blob: StagedBlob, info: MediaInfo) -> tuple[StagedBlob, MediaInfo]:
    """Return what ``transformation`` and ``format`` make of an image; the same blob when they ask for nothing.

    A format that ``allowed_formats`` names is kept: ``format`` is then what the others become. 400 for what cannot be
    done to a video.
    """
    chain, format_ = call.params.text("transformation"), call.params.text("format").lower()
    if canonical(info.format) in allowed_formats(call):
        format_ = ""
    if info.resource_type == "video":
        _refuse("video", info.format, parse_parameter(call.store, chain), format_)
    wanted = canonical(format_ or info.format)
    if info.resource_type != "image" or (not chain and wanted == canonical(info.format)):
        return blob, info
    transformation = parse_parameter(call.store, chain)
    wanted = made_format(info.format, transformation, transformation.format or wanted)
    made = await call.services.renderer.transformed(
        source_of(blob), transformation, wanted, authorise=signed_call, budget=call.budget
    )
    replacement = call.store.blobs.stage_bytes(made.content)
    blob.discard()
    call.form.file = replacement
    return replacement, await asyncio.to_thread(inspect, replacement, "image", call.settings.max_pixels)


def allowed_formats(call: UploadCall) -> set[str]:
    """Return the formats that the call restricts its file to; empty without a restriction."""
    return {canonical(name.lower()) for name in call.params.texts("allowed_formats")}


async def run(call: UploadCall, asset: Asset, items: list[EagerItem]) -> list[dict[str, Json]]:
    """Makes the derived files and answers them as the ``eager`` field; a failed one carries its reason."""
    return [await _run_one(call, asset, item) for item in items]


async def _run_one(call: UploadCall, asset: Asset, item: EagerItem) -> dict[str, Json]:
    format_ = item.transformation.format or item.format
    format_ = made_format(asset.format, item.transformation, "" if format_ == "auto" else format_)
    fields: dict[str, Json] = {"transformation": item.text}
    urls = call.presenter.urls(asset, transformation=item.text, format_=item.format or asset.format)
    try:
        derived = await _derived(call, asset, item, format_)
    except ApiError as error:
        return {**fields, "status": "failed", "reason": error.message, **urls}
    sizes = {"width": derived.width, "height": derived.height}
    fields.update({name: size for name, size in sizes.items() if size is not None})
    return {**fields, "bytes": derived.bytes, "format": derived.format, **urls}


async def _derived(call: UploadCall, asset: Asset, item: EagerItem, format_: str) -> Derived | Asset:
    if item.problem:
        raise bad_request(item.problem)
    if asset.resource_type != "image":
        _refuse(asset.resource_type, asset.format, item.transformation, item.format)
        return asset
    if not needs_rendering(asset, item.transformation, format_):
        raise bad_request(f"{item.text} changes nothing about this asset")
    return await call.services.renderer.derived(asset, item.transformation, format_, signed_call, call.budget)


def _refuse(resource_type: str, stored: str, transformation: Transformation, format_: str) -> None:
    """Raise 400 for what makes another file of one that is kept as it is."""
    try:
        refuse_transformation(resource_type, stored, transformation, format_)
    except TransformationError as error:
        raise bad_request(str(error)) from error


def pending(call: UploadCall, asset: Asset, items: list[EagerItem]) -> list[dict[str, Json]]:
    """The ``eager`` field of a call with ``eager_async``."""
    return [
        {
            "transformation": item.text,
            "status": "processing",
            **call.presenter.urls(asset, transformation=item.text, format_=item.format or asset.format),
        }
        for item in items
    ]
