"""The data of the console, as JSON and previews. The log of calls does not contain these requests."""

import dataclasses

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloudlet.assets.delivery_urls import delivery_url
from cloudlet.assets.named_transformations import parse_with_names
from cloudlet.errors import bad_request, not_found
from cloudlet.model import Asset, Json
from cloudlet.services import services_of
from cloudlet.store import Transaction, assets, derived, folders, listing
from cloudlet.web.media_types import media_type

PAGE_SIZE = 60
THUMBNAIL = "c_limit,w_480,h_480"
_NO_PREVIEW = frozenset({"svg", "heic", "eps", "ai", "psd"})


async def overview(request: Request) -> Response:
    """Return the number and size of the assets, and the CLOUDINARY_URL."""
    services = services_of(request)
    reader = services.store.reader
    size = reader.execute("SELECT coalesce(sum(bytes), 0) FROM assets WHERE NOT placeholder").fetchone()[0]
    derived_count = reader.execute("SELECT count(*) FROM derived").fetchone()[0]
    body = {
        "cloud_name": services.settings.cloud_name,
        "cloudinary_url": services.settings.cloudinary_url,
        "assets": listing.count(reader),
        "bytes": size,
        "derived": derived_count,
    }
    return JSONResponse(body)


async def browse(request: Request) -> Response:
    """Return the subfolders and a page of assets of one folder, or a page of all assets whose id contains `search`."""
    services = services_of(request)
    folder, search = request.query_params.get("folder", ""), request.query_params.get("search", "")
    reader = services.store.reader
    clause, values = "asset_folder = ?", [folder]
    if search:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        clause, values = "public_id LIKE ? ESCAPE '\\'", [f"%{escaped}%"]
    found, cursor = listing.page(
        reader,
        [clause],
        values,
        order=[("created_at", "desc")],
        limit=PAGE_SIZE,
        cursor=request.query_params.get("cursor", ""),
    )
    inside = [] if search else [row["path"] for row in folders.children(reader, folder)]
    return JSONResponse({"folders": inside, "assets": [_summary(asset) for asset in found], "next_cursor": cursor})


def _summary(asset: Asset) -> dict[str, Json]:
    return {
        "asset_id": asset.asset_id,
        "public_id": asset.public_id,
        "name": asset.public_id.rpartition("/")[2],
        "resource_type": asset.resource_type,
        "type": asset.type,
        "format": asset.format,
        "version": asset.version,
        "bytes": asset.bytes,
        "width": asset.width,
        "height": asset.height,
        "created_at": asset.created_at,
        "has_preview": asset.resource_type == "image" and asset.format not in _NO_PREVIEW,
    }


def _asset(request: Request) -> Asset:
    asset = services_of(request).store.get_by_asset_id(request.path_params["asset_id"])
    if asset is None or asset.placeholder:
        raise not_found("This asset is gone")
    return asset


async def details(request: Request) -> Response:
    asset, services = _asset(request), services_of(request)
    made = derived.of_asset(services.store.reader, asset.asset_id, limit=50)
    body = _summary(asset) | {
        "url": delivery_url("", services.settings, asset),
        "etag": asset.etag,
        "pages": asset.pages,
        "tags": asset.tags,
        "context": asset.context,
        "metadata": asset.metadata,
        "access_mode": asset.access_mode,
        "original_filename": asset.original_filename,
        "updated_at": asset.updated_at,
        "derived": [
            {"transformation": file.transformation, "format": file.format, "bytes": file.bytes} for file in made
        ],
    }
    return JSONResponse(body)


async def try_transformation(request: Request) -> Response:
    """Return the delivery URL for a transformation. Its response shows whether the transformation works."""
    asset = _asset(request)
    transformation = request.query_params.get("transformation", "").strip("/ ")
    format_ = request.query_params.get("format", "") or asset.format
    if any(char in transformation for char in "?#\\ "):
        raise bad_request("A transformation in a URL has no spaces, ?, # or \\")
    settings = services_of(request).settings
    return JSONResponse({"url": delivery_url("", settings, asset, transformation=transformation, format_=format_)})


async def thumbnail(request: Request) -> Response:
    """Return a small image, which is not stored, so that the console does not create derived files."""
    asset, services = _asset(request), services_of(request)
    made = await services.renderer.preview(asset, parse_with_names(services.store, THUMBNAIL), "webp")
    headers = {"Cache-Control": "private, immutable, max-age=86400", "X-Content-Type-Options": "nosniff"}
    return Response(made.content, headers=headers, media_type=media_type(made.format, ""))


async def delete(request: Request) -> Response:
    asset, services = _asset(request), services_of(request)

    def job(transaction: Transaction) -> None:
        current = assets.find_by_asset_id(transaction.connection, asset.asset_id)
        if current is not None and not current.placeholder:
            assets.delete(transaction, current)

    await services.store.write_async(job)
    return JSONResponse({"deleted": asset.public_id})


async def calls(request: Request) -> Response:
    """Return the calls after number `since`, oldest first."""
    since = request.query_params.get("since", "0")
    if not (since.isascii() and since.isdigit() and len(since) < 16):
        raise bad_request("since must be a number")
    found = services_of(request).calls.since(int(since))
    return JSONResponse({"calls": [dataclasses.asdict(call) for call in found]})
