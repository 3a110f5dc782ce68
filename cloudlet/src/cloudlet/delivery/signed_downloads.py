"""Signed download URLs of one file, of an earlier version, and of all files with a tag."""

import time
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cloudlet.assets import archives
from cloudlet.assets.formats import canonical, needs_rendering, wanted_format
from cloudlet.assets.layer_loader import signed_call
from cloudlet.assets.named_transformations import parse_parameter
from cloudlet.delivery.responses import Delivered, respond
from cloudlet.errors import not_found, unauthorized
from cloudlet.ids import checked_public_id
from cloudlet.model import Asset, Derived
from cloudlet.services import Services, services_of
from cloudlet.store import backups
from cloudlet.web.auth import authenticate_basic, check_cloud, require_signature
from cloudlet.web.headers import content_disposition
from cloudlet.web.params import Params


def _signed_params(request: Request) -> Params:
    """Return the parameters of the query. Raises ApiError 401 if their signature is wrong or has expired.

    `expires_at` replaces the usual validity of one hour.
    """
    settings = services_of(request).settings
    check_cloud(request, settings)
    params = Params.from_pairs(parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=5000))
    expiry = params.timestamp("expires_at")
    if not authenticate_basic(request, settings):
        require_signature(params, settings, check_age=not expiry)
    if expiry and expiry < time.time():
        raise unauthorized("The download link has expired")
    return params


async def download(request: Request) -> Response:
    """Serve `/{resource_type}/download`: an asset of any type, optionally converted to `format`."""
    params = _signed_params(request)
    services = services_of(request)
    resource_type = request.path_params["resource_type"]
    public_id = checked_public_id(params.required("public_id"))
    asset = services.store.get(resource_type, params.text("type", "upload"), public_id)
    if asset is None or asset.placeholder:
        raise not_found(f"Resource not found - {public_id}")
    format_name = asset.format
    made: Derived | None = None
    if resource_type == "image":
        transformation = parse_parameter(services.store, params.text("transformation"))
        format_name = wanted_format(asset, transformation, canonical(params.text("format").lower()), "")
        if needs_rendering(asset, transformation, format_name):
            made = await services.renderer.derived(asset, transformation, format_name, signed_call)
    return _file_response(request, services, asset, made or asset, format_name, params)


def _file_response(
    request: Request, services: Services, asset: Asset, file: Asset | Derived, format_name: str, params: Params
) -> Response:
    wanted = params.text("attachment")
    base = asset.public_id.rpartition("/")[2]
    name = f"{base}.{format_name}" if format_name else base
    if wanted and wanted.lower() not in ("0", "1", "true", "false"):
        name = wanted
    attachment = None if wanted.lower() in ("", "0", "false") else name
    delivered = Delivered(file, format_name, asset.public_id, asset.version, False, False, attachment)
    return respond(request, services.store, delivered)


async def download_backup(request: Request) -> Response:
    """Serve `/download_backup`: a version of an asset, by asset id and version id."""
    params = _signed_params(request)
    services = services_of(request)
    asset_id, version_id = params.required("asset_id"), params.required("version_id")
    asset = services.store.get_by_asset_id(asset_id)
    if asset is not None and not (asset.is_backed_up and asset.version_id == version_id):
        asset = backups.asset_at_version(services.store.reader, asset, version_id)
    if asset is None:
        raise not_found(f"Backup not found - {version_id}")
    return _file_response(request, services, asset, asset, asset.format, params.with_overrides({"attachment": "1"}))


async def download_tag(request: Request) -> Response:
    """Serve `/{resource_type}/download_tag.zip`: a streamed ZIP of all assets with a tag."""
    params = _signed_params(request)
    store = services_of(request).store
    tag, resource_type = params.required("tag"), request.path_params["resource_type"]
    wanted = params.with_overrides({"tags": [tag]})
    found = await run_in_threadpool(archives.select, store, wanted, resource_type)
    entries = [archives.Entry(asset, asset, archives.entry_name(wanted, asset, asset.format)) for asset in found]
    headers = {"Content-Disposition": content_disposition(f"{tag}.zip"), "Cache-Control": "private, no-store"}
    chunks = archives.stream(store, archives.with_unique_names(entries))
    return StreamingResponse(chunks, headers=headers, media_type="application/zip")


routes: list[BaseRoute] = [
    Route("/v1_1/{cloud}/download_backup", download_backup),
    Route("/v1_1/{cloud}/{resource_type}/download", download),
    Route("/v1_1/{cloud}/{resource_type}/download_tag.zip", download_tag),
]
