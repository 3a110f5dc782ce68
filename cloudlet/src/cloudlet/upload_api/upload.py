"""``upload``: store a file as an asset."""

import asyncio

from cloudlet import ids
from cloudlet.assets import addons, attributes, eager, parameter_values, upload_presets
from cloudlet.assets.formats import canonical
from cloudlet.errors import bad_request
from cloudlet.media.file_info import MediaInfo, UnknownFormatError, inspect
from cloudlet.model import Asset, Json, now_iso
from cloudlet.staging import StagedBlob
from cloudlet.store.assets import Stored
from cloudlet.upload_api import breakpoints, chunks, incoming, naming, tokens
from cloudlet.upload_api.file_parameter import UploadedFile, read_file
from cloudlet.upload_api.upload_call import UploadCall

MAX_INLINE_BYTES = 64 * 1024
_FAST_SIGNATURES = (b"\x89PNG", b"\xff\xd8")


async def upload(call: UploadCall) -> Json:
    """Store a file, or one part of a chunked upload."""
    call.params = upload_presets.apply(call.params, call.store, call.settings, unsigned=call.unsigned)
    addons.refuse_in_upload(call.params)
    source = await read_file(call)
    part = chunks.part_of(call.request)
    if part is not None:
        return await chunks.receive(call, source, part, finish)
    return await finish(call, source)


async def finish(call: UploadCall, source: UploadedFile) -> Json:
    """Store a complete file and return the response. Raises ApiError 400 if a parameter or the file is invalid."""
    params = call.params
    points = breakpoints.parse_requests(call)
    for name in ("notification_url", "eager_notification_url"):
        call.services.webhooks.parse_url(params.text(name))
    info = await _inspect(call, source.blob)
    items = eager.parse_items(call.store, params.text("eager"), info.resource_type)
    blob, info = await incoming.transform(call, source.blob, info)
    _check_format(call, info.resource_type, info.format or _extension(source.filename))
    asset = draft(call, info, blob, source.filename)
    await attributes.analyse_upload(params, asset, blob, info, call.budget)
    overwrite = params.flag("overwrite", not call.unsigned)
    metadata = parameter_values.pairs(params, "metadata")
    stored = await call.assets.save(blob, asset, metadata, overwrite=overwrite)
    answer = _answer(call, stored)
    if points:
        answer["responsive_breakpoints"] = await breakpoints.compute(call, stored.asset, points)
    await call.assets.add_eager(stored.asset, items, answer)
    call.assets.notify({"notification_type": "upload", **answer})
    if params.flag("async"):
        return {"status": "pending", "batch_id": params.text("batch_id") or ids.random_id(32)}
    return answer


async def _inspect(call: UploadCall, blob: StagedBlob) -> MediaInfo:
    limit = call.settings.max_pixels
    # A thread costs more than reading the header of a small PNG or JPEG. Anything else may block the event loop.
    try:
        if blob.size <= MAX_INLINE_BYTES and blob.data is not None and blob.data.startswith(_FAST_SIGNATURES):
            return inspect(blob, call.resource_type, limit)
        return await asyncio.to_thread(inspect, blob, call.resource_type, limit)
    except UnknownFormatError as error:
        _check_format(call, call.resource_type, error.format)
        raise


def _extension(filename: str | None) -> str:
    stem, _, extension = (filename or "").rpartition(".")
    return extension.lower() if stem else ""


def _check_format(call: UploadCall, resource_type: str, format_: str) -> None:
    """Raise ApiError 400 if a format, or "" for an unknown one, is not among ``allowed_formats``."""
    allowed = incoming.allowed_formats(call)
    if allowed and canonical(format_) not in allowed:
        what = f"{resource_type.capitalize()} file format {format_}" if format_ else "An unknown file format"
        raise bad_request(f"{what} not allowed")


def draft(call: UploadCall, info: MediaInfo, blob: StagedBlob, filename: str | None) -> Asset:
    """Return the asset that the parameters describe, before it is stored."""
    params = call.params
    names = naming.choose(params, filename, info.resource_type, call.settings.folder_mode)
    asset = Asset(
        resource_type=info.resource_type,
        type=ids.checked_type(params.text("type", "upload")),
        public_id=names.public_id,
        format=info.format,
        bytes=blob.size,
        etag=blob.md5,
        width=info.width,
        height=info.height,
        pages=info.pages,
        duration=info.duration,
        extra={"video": info.video} if info.video else {},
        created_at=now_iso(),
        original_filename="" if params.flag("discard_original_filename") else names.original_filename,
        asset_folder=names.asset_folder,
        access_mode=params.choice("access_mode", ("public", "authenticated"), "public"),
        backup=params.flag("backup", call.settings.backup),
    )
    attributes.apply(params, asset)
    asset.display_name = names.display_name
    return asset


def _answer(call: UploadCall, stored: Stored) -> dict[str, Json]:
    params, asset = call.params, stored.asset
    fields = call.presenter.uploaded(asset)
    fields["api_key"] = call.settings.api_key
    fields.update(call.presenter.analyses(asset, attributes.requested_analyses(params)))
    if stored.existing:
        fields["existing"] = True
    if stored.overwritten:
        fields["overwritten"] = True
    if params.flag("return_delete_token") and not stored.existing:
        fields["delete_token"] = tokens.issue(asset, call.settings.api_secret)
    return fields
