"""Named and known transformations: kept as documents, looked up by delivery under their name."""

import sqlite3

from cloudlet.model import Json
from cloudlet.store import documents

KIND = "transformation"


def find(connection: sqlite3.Connection, name: str) -> dict[str, Json] | None:
    """The document of a transformation, by name (with or without ``t_``) or by its own text."""
    return documents.find(connection, KIND, name) or documents.find(connection, KIND, name.removeprefix("t_"))


def record(name: str, definition: str, *, named: bool, allowed_for_strict: bool = False) -> dict[str, Json]:
    """A new document of this kind."""
    return {"name": name, "definition": definition, "named": named, "allowed_for_strict": allowed_for_strict}
