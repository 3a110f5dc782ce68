"""Fetch remote assets on their first request: those of type `fetch`, and those in folders with an upload mapping.

Only hosts on the allow-list (`--remote-host`) are contacted.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from cloudlet.assets.fetched_assets import store_remote
from cloudlet.delivery import url_variants
from cloudlet.delivery.url_parsing import DeliveryPath, Reading
from cloudlet.errors import bad_request
from cloudlet.model import Asset
from cloudlet.services import Services
from cloudlet.store import documents

MAX_URL_LENGTH = 2048
MAPPING = "upload_mapping"
_FETCH_PATH = re.compile(r"/([^/]+)/(image|video|raw)/fetch/(?:s--([A-Za-z0-9_-]{1,64})--/)?(.+)", re.DOTALL)
_REMOTE_URL = re.compile(r"(?:^|/)(https?(?::|%3A)(?:/|%2F){1,2}(.+))$", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"(?:^|/)v\d+$")


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A parsed `fetch` URL. `reading.public_id` is the remote URL."""

    path: DeliveryPath
    reading: Reading


def parse_fetch(raw_path: bytes) -> FetchRequest | None:
    """Parse a path of type `fetch`. Return None for other paths. Raises ApiError 400 if it has no valid remote URL."""
    text = raw_path.decode("ascii", "replace")
    match = _FETCH_PATH.fullmatch(text)
    if match is None:
        return None
    cloud, resource_type, signature, rest = match[1], match[2], match[3] or "", match[4]
    remote_url = _REMOTE_URL.search(rest)
    if remote_url is None:
        raise bad_request("A fetch URL ends in the http or https address of the asset")
    chain = _VERSION.sub("", rest[: remote_url.start()]).strip("/")
    url = _normalise_url(unquote(remote_url[1]))
    if len(url) > MAX_URL_LENGTH or any(ord(char) < 33 for char in url.replace(" ", "")):
        raise bad_request("Invalid remote URL")
    tails = dict.fromkeys([*url_variants.source_variants(remote_url[1]), url])
    signed = tuple(f"{prefix}/{tail}".strip("/") for prefix in url_variants.chain_variants(chain) for tail in tails)
    reading = Reading(unquote(chain), None, url, "", signed)
    return FetchRequest(DeliveryPath(cloud, resource_type, "fetch", signature, (), ()), reading)


def _normalise_url(url: str) -> str:
    """Restore `//`, which proxies collapse into `/`, and escape spaces."""
    scheme, _, rest = url.partition(":")
    return f"{scheme.lower()}://{quote(rest.lstrip('/'), safe='/%:?#[]@!$&()*+,;=~-._')}"


async def fetch_asset(services: Services, request: FetchRequest) -> Asset:
    """Return the asset of a fetch URL from the store, or fetch and store it."""
    key = request.path.resource_type, "fetch", request.reading.public_id
    asset = services.store.get(*key)
    if asset is not None and not asset.placeholder:
        return asset
    return await store_remote(services.settings, services.store, key, request.reading.public_id)


async def fetch_mapped(services: Services, path: DeliveryPath) -> bool:
    """Fetch a missing asset by the upload mapping of its folder. Return False if there is no mapping."""
    if path.type not in ("upload", "private", "authenticated"):
        return False
    known = documents.list_all(services.store.reader, MAPPING)
    mappings = {str(entry["folder"]): str(entry["template"]) for entry in known}
    public_id = next(reading.public_id for reading in path.readings() if not reading.extension)
    for folder in sorted(mappings, key=len, reverse=True):
        if public_id.startswith(f"{folder}/"):
            url = mappings[folder] + quote(public_id.removeprefix(f"{folder}/"))
            stem = public_id.rpartition(".")[0] if path.resource_type != "raw" else ""
            key = path.resource_type, path.type, stem or public_id
            await store_remote(services.settings, services.store, key, url)
            return True
    return False
