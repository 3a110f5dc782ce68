"""``upload``: bytes in, asset out."""

import asyncio
from collections.abc import Mapping

from cloudlet import ids
from cloudlet.assets import addons, attributes, parameter_values, upload_presets
from cloudlet.assets.background import run_later
from cloudlet.assets.formats import canonical
from cloudlet.errors import bad_request
from cloudlet.media.file_info import MediaInfo, UnknownFormatError, inspect
from cloudlet.model import Asset, Json, now_iso
from cloudlet.staging import StagedBlob
from cloudlet.store import Transaction, assets
from cloudlet.store.assets import Stored
from cloudlet.structured_metadata import values as metadata_values
from cloudlet.upload_api import breakpoints, chunks, eager, naming, tokens
from cloudlet.upload_api.file_parameter import Source, obtain
from cloudlet.upload_api.upload_call import UploadCall

INLINE_BYTES = 64 * 1024
_QUICK = (b"\x89PNG", b"\xff\xd8")


async def upload(call: UploadCall) -> Json:
    """One upload, or one chunk of a large one."""
    call.params = upload_presets.applied(call, unsigned=call.unsigned)
    addons.refuse_in_upload(call.params)
    source = await obtain(call)
    part = chunks.part_of(call.request)
    if part is not None:
        return await chunks.receive(call, source, part, finish)
    return await finish(call, source)


async def finish(call: UploadCall, source: Source) -> Json:
    """From complete bytes to the answer."""
    params = call.params
    points = breakpoints.parsed(call)
    for name in ("notification_url", "eager_notification_url"):
        call.services.webhooks.checked(params.text(name))
    info = await _inspect(call, source.blob)
    items = eager.parsed(call, resource_type=info.resource_type)
    blob, info = await eager.incoming(call, source.blob, info)
    _check_format(call, info.resource_type, info.format or _extension(source.filename))
    asset = draft(call, info, blob, source.filename)
    await attributes.analyse_upload(params, asset, blob, info, call.budget)
    overwrite = params.flag("overwrite", not call.unsigned)
    stored = await store(call, blob, asset, parameter_values.pairs(params, "metadata"), overwrite=overwrite)
    answer = _answer(call, stored)
    if points:
        answer["responsive_breakpoints"] = await breakpoints.compute(call, stored.asset, points)
    await add_eager(call, stored.asset, items, answer)
    notify(call, {"notification_type": "upload", **answer})
    if params.flag("async"):
        return {"status": "pending", "batch_id": params.text("batch_id") or ids.random_id(32)}
    return answer


async def add_eager(call: UploadCall, asset: Asset, items: list[eager.EagerItem], answer: dict[str, Json]) -> None:
    """The ``eager`` field: made now, or promised when ``eager_async`` is set."""
    if not items:
        return
    if not call.params.flag("eager_async"):
        answer["eager"] = await eager.run(call, asset, items)
        return
    answer["eager"] = eager.pending(call, asset, items)
    answer["batch_id"] = call.params.text("batch_id") or ids.random_id(32)

    async def work() -> None:
        made = await eager.run(call, asset, items)
        body = {"notification_type": "eager", "batch_id": answer["batch_id"], "public_id": asset.public_id}
        url = call.params.text("eager_notification_url") or call.params.text("notification_url")
        call.services.webhooks.notify(url, {**body, "asset_id": asset.asset_id, "eager": made})

    run_later(work())


def notify(call: UploadCall, body: dict[str, Json]) -> None:
    """Tells ``notification_url``, if the call named one, and whoever set a trigger."""
    batch = {"batch_id": call.params.text("batch_id")} if "batch_id" in call.params else {}
    call.services.webhooks.notify(call.params.text("notification_url"), {"timestamp": now_iso(), **batch, **body})


async def _inspect(call: UploadCall, blob: StagedBlob) -> MediaInfo:
    limit = call.settings.max_pixels
    # A thread costs more than reading the header of a small picture; anything else may take its time.
    try:
        if blob.size <= INLINE_BYTES and blob.data is not None and blob.data.startswith(_QUICK):
            return inspect(blob, call.resource_type, limit)
        return await asyncio.to_thread(inspect, blob, call.resource_type, limit)
    except UnknownFormatError as error:
        _check_format(call, call.resource_type, error.format)
        raise


def _extension(filename: str | None) -> str:
    stem, _, extension = (filename or "").rpartition(".")
    return extension.lower() if stem else ""


def _check_format(call: UploadCall, resource_type: str, format_: str) -> None:
    """Raise 400 for a format that is not among ``allowed_formats``; empty is an unknown one."""
    allowed = eager.allowed_formats(call)
    if allowed and canonical(format_) not in allowed:
        what = f"{resource_type.capitalize()} file format {format_}" if format_ else "An unknown file format"
        raise bad_request(f"{what} not allowed")


def draft(call: UploadCall, info: MediaInfo, blob: StagedBlob, filename: str | None) -> Asset:
    """The asset as the parameters describe it, before it is stored."""
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


async def store(
    call: UploadCall, blob: StagedBlob, asset: Asset, metadata: Mapping[str, Json], *, overwrite: bool
) -> Stored:
    """Makes the asset durable. Concurrent uploads of one id are served one after another; the last one stays."""

    def describe(transaction: Transaction, new: Asset) -> None:
        new.metadata = metadata_values.for_new_asset(transaction.connection, metadata)

    def job(transaction: Transaction, blob_name: str) -> Stored:
        return assets.put(transaction, asset, blob_name, overwrite=overwrite, complete=describe)

    return await call.store.write_blob_async(blob, job)


def _answer(call: UploadCall, stored: Stored) -> dict[str, Json]:
    params, asset = call.params, stored.asset
    fields = call.presenter.uploaded(asset)
    fields["api_key"] = call.settings.api_key
    fields.update(call.presenter.analyses(asset, attributes.wanted_analyses(params)))
    if stored.existing:
        fields["existing"] = True
    if stored.overwritten:
        fields["overwritten"] = True
    if params.flag("return_delete_token") and not stored.existing:
        fields["delete_token"] = tokens.issue(asset, call.settings.api_secret)
    return fields
