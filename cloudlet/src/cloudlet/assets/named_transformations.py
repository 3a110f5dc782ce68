"""Named and known transformations. They are stored as documents and looked up while a chain is parsed."""

import sqlite3

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.store import Store, documents
from cloudlet.transformations import Transformation, TransformationError, parse
from cloudlet.transformations.vocabulary import FORMATS

KIND = "transformation"


def find(connection: sqlite3.Connection, name: str) -> dict[str, Json] | None:
    """Return the document of a transformation or None. ``name`` is a name, with or without ``t_``, or a chain."""
    return documents.find(connection, KIND, name) or documents.find(connection, KIND, name.removeprefix("t_"))


def record(name: str, definition: str, *, named: bool, allowed_for_strict: bool = False) -> dict[str, Json]:
    """Return a new document of this kind."""
    return {"name": name, "definition": definition, "named": named, "allowed_for_strict": allowed_for_strict}


def parse_with_names(store: Store, text: str) -> Transformation:
    """Parse a chain, with the named transformations of this cloud. Raises TransformationError."""
    if not text:
        return Transformation()

    def definition(name: str) -> str | None:
        document = find(store.reader, name)
        return _definition_to_chain(str(document["definition"])) if document and document["named"] else None

    return parse(text, definition)


def _definition_to_chain(definition: str) -> str:
    """Convert a definition such as `w_100/png` to a chain, which writes the format as `w_100/f_png`."""
    chain, slash, last = definition.rpartition("/")
    return f"{chain}/f_{last}" if slash and last in FORMATS else definition.rstrip("/")


def parse_parameter(store: Store, text: str) -> Transformation:
    """Do what `parse_with_names` does for a parameter of a call. Raises ApiError 400 instead."""
    try:
        return parse_with_names(store, text)
    except TransformationError as error:
        raise bad_request(str(error)) from error
