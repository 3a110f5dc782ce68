"""Publish private assets and change access modes."""

from collections.abc import Callable

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.listing import resource_type_of
from cloudlet.errors import ApiError, bad_request, conflict
from cloudlet.ids import DELIVERY_TYPES
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets, listing

MAX_RESULTS = 1000


def publish(call: AdminCall) -> Json:
    """Serve ``POST /resources/{resource_type}/publish_resources``, which changes the type of assets to ``upload``."""
    given = call.params.text("type")
    types = {given} if given else DELIVERY_TYPES
    resource_type = resource_type_of(call)

    def job(transaction: Transaction) -> tuple[list[Asset], list[Asset]]:
        published, failed = [], []
        for asset in _selected(transaction, call, resource_type):
            if asset.type not in types or asset.type == "upload":
                continue
            try:
                published.append(_publish_asset(transaction, asset, overwrite=call.params.flag("overwrite")))
            except ApiError:
                failed.append(asset)
        return published, failed

    published, failed = call.store.write(job)
    return {
        "published": [call.presenter.listed(asset) for asset in published],
        "failed": [{"public_id": asset.public_id, "resource_type": asset.resource_type} for asset in failed],
    }


def _publish_asset(transaction: Transaction, asset: Asset, *, overwrite: bool) -> Asset:
    existing = assets.find(transaction.connection, asset.resource_type, "upload", asset.public_id)
    if existing is not None and not overwrite:
        raise conflict(f"{asset.public_id} already exists")
    if existing is not None:
        assets.remove(transaction, existing)
    assets.move(transaction, asset, "upload", asset.public_id)
    return assets.save(transaction, asset)


def update_access_mode(call: AdminCall) -> Json:
    """Serve ``POST /resources/{resource_type}/{type}/update_access_mode``."""
    mode = call.params.choice("access_mode", ("public", "authenticated"), "public")
    resource_type, type_ = resource_type_of(call), call.path["type"]

    def change(asset: Asset) -> None:
        asset.access_mode = mode

    changed = call.store.write(lambda transaction: _change(transaction, call, resource_type, type_, change))
    missing = set(call.params.items("public_ids")) - {asset.public_id for asset in changed}
    return {
        "updated": [call.presenter.listed(asset) for asset in changed],
        "failed": [{"public_id": public_id, "error": "not_found"} for public_id in sorted(missing)],
    }


def _change(
    transaction: Transaction, call: AdminCall, resource_type: str, type_: str, change: Callable[[Asset], None]
) -> list[Asset]:
    changed = []
    for asset in _selected(transaction, call, resource_type):
        if asset.type == type_:
            change(asset)
            changed.append(assets.save(transaction, asset))
    return changed


def _selected(transaction: Transaction, call: AdminCall, resource_type: str) -> list[Asset]:
    """Return the assets that ``public_ids``, ``prefix`` or ``tag`` select, at most ``MAX_RESULTS``."""
    params = call.params
    where, parameters = ["resource_type = ?"], [resource_type]
    if "public_ids" in params:
        public_ids = params.items("public_ids")
        where.append(f"public_id IN ({', '.join('?' * len(public_ids))})")
        parameters += public_ids
    elif "prefix" in params:
        clause, values = listing.prefix_clause(params.text("prefix"))
        where.append(clause)
        parameters += values
    elif "tag" in params:
        where.append("assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)")
        parameters.append(params.text("tag"))
    else:
        raise bad_request("Missing required parameter - public_ids, prefix or tag")
    found, _ = listing.page(transaction.connection, where, parameters, limit=MAX_RESULTS)
    return found
