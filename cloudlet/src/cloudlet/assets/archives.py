"""Zip archives of many assets: select the assets, name the entries, and stream the bytes."""

import dataclasses
import io
import re
import zipfile
from collections.abc import Iterator, Sequence

from cloudlet.errors import bad_request, not_found
from cloudlet.model import RESOURCE_TYPES, Asset, Derived
from cloudlet.store import Store, listing
from cloudlet.web.params import Params

MAX_ENTRIES = 10_000
_PAGE_ROWS = 500
_COPY_BYTES = 256 * 1024
# These formats are compressed already. Deflating them again costs time and saves nothing.
_COMPRESSED_FORMATS = frozenset({"png", "jpg", "webp", "gif", "avif", "pdf", "mp4", "mov", "webm", "mp3", "zip", "gz"})


@dataclasses.dataclass(slots=True)
class Entry:
    """One file of an archive. ``source`` has its bytes, ``name`` is its path inside the archive."""

    asset: Asset
    source: Asset | Derived
    name: str


def select(store: Store, params: Params, resource_type: str) -> list[Asset]:
    """Return the assets that the parameters select, without duplicates and ordered by public id.

    Raises ApiError 400 if there is no selection or more than ``MAX_ENTRIES`` assets match, and 404 if no asset matches
    or a named asset does not exist and ``allow_missing`` is not set.
    """
    type_ = params.text("type", "upload")
    found: dict[tuple[str, str, str], Asset] = {}
    for key in _named_keys(params, resource_type, type_):
        asset = store.get(*key)
        if asset is not None and not asset.placeholder:
            found[asset.key] = asset
        elif not params.flag("allow_missing"):
            raise not_found(f"Resource not found - {key[2]}")
    is_any_type = resource_type in ("all", "auto")
    type_clauses = [] if is_any_type else ["resource_type = ?", "type = ?"]
    types = [] if is_any_type else [resource_type, type_]
    for where, parameters in _conditions(params):
        matches = _find_assets(store, [*where, *type_clauses], [*parameters, *types])
        found.update({asset.key: asset for asset in matches})
    if not found:
        raise not_found("No resources found")
    if len(found) > MAX_ENTRIES:
        raise bad_request(f"Too many resources for one archive: at most {MAX_ENTRIES}")
    return sorted(found.values(), key=lambda asset: asset.key)


def _named_keys(params: Params, resource_type: str, type_: str) -> list[tuple[str, str, str]]:
    keys = [(resource_type, type_, public_id) for public_id in params.items("public_ids")]
    for qualified in params.items("fully_qualified_public_ids"):
        parts = qualified.split("/", 2)
        if len(parts) != 3 or parts[0] not in RESOURCE_TYPES:
            raise bad_request(
                f"Invalid fully_qualified_public_ids {qualified[:80]}: write resource_type/type/public_id"
            )
        keys.append((parts[0], parts[1], parts[2]))
    return keys


def _conditions(params: Params) -> list[tuple[list[str], list[str]]]:
    has_tag = "assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)"
    conditions: list[tuple[list[str], list[str]]] = [([has_tag], [tag]) for tag in params.texts("tags")]
    for prefix in params.items("prefixes"):
        clause, values = listing.prefix_clause(prefix)
        conditions.append(([clause], values))
    names = ("public_ids", "fully_qualified_public_ids")
    if not conditions and not any(name in params for name in names):
        raise bad_request("Must supply one of tags, public_ids, fully_qualified_public_ids or prefixes")
    return conditions


def _find_assets(store: Store, where: Sequence[str], parameters: Sequence[str]) -> Iterator[Asset]:
    cursor, taken = "", 0
    while True:
        page, cursor = listing.page(store.reader, where, parameters, limit=_PAGE_ROWS, cursor=cursor)
        yield from page
        taken += len(page)
        if not cursor or taken > MAX_ENTRIES:
            return


def entry_name(params: Params, asset: Asset, format_: str, transformation: str = "") -> str:
    """Return the path of an asset inside the archive. It is relative and stays inside the archive."""
    path = asset.public_id
    if params.flag("use_original_filename") and asset.original_filename:
        path = "/".join([*path.split("/")[:-1], asset.original_filename.replace("/", "_")])
    if params.flag("flatten_folders"):
        path = path.replace("/", "_")
    if transformation and not params.flag("skip_transformation_name"):
        label = re.sub(r"[^\w.,:-]", "_", transformation)
        path = f"{path}_{label}" if params.flag("flatten_transformations") else f"{path}/{label}"
    return safe_path(path if asset.resource_type == "raw" or not format_ else f"{path}.{format_}")


def safe_path(path: str) -> str:
    """Return the path, changed so that it stays inside the folder to which the archive is unpacked.

    Uploaders choose public ids and file names, and some unpacking programs allow path traversal ("zip slip").
    """
    path = re.sub(r"[\x00-\x1f\x7f\\]|^(?=[A-Za-z]:)", "_", path)
    parts = ("_" * len(part) if re.fullmatch(r"[. ]*", part) else part for part in path.split("/") if part)
    return "/".join(parts) or "_"


def with_unique_names(entries: list[Entry]) -> list[Entry]:
    """Add numbers to the names of entries that would collide, and return all entries."""
    seen: set[str] = set()
    for entry in entries:
        stem, dot, extension = entry.name.rpartition(".")
        number = 1
        while entry.name in seen:
            number += 1
            entry.name = f"{stem or extension}_{number}{dot}{extension if stem else ''}"
        seen.add(entry.name)
    return entries


class _Sink(io.RawIOBase):
    """A write-only file for zipfile, whose content is taken out while it grows."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(memoryview(data))  # type: ignore[arg-type]
        self._chunks.append(chunk)
        return len(chunk)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def stream(store: Store, entries: Sequence[Entry]) -> Iterator[bytes]:
    """Yield the archive in chunks, in constant memory. Raises ApiError 404 if a file has been deleted meanwhile."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.compress_type = (
                zipfile.ZIP_STORED if entry.source.format in _COMPRESSED_FORMATS else zipfile.ZIP_DEFLATED
            )
            info.file_size = entry.source.bytes
            with store.open(entry.source) as file, archive.open(info, "w") as target:
                while chunk := file.read(_COPY_BYTES):
                    target.write(chunk)
                    yield sink.take()
            yield sink.take()
    yield sink.take()
