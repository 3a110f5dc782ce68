"""Serve ``/folders``."""

import sqlite3

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.paging import paginate
from cloudlet.errors import bad_request, conflict, not_found
from cloudlet.ids import checked_folder
from cloudlet.model import Json
from cloudlet.store import Transaction, assets, folders, listing


def _shown(row: sqlite3.Row) -> dict[str, Json]:
    return {"name": row["path"].rpartition("/")[2], "path": row["path"], "external_id": row["external_id"]}


def _named(path: str) -> dict[str, Json]:
    return {"name": path.rpartition("/")[2], "path": path}


def _page(call: AdminCall, parent: str) -> Json:
    found = folders.children(call.store.reader, parent)
    page, more = paginate(call.params, found, default=500)
    return {"folders": [_shown(row) for row in page], "next_cursor": None, "total_count": len(found), **more}


def root(call: AdminCall) -> Json:
    return _page(call, "")


def subfolders(call: AdminCall) -> Json:
    path = checked_folder(call.path["path"])
    if path and not folders.exists(call.store.reader, path):
        raise not_found(f"Can't find folder with path {path}")
    return _page(call, path)


def create(call: AdminCall) -> Json:
    path = checked_folder(call.path["path"])
    if not path:
        raise bad_request("Missing required parameter - path")
    call.store.write(lambda transaction: folders.ensure(transaction, path))
    return {"success": True, **_named(path)}


def delete(call: AdminCall) -> Json:
    """Delete a folder and its subfolders. Raises ApiError 400 if they contain assets other than placeholders."""
    path = checked_folder(call.path["path"])

    def job(transaction: Transaction) -> list[str]:
        deleted = folders.under(transaction.connection, path)
        if path not in deleted:
            raise not_found(f"Can't find folder with path {path}")
        clause, values = listing.prefix_clause(path + "/", "asset_folder")
        if listing.count(transaction.connection, [f"(asset_folder = ? OR {clause})"], [path, *values]):
            raise bad_request("Folder is not empty")
        for folder in deleted:
            transaction.execute("DELETE FROM folders WHERE path = ?", (folder,))
        return deleted

    return {"deleted": call.store.write(job)}


def rename(call: AdminCall) -> Json:
    """Move a folder with its subfolders and assets. In the folder mode `fixed`, public ids change too.

    Raises ApiError 400 or 409 if the target is invalid or exists, and 404 if the folder does not exist.
    """
    path = checked_folder(call.path["path"])
    target = checked_folder(call.params.required("to_folder"), "to_folder")
    if not path or not target or target == path or target.startswith(path + "/"):
        raise bad_request(f"Folder {path} cannot be moved to {target}")

    def job(transaction: Transaction) -> None:
        moved = folders.under(transaction.connection, path)
        if path not in moved:
            raise not_found(f"Can't find folder with path {path}")
        if folders.exists(transaction.connection, target):
            raise conflict(f"Folder {target} already exists")
        _move_assets(transaction, path, target, with_public_ids=call.settings.folder_mode == "fixed")
        for folder in moved:
            folders.ensure(transaction, target + folder[len(path) :])
            transaction.execute("DELETE FROM folders WHERE path = ?", (folder,))

    call.store.write(job)
    return {"from": _named(path), "to": _named(target)}


def _move_assets(transaction: Transaction, path: str, target: str, *, with_public_ids: bool) -> None:
    clause, values = listing.prefix_clause(path + "/", "asset_folder")
    where = [f"(asset_folder = ? OR {clause})"]
    while True:
        found, _ = listing.page(transaction.connection, where, [path, *values], limit=500)
        if not found:
            return
        for asset in found:
            asset.asset_folder = target + asset.asset_folder[len(path) :]
            if with_public_ids:
                public_id = target + asset.public_id[len(path) :]
                if assets.find(transaction.connection, asset.resource_type, asset.type, public_id) is not None:
                    raise conflict(f"{public_id} already exists")
                assets.move(transaction, asset, asset.type, public_id)
            assets.save(transaction, asset)
