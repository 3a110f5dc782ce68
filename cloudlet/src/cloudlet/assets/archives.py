"""Zip archives of many assets: what goes in, and the bytes, made as they are read."""

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
_PORTION = 500
_COPY_BYTES = 256 * 1024
# Already compressed: deflating them again costs time and gains nothing.
_STORED = frozenset({"png", "jpg", "webp", "gif", "avif", "pdf", "mp4", "mov", "webm", "mp3", "zip", "gz"})


@dataclasses.dataclass(slots=True)
class Entry:
    """One file of an archive: ``source`` holds its bytes, ``name`` is its path inside."""

    asset: Asset
    source: Asset | Derived
    name: str


def select(store: Store, params: Params, resource_type: str) -> list[Asset]:
    """The assets that an archive's parameters name, each once, by public id.

    Raises 400 when nothing is asked for or too much matches, 404 when a named asset is missing and
    ``allow_missing`` is not set, or when nothing matches at all.
    """
    type_ = params.text("type", "upload")
    found: dict[tuple[str, str, str], Asset] = {}
    for key in _named_keys(params, resource_type, type_):
        asset = store.get(*key)
        if asset is not None and not asset.placeholder:
            found[asset.key] = asset
        elif not params.flag("allow_missing"):
            raise not_found(f"Resource not found - {key[2]}")
    for where, parameters in _conditions(params):
        if resource_type != "all" and resource_type != "auto":
            where, parameters = [*where, "resource_type = ?", "type = ?"], [*parameters, resource_type, type_]
        found.update({asset.key: asset for asset in _matching(store, where, parameters)})
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
    conditions: list[tuple[list[str], list[str]]] = []
    for tag in params.texts("tags"):
        conditions.append((["assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)"], [tag]))
    for prefix in params.items("prefixes"):
        clause, values = listing.prefix_clause(prefix)
        conditions.append(([clause], values))
    names = ("public_ids", "fully_qualified_public_ids")
    if not conditions and not any(name in params for name in names):
        raise bad_request("Must supply one of tags, public_ids, fully_qualified_public_ids or prefixes")
    return conditions


def _matching(store: Store, where: Sequence[str], parameters: Sequence[str]) -> Iterator[Asset]:
    cursor, taken = "", 0
    while True:
        page, cursor = listing.page(store.reader, where, parameters, limit=_PORTION, cursor=cursor)
        yield from page
        taken += len(page)
        if not cursor or taken > MAX_ENTRIES:
            return


def entry_name(params: Params, asset: Asset, format_: str, transformation: str = "") -> str:
    """The path of an asset inside the archive; never absolute, never leaving the archive."""
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
    """Return a path that stays inside the folder an archive is unpacked to, on every system.

    Public ids and names of uploaded files are the uploader's to choose, and not every program that unpacks is careful.
    """
    path = re.sub(r"[\x00-\x1f\x7f\\]|^(?=[A-Za-z]:)", "_", path)
    parts = ("_" * len(part) if re.fullmatch(r"[. ]*", part) else part for part in path.split("/") if part)
    return "/".join(parts) or "_"


def with_unique_names(entries: list[Entry]) -> list[Entry]:
    """Numbers names that would collide."""
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
    """Where zipfile writes; what has gathered is taken away again and again."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(memoryview(data))  # type: ignore[arg-type]
        self._chunks.append(chunk)
        return len(chunk)

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def stream(store: Store, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The archive piece by piece: memory stays flat however many and large its files are."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.compress_type = zipfile.ZIP_STORED if entry.source.format in _STORED else zipfile.ZIP_DEFLATED
            info.file_size = entry.source.bytes
            with store.open(entry.source) as file, archive.open(info, "w") as target:
                while chunk := file.read(_COPY_BYTES):
                    target.write(chunk)
                    yield sink.take()
            yield sink.take()
    yield sink.take()
