"""Serve ``/transformations``: named ones, and those of derived files."""

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.paging import paginate
from cloudlet.admin_api.transformation_info import info_of
from cloudlet.assets import named_transformations
from cloudlet.assets.formats import split_format
from cloudlet.errors import conflict, not_found
from cloudlet.model import Json
from cloudlet.store import Store, Transaction, documents
from cloudlet.store.rows import derived_from_row

DERIVED_RESULTS = 10


def _used_transformations(store: Store) -> set[str]:
    return {row[0] for row in store.reader.execute("SELECT DISTINCT transformation FROM derived")}


def _is_used(document: dict[str, Json], used: set[str]) -> bool:
    name = f"t_{document['name']}" if document["named"] else split_format(document["name"])[0]
    return any(name in text.split("/") or name == text for text in used)


def _shown(document: dict[str, Json], used: set[str]) -> dict[str, Json]:
    return {
        "name": f"t_{document['name']}" if document["named"] else document["name"],
        "allowed_for_strict": document["allowed_for_strict"],
        "used": _is_used(document, used),
        "named": document["named"],
    }


def list_or_show(call: AdminCall) -> Json:
    """Serve ``GET /transformations`` with all transformations, or the one named by ``transformation``."""
    if "transformation" in call.params:
        return show(call)
    used = _used_transformations(call.store)
    known = documents.list_all(call.store.reader, named_transformations.KIND)
    names = {document["name"] for document in known}
    implied = [
        named_transformations.record(text, text, named=False)
        for text in sorted(used - names)
        if not text.startswith("t_")
    ]
    everything = [_shown(document, used) for document in [*known, *implied]]
    if "named" in call.params:
        everything = [entry for entry in everything if entry["named"] == call.params.flag("named")]
    page, more = paginate(call.params, everything)
    return {"transformations": page, **more}


def _name(call: AdminCall) -> str:
    return call.path.get("name") or call.params.required("transformation")


def _find(store: Store, name: str) -> dict[str, Json] | None:
    document = named_transformations.find(store.reader, name)
    if document is None and split_format(name)[0] in _used_transformations(store):
        return named_transformations.record(name, split_format(name)[0], named=False)
    return document


def show(call: AdminCall) -> Json:
    """Return a transformation and its derived files. Raises ApiError 404 if it is neither named nor in use."""
    name = _name(call)
    document = _find(call.store, name)
    if document is None:
        raise not_found(f"Can't find transformation named {name}")
    answer = _shown(document, _used_transformations(call.store))
    answer["info"] = info_of(document["definition"])
    chain = answer["name"] if document["named"] else split_format(document["definition"])[0]
    rows = call.store.reader.execute(
        "SELECT derived.*, assets.resource_type, assets.type, assets.public_id"
        " FROM derived JOIN assets USING (asset_id) WHERE transformation = ? ORDER BY derived.id",
        (chain,),
    ).fetchall()
    page, more = paginate(call.params, rows, default=DERIVED_RESULTS)
    answer["derived"] = [
        {"public_id": row["public_id"], "resource_type": row["resource_type"], "type": row["type"],
         "id": row["id"], "format": row["format"], "bytes": derived_from_row(row).bytes}
        for row in page
    ]  # fmt: skip
    return {**answer, **more}


def create(call: AdminCall) -> Json:
    name = (call.path.get("name") or call.params.required("name")).removeprefix("t_")
    definition = call.params.required("transformation")
    _check(call, definition)
    is_named = split_format(name)[0] != split_format(definition)[0]
    document = named_transformations.record(
        name, definition, named=is_named, allowed_for_strict=call.params.flag("allowed_for_strict", is_named)
    )

    def job(transaction: Transaction) -> None:
        if documents.find(transaction.connection, named_transformations.KIND, name):
            raise conflict(f"Transformation {name} already exists")
        documents.save(transaction, named_transformations.KIND, name, document)

    call.store.write(job)
    return {"message": "created"}


def _check(call: AdminCall, definition: str) -> None:
    named_transformations.parse_parameter(call.store, split_format(definition)[0])


def update(call: AdminCall) -> Json:
    """Change a transformation. ``unsafe_update`` redefines it and deletes its derived files."""
    name = _name(call)
    document = _find(call.store, name)
    if document is None:
        raise not_found(f"Can't find transformation named {name}")
    document["allowed_for_strict"] = call.params.flag("allowed_for_strict", document["allowed_for_strict"])
    redefined = call.params.text("unsafe_update")
    if redefined:
        _check(call, redefined)
        document["definition"] = redefined

    def job(transaction: Transaction) -> None:
        documents.save(transaction, named_transformations.KIND, document["name"], document)
        if redefined:
            _drop_derived(transaction, document)

    call.store.write(job)
    return {"message": "updated"}


def delete(call: AdminCall) -> Json:
    """Delete a transformation and its derived files."""
    name = _name(call)
    document = _find(call.store, name)
    if document is None:
        raise not_found(f"Can't find transformation named {name}")

    def job(transaction: Transaction) -> None:
        documents.delete(transaction, named_transformations.KIND, document["name"])
        _drop_derived(transaction, document)

    call.store.write(job)
    return {"message": "deleted"}


def _drop_derived(transaction: Transaction, document: dict[str, Json]) -> None:
    chain = f"t_{document['name']}" if document["named"] else split_format(document["name"])[0]
    for row in transaction.execute("SELECT id, transformation, blob FROM derived").fetchall():
        if row["transformation"] == chain or (document["named"] and chain in row["transformation"].split("/")):
            transaction.execute("DELETE FROM derived WHERE id = ?", (row["id"],))
            transaction.discard(row["blob"])
