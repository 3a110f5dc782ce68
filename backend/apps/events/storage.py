"""How a ticket's file fields reach their files: Cloudinary for what is published, the local disk for what is older.

A name in one of the mission's folders is a public id with its extension; any other name is a file of the local
storage of old. Writing to Cloudinary goes through `tickets.py` alone, so these fields read, and write only locally.
The fields describe themselves to migrations as Django's own, so that no migration ever imports a storage.
"""

from __future__ import annotations

import io
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models.fields.files import FieldFile, ImageFieldFile

from . import media


class TicketStorage(FileSystemStorage):
    """Local files by their path, published files by their public id and extension."""

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if (published := as_published(name)) is None:
            local: File[Any] = super()._open(name, mode)  # type: ignore[misc]  # Django's stubs leave it out
            return local
        if mode != "rb":
            raise ValueError("Published ticket files are read-only; apps.events.tickets makes them anew.")
        return File(io.BytesIO(media.fetch(*published)), name=name)

    def url(self, name: str | None) -> str:
        if (published := as_published(name or "")) is None:
            return super().url(name)
        return media.delivery_url(*published)

    def delete(self, name: str) -> None:
        if as_published(name) is not None:
            raise ValueError("Published ticket files leave through the deletion outbox, with their ticket.")
        super().delete(name)


def as_published(name: str) -> tuple[media.FileKind, str] | None:
    """The kind and public id that a field's name stands for, or None for a local file."""
    for kind in media.KINDS:
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
        return media.delivery_url(*published, version=getattr(self.instance, f"{self.field.name}_version"))


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
