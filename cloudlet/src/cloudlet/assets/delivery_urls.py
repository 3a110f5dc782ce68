"""Delivery URLs of assets, as the SDKs build them."""

import functools
import re
from urllib.parse import quote

from starlette.requests import HTTPConnection

from cloudlet.config import Settings
from cloudlet.model import Asset
from cloudlet.signing import delivery_signature

# The characters that the SDKs do not escape in a public id (pycloudinary ``smart_escape``). The escaped form is signed.
_SAFE = "/:-_."
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?")
SIGNED_TYPES = frozenset({"private", "authenticated"})


def escape_source(source: str) -> str:
    """Escape a public id for a delivery URL and its signature."""
    return quote(source, safe=_SAFE).replace("~", "%7E")


def base_url(request: HTTPConnection, settings: Settings) -> str:
    """Return scheme and authority of the request, so that URLs in responses also work behind a port mapping."""
    return _base_of(request.headers.get("host", ""), settings)


@functools.lru_cache(maxsize=16)
def _base_of(host: str, settings: Settings) -> str:
    authority = host if _AUTHORITY.fullmatch(host) else settings.authority
    return f"{settings.scheme}://{authority}"


def without_tls(url: str) -> str:
    """Return the URL with the scheme http, over which a port with TLS delivers files too."""
    return "http" + url.removeprefix("https") if url.startswith("https:") else url


def file_name(asset: Asset, format_: str | None = None) -> str:
    """Return the escaped public id with its extension, which the ids of raw assets contain already."""
    extension = asset.format if format_ is None else format_
    source = escape_source(asset.public_id)
    return f"{source}.{extension}" if extension and asset.resource_type != "raw" else source


def delivery_url(
    base: str, settings: Settings, asset: Asset, *, transformation: str = "", format_: str | None = None
) -> str:
    """Return the delivery URL of the asset or of a derived file, signed if the asset's type requires it."""
    name = file_name(asset, format_)
    chain = f"{transformation}/" if transformation else ""
    signature = ""
    if asset.type in SIGNED_TYPES:
        signature = f"s--{delivery_signature(chain + name, settings.api_secret)}--/"
    return f"{base}/{settings.cloud_name}/{asset.resource_type}/{asset.type}/{signature}{chain}v{asset.version}/{name}"
