"""A model whose `save()` writes what this object changed, and leaves alone what others wrote since it was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Self, TypeVar

from django.db import models

Row = TypeVar("Row", bound="PartiallySaved")


class PartiallySavedQuerySet(models.QuerySet[Row]):
    def bulk_create(self, objs: Iterable[Row], *args: Any, **options: Any) -> list[Row]:
        created = super().bulk_create(objs, *args, **options)
        for row in created:
            row.remember_what_was_read()
        return created


class PartiallySaved(models.Model):
    """Django writes every column with every save, also those that another process changed meanwhile.

    What was read (or inserted) is remembered, and never forgotten by a save: were its transaction rolled back, the
    same save must write the same columns again.
    """

    _read: dict[str, Any] | None = None

    objects: ClassVar[models.Manager[Any]]

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        is_new = self._state.adding
        super().save(*args, **options)
        if is_new:
            self.remember_what_was_read()

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row.remember_what_was_read()
        return row

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Self] | None = None,
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        self.remember_what_was_read(names)

    def remember_what_was_read(self, names: Iterable[str] | None = None) -> None:
        """Take today's values, of the named fields or of all, for those of the database."""
        fields = self._meta.concrete_fields if names is None else map(self._meta.get_field, names)
        columns = [field.attname for field in fields if field.concrete]
        self._read = (self._read or {}) | {name: self.__dict__[name] for name in columns if name in self.__dict__}

    def columns_to_save(self) -> set[str] | None:
        """What `save()` should write: the columns whose values are not those that were read; None for all of them.

        At least one: a save without columns would be none, and nobody would be told of it.
        """
        if self._read is None or self.pk != self._read[self._meta.pk.attname]:
            return None
        held = {field.attname for field in self._meta.concrete_fields if field.attname in self.__dict__}
        return {name for name in held if name not in self._read or self._read[name] != self.__dict__[name]} or {
            min(held.difference([self._meta.pk.attname]))
        }
