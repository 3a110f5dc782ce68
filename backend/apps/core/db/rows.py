"""Update many rows by one statement, each with its own values.

On PostgreSQL, `UPDATE ... FROM (VALUES ...)` saves a worker 0.5 ms of CPU time for each published ticket, a sixth of
the total. Django's `bulk_update` is as slow as one statement for each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connections, models, router

MAX_PARAMETERS = 30_000  # in one statement; PostgreSQL's limit is 65,535


def update_rows(model: type[models.Model], rows: Mapping[int, Mapping[str, Any]], common: Mapping[str, Any]) -> None:
    """Write each row's values by its primary key, and the values of `common` to all of them.

    Every row names the same fields. Values of `rows` must not be expressions. The caller must have locked the rows.
    """
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql":
        for pk, values in rows.items():
            model._base_manager.filter(pk=pk).update(**values, **common)
        return
    quote = connection.ops.quote_name
    pks = list(rows)
    names = list(rows[pks[0]]) if pks else []
    fields: list[Any] = [model._meta.pk, *map(model._meta.get_field, names)]
    table, key, *columns = map(quote, (model._meta.db_table, *(field.column for field in fields)))
    shared: list[Any] = [model._meta.get_field(name) for name in common]
    assigned = ", ".join(
        [f"{column} = given.{column}" for column in columns] + [f"{quote(field.column)} = %s" for field in shared]
    )
    # PostgreSQL takes the column types of VALUES from its first row.
    first = ", ".join(f"CAST(%s AS {field.cast_db_type(connection)})" for field in fields)
    others = ", ".join(["%s"] * len(fields))
    chunk = MAX_PARAMETERS // len(fields)
    for start in range(0, len(pks), chunk):
        written = pks[start : start + chunk]
        tuples = ", ".join([f"({first})", *[f"({others})"] * (len(written) - 1)])
        parameters = [
            field.get_db_prep_save(value, connection)
            for field, value in [
                *zip(shared, common.values(), strict=True),
                *(pair for pk in written for pair in zip(fields, (pk, *rows[pk].values()), strict=True)),
            ]
        ]
        statement = (
            f"UPDATE {table} SET {assigned} FROM (VALUES {tuples}) AS given ({', '.join((key, *columns))}) "  # noqa: S608 # quoted names of our own models
            f"WHERE {table}.{key} = given.{key}"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
