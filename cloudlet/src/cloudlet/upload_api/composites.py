"""``sprite`` and ``multi``: combine many images into one."""

import asyncio
import functools
import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloudlet import ids, pictures
from cloudlet.assets import parameter_values
from cloudlet.assets.delivery_urls import base_url
from cloudlet.assets.formats import split_format
from cloudlet.assets.layer_loader import signed_call
from cloudlet.assets.named_transformations import parse_parameter
from cloudlet.assets.presenter import Presenter
from cloudlet.errors import bad_request, not_found
from cloudlet.media.file_info import inspect
from cloudlet.model import Asset, Json, now_iso
from cloudlet.pictures import Source
from cloudlet.services import services_of
from cloudlet.staging import StagedBlob
from cloudlet.store import listing
from cloudlet.upload_api.file_parameter import from_url
from cloudlet.upload_api.upload_call import UploadCall

MAX_IMAGES = 100
_MULTI_FORMATS = {"gif": "image/gif", "webp": "image/webp", "png": "image/png", "pdf": "application/pdf"}


async def sprite(call: UploadCall) -> Json:
    """Combine all images of a tag or a list of URLs vertically in one image, and return the position of each.

    Raises ApiError 404 if there are no images.
    """
    params = call.params
    format_ = _format(call, "png")
    transformation = params.text("transformation")
    named = await _images(call, transformation)
    name = ids.checked_public_id(params.text("public_id") or params.text("tag") or ids.random_id(32))
    limits = call.services.renderer.limits
    found, sheet = await asyncio.to_thread(pictures.compose, "sheet", call.budget, named=named, limits=limits)
    infos = found["infos"]
    if params.text("mode") == "download":
        return Response(sheet, media_type="image/png")
    asset = await store_image(call, sheet, "sprite", name, extra={"image_infos": infos})
    urls = {}
    for kind, extension in (("css", "css"), ("image", format_), ("json", "json")):
        url = call.presenter.urls(asset, transformation=transformation, format_=extension)
        urls.update({f"{kind}_url": url["url"], f"secure_{kind}_url": url["secure_url"]})
    answer = {"public_id": name, "version": asset.version, "image_infos": infos, **urls}
    call.assets.notify({"notification_type": "sprite", **answer})
    return answer


async def multi(call: UploadCall) -> Json:
    """Combine all images of a tag or a list of URLs as frames of an animation or pages of a PDF.

    Raises ApiError 400 if the format is not supported, and 404 if there are no images.
    """
    params = call.params
    format_ = _format(call, "gif")
    if format_ not in _MULTI_FORMATS:
        raise bad_request(f"cloudlet makes {', '.join(_MULTI_FORMATS)} from images, not {format_}")
    frames = [data for _, data in await _images(call, "")]
    arguments = {"frames": frames, "format_": format_, "limits": call.services.renderer.limits}
    _, data = await asyncio.to_thread(pictures.compose, "animation", call.budget, **arguments)
    if params.text("mode") == "download":
        return Response(data, media_type=_MULTI_FORMATS[format_])
    name = ids.checked_public_id(params.text("public_id") or params.text("tag") or ids.random_id(32))
    asset = await store_image(call, data, "multi", name)
    urls = call.presenter.urls(asset, transformation=params.text("transformation"), format_=format_)
    answer = {"public_id": name, "asset_id": asset.asset_id, "version": asset.version, "tags": asset.tags, **urls}
    call.assets.notify({"notification_type": "multi", **answer})
    return answer


async def sprite_sheet(request: Request) -> Response:
    """Serve ``/{cloud}/image/sprite/[transformation/]v1/name.css`` or ``.json`` with the position of each image."""
    services = services_of(request)
    *_, name = re.split(r"(?:^|/)v\d+/", request.path_params["name"])
    asset = services.store.get("image", "sprite", name)
    if asset is None or request.path_params["cloud"] != services.settings.cloud_name:
        raise not_found(f"Resource not found - {name}")
    infos: dict[str, dict[str, int]] = asset.extra["image_infos"]
    if request.url.path.endswith(".json"):
        return JSONResponse(infos)
    url = Presenter(services.settings, base_url(request, services.settings)).urls(asset)["url"]
    rules = [
        f".{re.sub(r'[^A-Za-z0-9_-]', '-', key)} {{ background: url({url}) no-repeat -{at['x']}px -{at['y']}px;"
        f" width: {at['width']}px; height: {at['height']}px; }}\n"
        for key, at in infos.items()
    ]
    return Response("".join(rules), media_type="text/css")


# ------------------------------------------------------------------------------------------------ parts


def _format(call: UploadCall, default: str) -> str:
    """Return the requested format, which the SDKs write into the transformation (``f_pdf,w_100``)."""
    asked = parse_parameter(call.store, split_format(call.params.text("transformation"))[0]).format
    return (call.params.text("format") or asked or default).lower()


async def _images(call: UploadCall, chain: str) -> list[tuple[str, Source]]:
    """Return names and sources of the selected images, each transformed by ``chain``."""
    sources = await _from_urls(call) if "urls" in call.params else await asyncio.to_thread(_tagged, call)
    if not sources:
        raise not_found("No images were found")
    if not chain:
        return sources
    transformation = parse_parameter(call.store, split_format(chain)[0])
    make = functools.partial(call.services.renderer.transform, authorise=signed_call, budget=call.budget)
    return [(name, (await make(source, transformation, "png")).content) for name, source in sources]


def _tagged(call: UploadCall) -> list[tuple[str, Source]]:
    where = ["resource_type = 'image'", "assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)"]
    # The URL of a sprite gives access to all images in it, so it may only contain public ones.
    where += ["type = 'upload'", "access_mode = 'public'", "access_control = '[]'", "format NOT IN ('svg', 'pdf')"]
    found, _ = listing.page(
        call.store.reader, where, [call.params.required("tag")], order=[("public_id", "asc")], limit=MAX_IMAGES
    )
    return [(asset.public_id, call.store.path(asset)) for asset in found]


async def _from_urls(call: UploadCall) -> list[tuple[str, Source]]:
    urls = call.params.items("urls")
    if len(urls) > MAX_IMAGES:
        raise bad_request(f"Too many urls: at most {MAX_IMAGES}")
    images: list[tuple[str, Source]] = []
    for number, url in enumerate(urls, 1):
        blob, filename = await from_url(call, url)
        try:
            await asyncio.to_thread(inspect, blob, "image", call.settings.max_pixels)
            images.append((f"{filename.rpartition('.')[0] or filename}_{number}", blob.read()))
        finally:
            blob.discard()
    return images


async def store_image(
    call: UploadCall, data: bytes, type_: str, public_id: str, extra: dict[str, Json] | None = None
) -> Asset:
    """Store a generated image under ``type_``, one of sprite, multi and text."""
    blob: StagedBlob = call.store.blobs.stage_bytes(data)
    call.form.file = blob
    info = await asyncio.to_thread(inspect, blob, "image", call.settings.max_pixels)
    asset = Asset(
        resource_type="image",
        type=type_,
        public_id=public_id,
        format=info.format,
        bytes=blob.size,
        etag=blob.md5,
        width=info.width,
        height=info.height,
        pages=info.pages,
        created_at=now_iso(),
        display_name=public_id,
        tags=parameter_values.tags(call.params),
        extra=extra or {},
    )
    return (await call.assets.save(blob, asset, {}, overwrite=True)).asset
