"""Serve `/{resource_type}/list/TAG.json`, the list of public assets with a tag."""

from typing import Any

from starlette.responses import JSONResponse, Response

from cloudlet.delivery.url_parsing import DeliveryPath
from cloudlet.errors import not_found
from cloudlet.model import Asset, now_iso
from cloudlet.store import Store, listing

MAX_RESULTS = 1000
_WITH_TAG = "assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)"


def tag_list(store: Store, path: DeliveryPath) -> Response:
    """Return the list for a tag. Raises ApiError 404 if no public asset has it."""
    tag, dot, extension = path.segments[-1].rpartition(".")
    if not dot or extension != "json":
        raise not_found(f"Resource not found - {path.segments[-1]}")
    where = [_WITH_TAG, "resource_type = ?", "type = 'upload'", "access_mode = 'public'", "access_control = '[]'"]
    found, _ = listing.page(store.reader, where, [tag, path.resource_type], limit=MAX_RESULTS)
    if not found:
        raise not_found(f"Resource not found - {tag}")
    body = {"resources": [_entry(asset) for asset in found], "updated_at": now_iso()}
    return JSONResponse(body, headers={"Cache-Control": "public, max-age=0, must-revalidate"})


def _entry(asset: Asset) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "public_id": asset.public_id,
        "version": asset.version,
        "format": asset.format,
        "type": asset.type,
        "created_at": asset.created_at,
    }
    if asset.width is not None:
        entry |= {"width": asset.width, "height": asset.height}
    if asset.context:
        entry["context"] = {"custom": asset.context}
    return entry
