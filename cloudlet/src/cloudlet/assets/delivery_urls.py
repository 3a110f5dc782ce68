"""Delivery URLs of assets, as the SDKs build them."""

import functools
import re
from urllib.parse import quote

from starlette.requests import HTTPConnection

from cloudlet.config import Settings
from cloudlet.model import Asset
from cloudlet.signing import delivery_signature

# What the SDKs leave unescaped in a public id (pycloudinary ``smart_escape``); it is the escaped form that is signed.
_SAFE = "/:-_."
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?")
SIGNED_TYPES = frozenset({"private", "authenticated"})


def escape_source(source: str) -> str:
    """A public id as it stands in a delivery URL and under a delivery signature."""
    return quote(source, safe=_SAFE).replace("~", "%7E")


def base_url(request: HTTPConnection, settings: Settings) -> str:
    """Scheme and authority by which the caller reached us, so that answers also hold behind a port mapping."""
    return _base_of(request.headers.get("host", ""), settings)


@functools.lru_cache(maxsize=16)
def _base_of(host: str, settings: Settings) -> str:
    authority = host if _AUTHORITY.fullmatch(host) else settings.authority
    return f"{settings.scheme}://{authority}"


def without_tls(url: str) -> str:
    """The same address over http, which a port with TLS delivers files over too."""
    return "http" + url.removeprefix("https") if url.startswith("https:") else url


def file_name(asset: Asset, format_: str | None = None) -> str:
    """Public id with the extension that delivery expects; raw ids hold theirs already."""
    extension = asset.format if format_ is None else format_
    source = escape_source(asset.public_id)
    return f"{source}.{extension}" if extension and asset.resource_type != "raw" else source


def delivery_url(
    base: str, settings: Settings, asset: Asset, *, transformation: str = "", format_: str | None = None
) -> str:
    """Where the asset, or a file derived from it, is delivered; signed when its type asks for that."""
    name = file_name(asset, format_)
    chain = f"{transformation}/" if transformation else ""
    signature = ""
    if asset.type in SIGNED_TYPES:
        signature = f"s--{delivery_signature(chain + name, settings.api_secret)}--/"
    return f"{base}/{settings.cloud_name}/{asset.resource_type}/{asset.type}/{signature}{chain}v{asset.version}/{name}"
