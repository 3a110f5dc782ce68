"""``rename``: change the public id, and optionally the delivery type, of an asset."""

from cloudlet import ids
from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json, folder_of
from cloudlet.store import Transaction, assets, folders
from cloudlet.upload_api import lookup
from cloudlet.upload_api.upload_call import UploadCall


async def rename(call: UploadCall) -> Json:
    """Rename an asset and return its fields.

    Raises ApiError 404 if the source does not exist, and 400 if the target exists and ``overwrite`` is not set.
    """
    params = call.params
    source = ids.checked_public_id(params.required("from_public_id"), "from_public_id")
    target = ids.checked_public_id(params.required("to_public_id"), "to_public_id")
    type_ = params.text("type", "upload")
    to_type = ids.checked_type(params.text("to_type", type_))
    call.services.webhooks.parse_url(params.text("notification_url"))

    def job(transaction: Transaction) -> Asset:
        asset = lookup.require(transaction, call.resource_type, type_, source)
        key = (call.resource_type, to_type, target)
        if key == asset.key:
            return asset
        _free_name(transaction, key, overwrite=params.flag("overwrite"))
        if asset.display_name == asset.public_id.rpartition("/")[2]:
            asset.display_name = target.rpartition("/")[2]
        assets.move(transaction, asset, to_type, target)
        if call.settings.folder_mode == "fixed":
            asset.asset_folder = folder_of(target)
            folders.ensure(transaction, asset.asset_folder)
        return assets.save(transaction, asset)

    asset = await call.store.write_async(job)
    answer = call.presenter.uploaded(asset)
    if not params.flag("context"):
        answer.pop("context", None)
    if not params.flag("metadata"):
        answer.pop("metadata", None)
    body = {"notification_type": "rename", "from_public_id": source, "to_public_id": target}
    call.assets.notify({**body, "resource_type": asset.resource_type, "type": asset.type, "asset_id": asset.asset_id})
    return answer


def _free_name(transaction: Transaction, key: tuple[str, str, str], *, overwrite: bool) -> None:
    existing = assets.find(transaction.connection, *key)
    if existing is None:
        return
    if not overwrite and not existing.placeholder:
        raise bad_request(f"to_public_id {key[2]} already exists")
    assets.remove(transaction, existing)
