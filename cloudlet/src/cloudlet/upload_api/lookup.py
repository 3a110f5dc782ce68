"""Find the assets that a call of the Upload API names."""

from collections.abc import Callable, Sequence

from cloudlet.errors import bad_request, not_found
from cloudlet.ids import checked_public_id
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets
from cloudlet.upload_api.upload_call import UploadCall

MAX_IDS = 1000


def require(transaction: Transaction, resource_type: str, type_: str, public_id: str) -> Asset:
    """Return the asset. Raises ApiError 404 if it does not exist."""
    asset = assets.find(transaction.connection, resource_type, type_, public_id)
    if asset is None or asset.placeholder:
        raise not_found(f"Resource not found - {public_id}")
    return asset


def public_ids_of(call: UploadCall) -> list[str]:
    """Return the parameter ``public_ids``. Raises ApiError 400 if it is missing, too long or has an invalid id."""
    public_ids = call.params.items("public_ids")
    if not public_ids:
        raise bad_request("Missing required parameter - public_ids")
    if len(public_ids) > MAX_IDS:
        raise bad_request(f"Too many public_ids: at most {MAX_IDS}")
    return [checked_public_id(public_id) for public_id in public_ids]


async def change_each(
    call: UploadCall, public_ids: Sequence[str], change: Callable[[Transaction, Asset], None]
) -> dict[str, Json]:
    """Apply ``change`` to each existing asset, in one transaction. Return the response with their public ids."""
    type_ = call.params.text("type", "upload")

    def job(transaction: Transaction) -> list[str]:
        changed = []
        for public_id in public_ids:
            asset = assets.find(transaction.connection, call.resource_type, type_, public_id)
            if asset is not None and not asset.placeholder:
                change(transaction, asset)
                assets.save(transaction, asset)
                changed.append(public_id)
        return changed

    return {"public_ids": await call.store.write_async(job)}
