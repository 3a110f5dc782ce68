"""Check whether this process can answer requests, and whether the broker answers."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.publishing import queues


def unready() -> list[str]:
    """Return the reasons why this process can't answer requests, or an empty list.

    Leave out storage and the broker: requests, above all those of check-in, are answered without them.
    """
    try:
        executor = MigrationExecutor(connection)
        planned = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return [f"The database does not answer: {type(error).__name__}"]
    return [f"{len(planned)} migrations are not applied; run manage.py migrate."] if planned else []


def impaired() -> list[str]:
    """Return the problems that do not keep this process from answering requests."""
    if queues.queue_length(bulk=False) is None:
        return ["The broker does not answer: tickets wait in the database until it does."]
    return []
