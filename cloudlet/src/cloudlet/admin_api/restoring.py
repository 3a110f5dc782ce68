"""Restore deleted assets and earlier versions from backups, and delete backups."""

from collections.abc import Callable, Sequence

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.listing import resource_type_of
from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets, backups

MAX_IDS = 100


def restore(call: AdminCall) -> Json:
    """Serve ``POST /resources/{resource_type}/{type}/restore`` with a result for each public id."""
    resource_type, type_ = resource_type_of(call), call.path["type"]
    return _restore(call, "public_ids", lambda t, name: assets.find(t.connection, resource_type, type_, name))


def restore_by_asset_ids(call: AdminCall) -> Json:
    return _restore(call, "asset_ids", lambda t, name: assets.find_by_asset_id(t.connection, name))


def _restore(call: AdminCall, parameter: str, find: Callable[[Transaction, str], Asset | None]) -> Json:
    names, versions = call.params.items(parameter), call.params.items("versions")
    if not 0 < len(names) <= MAX_IDS:
        raise bad_request(f"{parameter} must name 1 to {MAX_IDS} assets")
    if versions and len(versions) != len(names):
        raise bad_request(f"versions must be as many as {parameter}")

    def job(transaction: Transaction) -> dict[str, Json]:
        return {
            name: _restore_one(transaction, call, find(transaction, name), version)
            for name, version in zip(names, versions or [""] * len(names), strict=True)
        }

    return call.store.write(job)


def _restore_one(transaction: Transaction, call: AdminCall, asset: Asset | None, version: str) -> dict[str, Json]:
    if asset is None:
        return {"error": "no_backup"}
    if asset.is_backed_up and version == asset.version_id:
        return call.presenter.detailed(asset)
    backup = backups.latest(transaction.connection, asset.asset_id, version)
    if backup is None:
        return {"error": "no_backup"}
    return call.presenter.detailed(backups.restore(transaction, asset, backup))


def delete_backups(call: AdminCall) -> Json:
    """Serve ``DELETE /resources/backup/{asset_id}`` with version_ids."""
    version_ids: Sequence[str] = call.params.items("version_ids")
    if not version_ids:
        raise bad_request("Missing required parameter - version_ids")
    asset_id = call.path["asset_id"]
    deleted = call.store.write(lambda transaction: backups.delete(transaction, asset_id, list(version_ids)))
    return {"deleted_version_ids": deleted, "asset_id": asset_id}
