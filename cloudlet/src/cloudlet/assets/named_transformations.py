"""Named and known transformations: kept as documents, and looked up under their name when a chain is parsed."""

import sqlite3

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.store import Store, documents
from cloudlet.transformations import Transformation, TransformationError, parse
from cloudlet.transformations.vocabulary import FORMATS

KIND = "transformation"


def find(connection: sqlite3.Connection, name: str) -> dict[str, Json] | None:
    """The document of a transformation, by name (with or without ``t_``) or by its own text."""
    return documents.find(connection, KIND, name) or documents.find(connection, KIND, name.removeprefix("t_"))


def record(name: str, definition: str, *, named: bool, allowed_for_strict: bool = False) -> dict[str, Json]:
    """A new document of this kind."""
    return {"name": name, "definition": definition, "named": named, "allowed_for_strict": allowed_for_strict}


def parse_with_names(store: Store, text: str) -> Transformation:
    """Parse, with `t_name` looked up among the named transformations of this cloud."""
    if not text:
        return Transformation()

    def definition(name: str) -> str | None:
        document = find(store.reader, name)
        return _as_chain(str(document["definition"])) if document and document["named"] else None

    return parse(text, definition)


def _as_chain(definition: str) -> str:
    """A definition may end in a format, `w_100/png`, which a chain writes as `w_100/f_png`."""
    chain, slash, last = definition.rpartition("/")
    return f"{chain}/f_{last}" if slash and last in FORMATS else definition.rstrip("/")


def parse_parameter(store: Store, text: str) -> Transformation:
    """Parse as `parse_with_names` does, for a parameter of a call: ApiError 400 names the component at fault."""
    try:
        return parse_with_names(store, text)
    except TransformationError as error:
        raise bad_request(str(error)) from error
