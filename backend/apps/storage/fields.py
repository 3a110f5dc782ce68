"""How a ticket's file fields reach their files: Cloudinary for what is published, the local disk for what is older.

A name in one of the mission's folders is a public id with its extension; any other name is a file of the local
storage of old. Writing to Cloudinary goes through `apps/publishing/` alone, so these fields read, and write only
locally.
The fields describe themselves to migrations as Django's own, so that no migration ever imports a storage.
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
    """Local files by their path, published files by their public id and extension.

    Keeps the contract of `django.core.files.storage.Storage`. What the rows know of published files they are asked for:
    whether there is one, when it was published, what else is in its folder. No call of the hourly Admin API quota is
    spent on that, and the CDN is never asked for a file that may not be there, since it remembers the refusal. Only
    `open` and `size` go over the network, so they have no place in a request or a transaction.
    """

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if (published := as_published(name)) is None:
            local: File[Any] = super()._open(name, mode)  # type: ignore[misc]  # Django's stubs leave it out
            return local
        if mode != "rb":
            raise ValueError("Published ticket files are read-only; apps.publishing.requests has them made anew.")
        return File(io.BytesIO(_call(gateway.fetch, name, *published)), name=name)

    def _save(self, name: str, content: File[Any]) -> str:
        if as_published(name) is not None:
            raise NotImplementedError("Ticket files are published by apps.publishing alone.")
        saved: str = super()._save(name, content)  # type: ignore[misc]  # Django's stubs leave it out
        return saved

    def delete(self, name: str) -> None:
        if as_published(name) is not None:
            raise NotImplementedError("Published ticket files leave through the deletion outbox, with their ticket.")
        super().delete(name)

    def exists(self, name: str) -> bool:
        """Whether there is a local file of that name, or a ticket's row says that it was published under it."""
        if (published := as_published(name)) is None:
            return super().exists(name)
        return _row(*published) is not None

    def size(self, name: str) -> int:
        """Return the size in bytes. Of a published file it is asked of the CDN."""
        return (
            super().size(name) if (published := as_published(name)) is None else _call(gateway.size, name, *published)
        )

    def url(self, name: str | None) -> str:
        if (published := as_published(name or "")) is None:
            return super().url(name)
        return gateway.delivery_url(*published)

    def path(self, name: str) -> str:
        if as_published(name) is not None:
            raise NotImplementedError("Published ticket files have no path; open() reads them.")
        return super().path(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files at the path, those of the local storage and those that were published."""
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
        """Return when the file was written: a published one, when its row says that it was."""
        if (published := as_published(name)) is None:
            return super().get_modified_time(name)
        moment: datetime = _existing(name, *published)["published_at"]
        return moment if settings.USE_TZ else timezone.make_naive(moment)

    def get_created_time(self, name: str) -> datetime:
        if as_published(name) is not None:
            raise NotImplementedError("It is not kept when a ticket's file was first published.")
        return super().get_created_time(name)

    def get_accessed_time(self, name: str) -> datetime:
        if as_published(name) is not None:
            raise NotImplementedError("Cloudinary does not tell when a file was last delivered.")
        return super().get_accessed_time(name)


Answer = TypeVar("Answer")


def _call(function: Callable[..., Answer], name: str, kind: gateway.FileKind, public_id: str) -> Answer:
    """Ask storage about the file, at the version that its row names. Raises FileNotFoundError, and MediaError."""
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
    """Return what the row says whose file was published under this public id, None if there is no such row."""
    rows = _tickets().filter(**{f"{kind.name}_cloudinary_id": public_id})
    if found := gateway.TICKET_FILE.fullmatch(public_id):
        rows = rows.filter(ticket_id=found["ticket"])  # which has an index
    row: dict[str, Any] | None = rows.values(f"{kind.name}_version", "published_at").first()
    return row


def _published_at(parts: list[str]) -> tuple[list[str], list[str]]:
    """Return the folders and files directly below this path of published files."""
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
    """Return the tickets, whose model has these fields, and so can't be imported here."""
    return apps.get_model("events", "EventTicket")._default_manager


def as_published(name: str) -> tuple[gateway.FileKind, str] | None:
    """The kind and public id that a field's name stands for, or None for a local file."""
    for kind in gateway.KINDS:
        if name.startswith(kind.folder + "/"):
            return kind, name.removesuffix("." + kind.extension)
    return None


class _VersionedUrl:
    """Adds the version that the ticket's row knows, which a storage cannot see, to the URL of a published file."""

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
    pass


class TicketImageFieldFile(_VersionedUrl, ImageFieldFile):
    pass


class TicketFileField(models.FileField):
    attr_class = TicketFieldFile

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "storage": TicketStorage(), "max_length": 255})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        return _as_djangos_own(super().deconstruct(), "django.db.models.FileField")


class TicketImageField(models.ImageField):
    attr_class = TicketImageFieldFile

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "storage": TicketStorage(), "max_length": 255})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        return _as_djangos_own(super().deconstruct(), "django.db.models.ImageField")


def _as_djangos_own(parts: Any, path: str) -> tuple[str, str, list[Any], dict[str, Any]]:
    name, _, args, kwargs = parts
    kwargs.pop("storage", None)
    return name, path, args, kwargs
