"""Updates many rows by one statement, each with values and conditions of its own, which the ORM can't say.

`UPDATE ... FROM (VALUES ...)` costs PostgreSQL and the program a tenth of a statement a row, and `bulk_update`, which
the ORM has, knows no conditions. Databases that can't do it get a statement a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.subqueries import UpdateQuery

MOST_PARAMETERS = 30_000  # in one statement; SQLite takes 32,766


@dataclass(frozen=True, slots=True)
class Row:
    """What is written to the row of this primary key, if its columns still have the values of `conditions`.

    All rows of one update name the same columns.
    """

    pk: int
    conditions: Mapping[str, Any]
    values: Mapping[str, Any]


def update_each(model: type[models.Model], rows: Sequence[Row], **common: Any) -> set[int]:
    """Update each row, and all of them with `common` (values or expressions). Answers the keys of those updated."""
    if not rows:
        return set()
    connection = connections[router.db_for_write(model)]
    if not _can_update_from_values(connection):
        return {
            row.pk
            for row in rows
            if model._base_manager.filter(pk=row.pk, **row.conditions).update(**row.values, **common)
        }
    width = 1 + len(rows[0].conditions) + len(rows[0].values)
    chunk = max(1, MOST_PARAMETERS // width)
    updated: set[int] = set()
    for start in range(0, len(rows), chunk):
        updated |= _update_from_values(connection, model, rows[start : start + chunk], common)
    return updated


def _can_update_from_values(connection: BaseDatabaseWrapper) -> bool:
    """PostgreSQL, and SQLite since 3.35, which brought `RETURNING`."""
    return connection.vendor in ("postgresql", "sqlite") and connection.features.can_return_rows_from_bulk_insert


def _update_from_values(
    connection: BaseDatabaseWrapper, model: type[models.Model], rows: Sequence[Row], common: dict[str, Any]
) -> set[int]:
    meta, quote = model._meta, connection.ops.quote_name
    table = quote(meta.db_table)
    fields: list[Any] = [meta.pk, *map(meta.get_field, (*rows[0].conditions, *rows[0].values))]
    columns = [quote(field.column) for field in fields]
    # PostgreSQL takes the columns of VALUES for what its first row looks like.
    kinds = [field.cast_db_type(connection) if connection.vendor == "postgresql" else None for field in fields]
    first = ", ".join(f"CAST(%s AS {kind})" if kind else "%s" for kind in kinds)
    others = ", ".join(["%s"] * len(fields))
    tuples = ", ".join([f"({first})", *[f"({others})"] * (len(rows) - 1)])
    parameters = [
        field.get_db_prep_save(value, connection)
        for row in rows
        for field, value in zip(fields, (row.pk, *row.conditions.values(), *row.values.values()), strict=True)
    ]
    same = 1 + len(rows[0].conditions)
    query = UpdateQuery(model)
    query.add_update_values(common)
    update, more = query.get_compiler(connection=connection).as_sql()
    given = [f"c{number}" for number in range(len(columns))]  # a column may be both a condition and a value
    pairs = list(zip(columns, given, strict=True))
    statement = (
        f"WITH wanted ({', '.join(given)}) AS (VALUES {tuples}) {update}, "  # noqa: S608 # names of our own models
        f"{', '.join(f'{column} = wanted.{new}' for column, new in pairs[same:])} FROM wanted "
        f"WHERE {' AND '.join(f'{table}.{column} = wanted.{old}' for column, old in pairs[:same])} "
        f"RETURNING {table}.{columns[0]}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *more])
        return {pk for (pk,) in cursor.fetchall()}
