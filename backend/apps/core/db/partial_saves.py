"""A model whose `save()` writes only the edited columns, so that a stale object does not undo concurrent changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from typing import Any, ClassVar, Self, TypeVar

from django.db import models, transaction
from django.db.models.fields.files import FieldFile

P = TypeVar("P", bound="PartiallySaved")


class PartiallySavedQuerySet(models.QuerySet[P]):
    def bulk_create(self, objs: Iterable[P], *args: Any, **options: Any) -> list[P]:
        created = super().bulk_create(objs, *args, **options)
        for row in created:
            row.remember(row.held())
        return created


class PartiallySaved(models.Model):
    """A model that saves only what changed, to avoid lost updates.

    Django's `save()` writes every column, also the columns that another process changed since the object was read.
    This one writes the columns of `EDITED` that differ from the values that were read. To write any other column, use
    `update()` or name it in `update_fields`.
    """

    EDITED: ClassVar[tuple[str, ...]]  # columns that people edit
    FIXED: ClassVar[tuple[str, ...]]  # columns that are written by the INSERT only

    objects: ClassVar[models.Manager[Any]] = PartiallySavedQuerySet.as_manager()

    _read: Mapping[str, Any] = {}  # the values of the primary key and of EDITED that the row is known to have

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        names = self.columns_to_save(update_fields, options.get("using"))
        super().save(*args, update_fields=names, **options)
        written, columns = self.held(names), self.edited_columns(names)
        if names is None:
            self.remember(written)
            return
        # Forget them until the commit: after a rollback, the next save must write the same columns again.
        self._read = {name: value for name, value in self._read.items() if name not in columns}
        transaction.on_commit(lambda: self.remember(written), using=self._state.db)

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> Self:
        row = super().from_db(*args, **options)
        row.remember(row.held())
        return row

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, *args: Any, **options: Any
    ) -> None:
        names = None if fields is None else set(fields)
        super().refresh_from_db(using, names, *args, **options)
        self.remember(self.held(names))

    def columns_to_save(self, update_fields: Iterable[str] | None, using: str | None) -> frozenset[str] | None:
        """Return the names that `save()` passes on as `update_fields`; None, for an INSERT, means every column."""
        if update_fields is not None:
            return frozenset(update_fields)
        held, is_known = self.__dict__, self._read.get(self._meta.pk.attname, self) == self.pk
        # A known row may be missing: it was deleted, or its INSERT was rolled back.
        if not is_known or not type(self)._base_manager.using(using).filter(pk=self.pk).exists():
            return None
        unknown = object()
        changed = {name for name in self.EDITED if name in held and self._read.get(name, unknown) != held[name]}
        for field in self._meta.concrete_fields:
            # The related object was assigned before it had a key. Django copies the key during save().
            if field.is_relation and field.null and held.get(field.attname, 0) is None and getattr(self, field.name):
                changed.add(field.attname)
        return frozenset(changed or self.FIXED[:1])  # Django sends no signals for an empty `update_fields`

    @classmethod
    def edited_columns(cls, names: Collection[str] | None) -> set[str]:
        """Return the columns of `EDITED` among these field or column names; all of them for None."""
        if names is None:
            return set(cls.EDITED)
        fields = [field for field in cls._meta.concrete_fields if field.name in names or field.attname in names]
        return {field.attname for field in fields}.intersection(cls.EDITED)

    def remember(self, values: Mapping[str, Any]) -> None:
        """Note that the row has these values."""
        self._read = {**self._read, self._meta.pk.attname: self.pk, **values}

    def held(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """Return copies of this object's values of `EDITED`, without expressions, which the database evaluates."""
        values = {name: self.__dict__[name] for name in self.edited_columns(names) if name in self.__dict__}
        return {
            name: str(value) if isinstance(value, FieldFile) else deepcopy(value)
            for name, value in values.items()
            if not hasattr(value, "resolve_expression")
        }
