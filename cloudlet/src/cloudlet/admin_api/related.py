"""Serve ``/resources/related_assets``, which relates assets to each other."""

from collections.abc import Callable

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.details import missing
from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets, relations

MAX_RELATED = 10
Link = Callable[[Transaction, str, str], bool]


def add(call: AdminCall) -> Json:
    return _change(call, "assets_to_relate", relations.add, ("success", "already exists", "failed"))


def remove(call: AdminCall) -> Json:
    return _change(call, "assets_to_unrelate", relations.remove, ("success", "not related", "failed"))


def _change(call: AdminCall, name: str, link: Link, texts: tuple[str, str, str]) -> Json:
    wanted = call.params.items(name)
    if not 0 < len(wanted) <= MAX_RELATED:
        raise bad_request(f"{name} must name 1 to {MAX_RELATED} assets")
    done, already, failed = texts

    def job(transaction: Transaction) -> dict[str, list[Json]]:
        source = _source(transaction, call)
        answer: dict[str, list[Json]] = {"success": [], "failed": []}
        for reference in wanted:
            target = _target(transaction, reference, by_asset_id="asset_id" in call.path)
            if target is None or target.asset_id == source.asset_id:
                answer["failed"].append(_entry(reference, failed, "resource does not exist", 404))
            elif link(transaction, source.asset_id, target.asset_id):
                answer["success"].append(_entry(reference, done, "success", 200))
            else:
                answer["failed"].append(_entry(reference, failed, already, 409))
        return answer

    return call.store.write(job)


def _entry(reference: str, message: str, code: str, status: int) -> dict[str, Json]:
    return {"message": message, "code": code, "asset": reference, "status": status}


def _source(transaction: Transaction, call: AdminCall) -> Asset:
    if "asset_id" in call.path:
        asset = assets.find_by_asset_id(transaction.connection, call.path["asset_id"])
        name = call.path["asset_id"]
    else:
        name = call.path["public_id"]
        asset = assets.find(transaction.connection, call.path["resource_type"], call.path["type"], name)
    if asset is None or asset.placeholder:
        raise missing(name)
    return asset


def _target(transaction: Transaction, reference: str, *, by_asset_id: bool) -> Asset | None:
    """Return the asset of an asset id or of ``resource_type/type/public_id``, or None."""
    if by_asset_id:
        return assets.find_by_asset_id(transaction.connection, reference)
    parts = reference.split("/", 2)
    return assets.find(transaction.connection, *parts) if len(parts) == 3 else None
