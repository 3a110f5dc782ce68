"""``destroy``: delete one asset by its public id."""

from cloudlet.ids import checked_public_id
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets
from cloudlet.upload_api.upload_call import UploadCall


async def destroy(call: UploadCall) -> Json:
    """Delete an asset and return ``{"result": "ok"}`` or ``{"result": "not found"}``, both with status 200."""
    public_id = checked_public_id(call.params.required("public_id"))
    key = (call.resource_type, call.params.text("type", "upload"), public_id)

    call.services.webhooks.parse_url(call.params.text("notification_url"))

    def job(transaction: Transaction) -> Asset | None:
        asset = assets.find(transaction.connection, *key)
        if asset is None or asset.placeholder:
            return None
        assets.delete(transaction, asset)
        return asset

    asset = await call.store.write_async(job)
    if asset is None:
        return {"result": "not found"}
    names = {"public_id": asset.public_id, "resource_type": asset.resource_type, "type": asset.type}
    call.assets.notify({"notification_type": "delete", "resources": [{**names, "asset_id": asset.asset_id}]})
    return {"result": "ok"}
