"""The file fields of tickets: published files on Cloudinary, legacy files in local storage.

A name in one of the folders of `FileKind` is a public id with its extension; any other name is a local file. Only
`apps/publishing/` writes to Cloudinary; these fields read from it, and write to local storage only.

The fields deconstruct as Django's own, so that migrations do not import this module.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models.fields.files import FieldFile, ImageFieldFile
from django.utils import timezone

from . import gateway


class TicketStorage(FileSystemStorage):
    """A Django storage of local files by path, and of published files by public id and extension.

    Existence, listings and times of published files are read from the database. This spares the hourly quota of the
    Admin API, and avoids requests to the CDN for missing files, because it caches the 404. Only `open` and `size` use
    the network, so do not call them in a request or a transaction.
    """

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if (published := as_published(name)) is None:
            local: File[Any] = super()._open(name, mode)  # type: ignore[misc]  # Django's stubs leave it out
            return local
        if mode != "rb":
            raise ValueError("Published ticket files are read-only; apps.publishing.requests renders them again.")
        return File(io.BytesIO(_call(gateway.fetch, name, *published)), name=name)

    def _save(self, name: str, content: File[Any]) -> str:
        if as_published(name) is not None:
            raise NotImplementedError("Only apps.publishing publishes ticket files.")
        saved: str = super()._save(name, content)  # type: ignore[misc]  # Django's stubs leave it out
        return saved

    def delete(self, name: str) -> None:
        """Delete a local file. Raises NotImplementedError for a published one."""
        if as_published(name) is not None:
            raise NotImplementedError("Published ticket files are deleted with their ticket, by the deletion outbox.")
        super().delete(name)

    def exists(self, name: str) -> bool:
        """Return whether there is a local file of this name, or a ticket whose file was published under it."""
        if (published := as_published(name)) is None:
            return super().exists(name)
        return _row(*published) is not None

    def size(self, name: str) -> int:
        """Return the size in bytes, for a published file by a request to the CDN.

        Raises FileNotFoundError if there is no such file, and MediaError if the request fails.
        """
        if (published := as_published(name)) is None:
            return super().size(name)
        return _call(gateway.size, name, *published)

    def url(self, name: str | None) -> str:
        """Return the URL of a local file, or the delivery URL of a published one, without its version."""
        if (published := as_published(name or "")) is None:
            return super().url(name)
        return gateway.delivery_url(*published)

    def path(self, name: str) -> str:
        """Return the path of a local file. Raises NotImplementedError for a published one."""
        if as_published(name) is not None:
            raise NotImplementedError("Published ticket files have no path; open() reads them.")
        return super().path(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files at the path, both local and published ones.

        Raises FileNotFoundError if there are none.
        """
        parts = [part for part in str(path).split("/") if part not in ("", ".")]
        published = _published_at(parts)
        try:
            folders, files = super().listdir(path)
        except (FileNotFoundError, NotImplementedError):
            if not any(published):
                raise FileNotFoundError(f"There is no folder {path}.") from None
            return published
        return sorted({*folders, *published[0]}), files

    def get_modified_time(self, name: str) -> datetime:
        """Return when the file was changed or published last. Raises FileNotFoundError if there is no such file."""
        if (published := as_published(name)) is None:
            return super().get_modified_time(name)
        moment: datetime = _existing(name, *published)["published_at"]
        return moment if settings.USE_TZ else timezone.make_naive(moment)

    def get_created_time(self, name: str) -> datetime:
        """Return the creation time of a local file. Raises NotImplementedError for a published one."""
        if as_published(name) is not None:
            raise NotImplementedError("The time of a file's first publication is not stored.")
        return super().get_created_time(name)

    def get_accessed_time(self, name: str) -> datetime:
        """Return the access time of a local file. Raises NotImplementedError for a published one."""
        if as_published(name) is not None:
            raise NotImplementedError("Cloudinary does not say when a file was last delivered.")
        return super().get_accessed_time(name)


T = TypeVar("T")


