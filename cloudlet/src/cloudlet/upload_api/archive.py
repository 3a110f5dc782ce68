"""``generate_archive``: a zip of many assets, stored as a raw asset or streamed (``mode=download``)."""

import asyncio
import time

from starlette.responses import StreamingResponse

from cloudlet import ids
from cloudlet.assets import archives, eager, parameter_values
from cloudlet.assets.archives import Entry
from cloudlet.assets.formats import made_format, needs_rendering
from cloudlet.assets.layer_loader import signed_call
from cloudlet.errors import bad_request, unauthorized
from cloudlet.model import Asset, Json, folder_of, now_iso
from cloudlet.staging import StagedBlob
from cloudlet.upload_api.upload_call import UploadCall
from cloudlet.web.headers import content_disposition


async def generate_archive(call: UploadCall) -> Json:
    """Return the fields of the stored archive, or stream the archive.

    Raises ApiError 400 for another format than zip, and 401 after ``expires_at``.
    """
    params = call.params
    if params.text("target_format", "zip") != "zip":
        raise bad_request("cloudlet makes zip archives only")
    expires_at = params.timestamp("expires_at")
    if expires_at and expires_at < time.time():
        raise unauthorized("This download link has expired")
    call.services.webhooks.parse_url(params.text("notification_url"))
    selected = await asyncio.to_thread(archives.select, call.store, params, call.resource_type)
    entries = await _entries(call, selected)
    if params.choice("mode", ("create", "download"), "create") == "download":
        name = (params.text("target_public_id") or "archive").rpartition("/")[2].removesuffix(".zip")
        return StreamingResponse(
            archives.stream(call.store, entries),
            media_type="application/zip",
            headers={"Content-Disposition": content_disposition(f"{name}.zip")},
        )
    blob = await asyncio.to_thread(_write_archive, call, entries)
    call.form.file = blob
    stored = await call.assets.save(blob, _draft(call, blob), {}, overwrite=True)
    answer = call.presenter.uploaded(stored.asset)
    answer.update(file_count=len(entries), resource_count=len(selected))
    call.assets.notify({"notification_type": "archive", **answer})
    return answer


async def _entries(call: UploadCall, selected: list[Asset]) -> list[Entry]:
    """Return the entries: the originals or, with ``transformations``, one derived file of each image for each."""
    params = call.params
    if isinstance(params.value("transformations"), list):
        params = params.with_overrides({"transformations": "|".join(params.items("transformations"))})
        call.params = params
    items = eager.parse_items(call.store, params.text("transformations"))
    entries: list[Entry] = []
    for asset in selected:
        if not items or asset.resource_type != "image":
            entries.append(Entry(asset, asset, archives.entry_name(params, asset, asset.format)))
        else:
            entries += [await _derived_entry(call, asset, item) for item in items]
    return archives.with_unique_names(entries)


async def _derived_entry(call: UploadCall, asset: Asset, item: eager.EagerItem) -> Entry:
    format_ = made_format(asset.format, item.transformation, item.transformation.format or item.format)
    name = archives.entry_name(call.params, asset, format_, item.text)
    if not needs_rendering(asset, item.transformation, format_):
        return Entry(asset, asset, name)
    made = await call.services.renderer.derived(asset, item.transformation, format_, signed_call, call.budget)
    return Entry(asset, made, name)


def _write_archive(call: UploadCall, entries: list[Entry]) -> StagedBlob:
    writer = call.store.stage()
    try:
        for chunk in archives.stream(call.store, entries):
            writer.write(chunk)
    except BaseException:
        writer.abort()
        raise
    return writer.finish()


def _draft(call: UploadCall, blob: StagedBlob) -> Asset:
    public_id = call.params.text("target_public_id") or ids.random_id()
    public_id = ids.checked_public_id(public_id, "target_public_id")
    if not public_id.endswith(".zip"):
        public_id += ".zip"
    return Asset(
        resource_type="raw",
        type=ids.checked_type(call.params.text("type", "upload")),
        public_id=public_id,
        bytes=blob.size,
        etag=blob.md5,
        created_at=now_iso(),
        tags=parameter_values.tags(call.params, "target_tags"),
        asset_folder=folder_of(public_id),
        display_name=public_id.rpartition("/")[2],
    )
