"""Serve GET and HEAD of all paths that are not API calls."""

import asyncio
import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from cloudlet.assets.formats import needs_rendering, refuse_transformation, wanted_format
from cloudlet.assets.named_transformations import parse_with_names
from cloudlet.delivery.access import Credentials
from cloudlet.delivery.fetch_on_demand import FetchRequest, fetch_asset, fetch_mapped, parse_fetch
from cloudlet.delivery.lists import tag_list
from cloudlet.delivery.lookup import Found, find_asset
from cloudlet.delivery.responses import Delivered, respond
from cloudlet.delivery.url_parsing import DeliveryPath, parse_path
from cloudlet.errors import ApiError, bad_request, unauthorized
from cloudlet.model import Asset, Derived
from cloudlet.services import Services, services_of
from cloudlet.transformations import Transformation, TransformationError
from cloudlet.transformations.breakpoints import Breakpoints

MAX_ATTEMPTS = 10
"""How often a request is retried when its asset is overwritten meanwhile."""

_SOCIAL_TYPES = frozenset({"facebook", "twitter", "twitter_name", "gravatar", "youtube", "vimeo"})


async def deliver(request: Request) -> Response:
    """Deliver an asset or a derived file. Errors have an empty body and the reason in `X-Cld-Error`."""
    try:
        return await _deliver(request, services_of(request))
    except TransformationError as error:
        raise bad_request(str(error)) from error


async def _deliver(request: Request, services: Services) -> Response:
    if (wanted := parse_fetch(request.scope["raw_path"])) is not None:
        return await _deliver_fetched(request, services, wanted)
    path = parse_path(request.scope["raw_path"], services.settings.cloud_name)
    _check_cloud(path, services)
    if path.type in _SOCIAL_TYPES:
        raise bad_request(f"Delivery type {path.type} is not implemented by cloudlet")
    if path.type == "list":
        return tag_list(services.store, path)
    credentials = Credentials(request, path, services.settings)
    credentials.require_for_type()
    for attempt in range(1, MAX_ATTEMPTS):
        found = await _find(path, credentials, services)
        try:
            return await _respond(request, services, credentials, found)
        except ApiError as error:
            if error.status != 404 or _is_current(services, found.asset):
                raise
            await asyncio.sleep(attempt / 1000)
    return await _respond(request, services, credentials, await _find(path, credentials, services))


def _check_cloud(path: DeliveryPath, services: Services) -> None:
    if path.cloud != services.settings.cloud_name:
        raise unauthorized(f"Invalid cloud_name {path.cloud}")


async def _find(path: DeliveryPath, credentials: Credentials, services: Services) -> Found:
    """Find the asset of a path. If it is missing, fetch it by an upload mapping. Raises ApiError 404."""
    try:
        return find_asset(path, credentials, services.store)
    except ApiError as error:
        if error.status != 404 or not await fetch_mapped(services, path):
            raise
    return find_asset(path, credentials, services.store)


async def _deliver_fetched(request: Request, services: Services, wanted: FetchRequest) -> Response:
    _check_cloud(wanted.path, services)
    credentials = Credentials(request, wanted.path, services.settings)
    problem = credentials.signature_problem(wanted.reading)
    if problem:
        raise unauthorized(problem)
    transformation = parse_with_names(services.store, wanted.reading.transformation)
    asset = await fetch_asset(services, wanted)
    return await _respond(request, services, credentials, Found(asset, transformation, "", None))


def _is_current(services: Services, asset: Asset) -> bool:
    """Return whether the asset is unchanged since it was found. If it is not, the request should be retried."""
    current = services.store.get(*asset.key)
    return current is not None and current.blob == asset.blob


async def _respond(request: Request, services: Services, credentials: Credentials, found: Found) -> Response:
    credentials.require_for_asset(found.asset)
    format_name = _format(request, found)
    file: Derived | None = None
    if found.asset.resource_type == "image" and needs_rendering(found.asset, found.transformation, format_name):
        file = await services.renderer.derived(
            found.asset, found.transformation, format_name, credentials.require_for_layer
        )
    else:
        credentials.require_for_original()
    if "getinfo" in found.transformation.flags:
        return _info(found.asset, file, format_name)
    if found.transformation.breakpoints is not None:
        return _widths(found.asset, file, found.transformation.breakpoints)
    delivered = Delivered(
        file=file or found.asset,
        format=format_name,
        name=found.asset.public_id,
        modified=_modified(found.asset, file),
        immutable=found.version == found.asset.version,
        shared=not credentials.were_required,
        attachment=_attachment_name(found.asset, found.transformation, format_name),
        vary_accept=found.transformation.format == "auto",
        warning=found.warning,
    )
    return respond(request, services.store, delivered)


def _format(request: Request, found: Found) -> str:
    if found.asset.resource_type != "image":
        refuse_transformation(found.asset.resource_type, found.asset.format, found.transformation, found.extension)
        return found.asset.format
    return wanted_format(found.asset, found.transformation, found.extension, request.headers.get("accept", ""))


def _modified(asset: Asset, file: Derived | None) -> float:
    """Return seconds since 1970. The version of an asset is the time of its upload, and grows with each overwrite."""
    made = datetime.datetime.fromisoformat(file.created_at).timestamp() if file else 0.0
    return max(float(asset.version), made)


def _info(asset: Asset, file: Derived | None, format_name: str) -> Response:
    """Return the response for `fl_getinfo`: the sizes before and after instead of the image."""
    made = file or asset
    before = {"width": asset.width, "height": asset.height, "bytes": asset.bytes}
    after = {"width": made.width, "height": made.height, "bytes": made.bytes, "format": format_name}
    return JSONResponse({"input": before, "output": after})


def _widths(asset: Asset, file: Derived | None, breakpoints: Breakpoints) -> Response:
    """Return the response for `w_auto:breakpoints:json`: the widths for the image that the rest of the chain makes."""
    made = file or asset
    if not made.width:
        raise bad_request(f"{asset.public_id} has no width")
    return JSONResponse({"breakpoints": breakpoints.widths(made.width, made.bytes)})


def _attachment_name(asset: Asset, transformation: Transformation, format_name: str) -> str | None:
    if "attachment" not in transformation.flags:
        return None
    name = transformation.attachment_name or asset.public_id.rpartition("/")[2]
    if asset.resource_type == "raw":
        extension = asset.public_id.rpartition("/")[2].rpartition(".")[2] if transformation.attachment_name else ""
        return f"{name}.{extension}" if extension else name
    return f"{name}.{format_name}" if format_name else name


routes: list[BaseRoute] = [Route("/{path:path}", deliver, methods=["GET", "HEAD"])]
