"""The data classes of assets and derived files."""

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
"""A value that was read from JSON or will be written to it."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Asset:
    """One asset. Clients identify it by (resource_type, type, public_id). Its ``asset_id`` never changes.

    ``blob`` names its bytes in the blob store. ``format`` is empty for raw assets, whose public id contains the
    extension. ``placeholder`` marks a deleted asset that has backups. Times are ISO 8601 in UTC.
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
        """The identity of the asset for clients: resource type, type and public id."""
        return self.resource_type, self.type, self.public_id

    @property
    def version_id(self) -> str:
        """A stable, opaque id of this version. Its backup has the same id."""
        return hex_digest(f"{self.asset_id}:{self.version}")[:32]

    @property
    def is_backed_up(self) -> bool:
        """Whether the current bytes count as a restorable version."""
        return self.backup and not self.placeholder


@dataclasses.dataclass(slots=True, kw_only=True)
class Derived:
    """A file that a transformation made from one version of an asset. It is kept until the asset changes."""

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
    """Format seconds since the epoch, by default the current time, as Cloudinary does: ``2024-05-01T12:00:00Z``."""
    return _iso(int(time.time() if timestamp is None else timestamp))


@functools.lru_cache(maxsize=16)
def _iso(second: int) -> str:
    return datetime.datetime.fromtimestamp(second, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def folder_of(public_id: str) -> str:
    """Return the folder of a public id, "" for the root."""
    return public_id.rpartition("/")[0]