def _call(function: Callable[..., T], name: str, kind: gateway.FileKind, public_id: str) -> T:
    """Call a function of the gateway with the file's version from its row.

    Raises FileNotFoundError if there is no such row or file, and MediaError for other failures.
    """
    version = _existing(name, kind, public_id)[f"{kind.name}_version"]
    try:
        return function(kind, public_id, version)
    except gateway.MediaError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise FileNotFoundError(f"{name} is missing on Cloudinary; ticket_doctor --fix makes it again.") from error
        raise


def _existing(name: str, kind: gateway.FileKind, public_id: str) -> dict[str, Any]:
    if (row := _row(kind, public_id)) is None:
        raise FileNotFoundError(f"No ticket has a file that was published as {name}.")
    return row


def _row(kind: gateway.FileKind, public_id: str) -> dict[str, Any] | None:
    """Return the version and the time of the ticket whose file was published under this public id, or None."""
    rows = _tickets().filter(**{f"{kind.name}_cloudinary_id": public_id})
    if found := gateway.TICKET_FILE.fullmatch(public_id):
        rows = rows.filter(ticket_id=found["ticket"])  # this column has an index
    row: dict[str, Any] | None = rows.values(f"{kind.name}_version", "published_at").first()
    return row


def _published_at(parts: list[str]) -> tuple[list[str], list[str]]:
    """Return the folders and the published files directly below this path."""
    paths = {kind: kind.folder.split("/") for kind in gateway.KINDS}
    above = {path[len(parts)] for path in paths.values() if len(parts) < len(path) and path[: len(parts)] == parts}
    for kind, path in paths.items():
        column = f"{kind.name}_cloudinary_id"
        published = _tickets().exclude(**{column: ""})
        if parts == path:
            events = published.values_list("event_id", flat=True).order_by("event_id").distinct()
            return [str(pk) for pk in events], []
        if parts[:-1] == path and parts[-1].isdecimal():
            names = published.filter(event_id=parts[-1]).values_list(column, flat=True)
            return [], sorted(f"{name.removeprefix('/'.join(parts) + '/')}.{kind.extension}" for name in names)
    return sorted(above), []


def _tickets() -> models.Manager[Any]:
    """Return the manager of tickets. Importing the model here would be circular: it imports these fields."""
    return apps.get_model("events", "EventTicket")._default_manager


def as_published(name: str) -> tuple[gateway.FileKind, str] | None:
    """Return the kind and the public id for the name of a published file, or None for a local one."""
    for kind in gateway.KINDS:
        if name.startswith(kind.folder + "/"):
            return kind, name.removesuffix("." + kind.extension)
    return None


class _VersionedUrl:
    """Adds the version to the URL of a published file; a storage cannot, because it only knows the name."""

    field: Any
    instance: models.Model
    name: str | None

    @property
    def url(self) -> str:
        published = as_published(self.name or "")
        if published is None:
            return super().url  # type: ignore[misc,no-any-return]
        return gateway.delivery_url(*published, version=getattr(self.instance, f"{self.field.name}_version"))


class TicketFieldFile(_VersionedUrl, FieldFile):
    """The value of a TicketFileField."""


class TicketImageFieldFile(_VersionedUrl, ImageFieldFile):
    """The value of a TicketImageField."""


class TicketFileField(models.FileField):
    """A file in a TicketStorage."""

    attr_class = TicketFieldFile

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "storage": TicketStorage(), "max_length": 255})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Return the arguments of Django's own field, for migrations."""
        return _as_djangos_own(super().deconstruct(), "django.db.models.FileField")


class TicketImageField(models.ImageField):
    """A picture in a TicketStorage."""

    attr_class = TicketImageFieldFile

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "storage": TicketStorage(), "max_length": 255})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Return the arguments of Django's own field, for migrations."""
        return _as_djangos_own(super().deconstruct(), "django.db.models.ImageField")


def _as_djangos_own(parts: Any, path: str) -> tuple[str, str, list[Any], dict[str, Any]]:
    name, _, args, kwargs = parts
    kwargs.pop("storage", None)
    return name, path, args, kwargs
