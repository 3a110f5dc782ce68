"""``explicit``: apply the options of an upload to an existing asset."""

from cloudlet import ids
from cloudlet.assets import addons, attributes, eager, parameter_values, upload_presets
from cloudlet.assets.background import run_in_background
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets, folders
from cloudlet.structured_metadata import values as metadata_values
from cloudlet.upload_api import breakpoints, lookup
from cloudlet.upload_api.upload_call import UploadCall


async def explicit(call: UploadCall) -> Json:
    """Update an asset and return its fields. With ``async``, respond first and update it in the background.

    Raises ApiError 404 if the asset does not exist.
    """
    call.params = params = upload_presets.apply(call.params, call.store, call.settings, unsigned=False)
    if not params.flag("async"):
        return await _work(call)

    async def work() -> None:
        await _work(call)

    run_in_background(work())
    return {
        "status": "pending",
        "resource_type": call.resource_type,
        "type": params.text("type", "upload"),
        "public_id": params.required("public_id"),
        "batch_id": params.text("batch_id") or ids.random_id(32),
    }


async def _work(call: UploadCall) -> dict[str, Json]:
    params = call.params
    addons.refuse_in_upload(params)
    public_id = ids.checked_public_id(params.required("public_id"))
    type_ = params.text("type", "upload")
    items = eager.parse_items(call.store, params.text("eager"), call.resource_type)
    points = breakpoints.parse_requests(call)
    call.services.webhooks.parse_url(params.text("notification_url"))
    metadata = parameter_values.pairs(params, "metadata")

    def job(transaction: Transaction) -> Asset:
        asset = lookup.require(transaction, call.resource_type, type_, public_id)
        attributes.apply(params, asset)
        if "asset_folder" in params and call.settings.folder_mode == "dynamic":
            asset.asset_folder = ids.checked_folder(params.text("asset_folder"), "asset_folder")
            folders.ensure(transaction, asset.asset_folder)
        if metadata:
            asset.metadata = metadata_values.merge(transaction.connection, asset.metadata, metadata)
        if params.flag("invalidate"):
            assets.drop_derived(transaction, asset.asset_id)
        return assets.save(transaction, asset)

    asset = await call.store.write_async(job)
    await attributes.analyse_stored(params, asset, call.store)
    answer = call.presenter.uploaded(asset)
    answer.update(call.presenter.analyses(asset, attributes.requested_analyses(params)))
    if points:
        answer["responsive_breakpoints"] = await breakpoints.compute(call, asset, points)
    await call.assets.add_eager(asset, items, answer)
    call.assets.notify({"notification_type": "explicit", **answer})
    return answer
