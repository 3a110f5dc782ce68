"""Whether this process can answer requests, and whether the parts that do the work behind them answer."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.publishing import queues


def unready() -> list[str]:
    """Why this process can't answer requests right now, in words; empty when it can.

    Storage and the broker are not asked: requests, those of the door above all, are answered without either.
    """
    try:
        executor = MigrationExecutor(connection)
        planned = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return [f"The database does not answer: {type(error).__name__}"]
    return [f"{len(planned)} migrations are not applied; run manage.py migrate."] if planned else []


def impaired() -> list[str]:
    """What doesn't work although requests are answered, in words."""
    if queues.queue_length(bulk=False) is None:
        return ["The broker does not answer: tickets wait in the database until a sweep finds it back."]
    return []
