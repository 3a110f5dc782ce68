"""The stored asset and its derived files, as plain values."""

import dataclasses
import datetime
import functools
import secrets
import time
from typing import Any, Literal

from cloudlet.signing import hex_digest

ResourceType = Literal["image", "raw", "video"]
RESOURCE_TYPES: tuple[ResourceType, ...] = ("image", "raw", "video")

Json = Any
"""A value that came from, or goes to, JSON."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Asset:
    """One asset. Its identity on the wire is (resource_type, type, public_id); ``asset_id`` never changes.

    ``blob`` names the bytes in the blob store. ``format`` is empty for raw assets, whose extension is part of
    the public id. ``placeholder`` marks a deleted asset of which a backup exists. Times are ISO 8601 in UTC.
    """

    resource_type: str
    type: str
    public_id: str
    blob: str = ""
    format: str = ""
    asset_id: str = dataclasses.field(default_factory=lambda: secrets.token_hex(16))
    version: int = 0
    bytes: int = 0
    etag: str = ""
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    duration: float | None = None
    created_at: str = ""
    updated_at: str = ""
    original_filename: str = ""
    asset_folder: str = ""
    display_name: str = ""
    access_mode: str = "public"
    backup: bool = False
    placeholder: bool = False
    tags: list[str] = dataclasses.field(default_factory=list)
    context: dict[str, Json] = dataclasses.field(default_factory=dict)
    metadata: dict[str, Json] = dataclasses.field(default_factory=dict)
    access_control: list[dict[str, Json]] = dataclasses.field(default_factory=list)
    moderation: list[dict[str, Json]] = dataclasses.field(default_factory=list)
    extra: dict[str, Json] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.resource_type, self.type, self.public_id

    @property
    def version_id(self) -> str:
        """A stable opaque id of this version, under which it is among the backups too."""
        return hex_digest(f"{self.asset_id}:{self.version}")[:32]

    @property
    def is_backed_up(self) -> bool:
        """Whether the present bytes can be had back as a backup."""
        return self.backup and not self.placeholder


@dataclasses.dataclass(slots=True, kw_only=True)
class Derived:
    """A file made from one version of an asset by a transformation, kept until the asset changes."""

    id: str
    asset_id: str
    version: int
    transformation: str
    format: str
    blob: str
    bytes: int
    etag: str
    created_at: str
    width: int | None = None
    height: int | None = None


def now_iso(timestamp: float | None = None) -> str:
    """Seconds since the epoch as Cloudinary writes times: ``2024-05-01T12:00:00Z``."""
    return _iso(int(time.time() if timestamp is None else timestamp))


@functools.lru_cache(maxsize=16)
def _iso(second: int) -> str:
    return datetime.datetime.fromtimestamp(second, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def folder_of(public_id: str) -> str:
    """The folder part of a public id; empty at the root."""
    return public_id.rpartition("/")[0]
