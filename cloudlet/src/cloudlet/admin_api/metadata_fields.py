"""Serve ``/metadata_fields`` and ``/metadata_rules``."""

from collections.abc import Callable

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.errors import bad_request, not_found
from cloudlet.model import Json, now_iso
from cloudlet.store import Transaction, documents
from cloudlet.structured_metadata import definitions, rules

_ORDERS = ("label", "external_id", "created_at")


def list_fields(call: AdminCall) -> Json:
    fields = documents.list_all(call.store.reader, definitions.KIND)
    return {"metadata_fields": [definitions.to_response(field) for field in fields]}


def get_field(call: AdminCall) -> Json:
    return definitions.to_response(definitions.find(call.store.reader, call.path["external_id"]))


def add_field(call: AdminCall) -> Json:
    field = definitions.new_field(call.params.raw())
    field["created_at"] = now_iso()

    def job(transaction: Transaction) -> None:
        if documents.find(transaction.connection, definitions.DELETED_KIND, field["external_id"]) is not None:
            raise bad_request(f"external id {field['external_id']} already exists")
        for other in documents.list_all(transaction.connection, definitions.KIND):
            if other["external_id"] == field["external_id"]:
                raise bad_request(f"external id {field['external_id']} already exists")
            if other["label"] == field["label"]:
                raise bad_request(f"label {field['label']} already exists")
        documents.save(transaction, definitions.KIND, field["external_id"], field)

    call.store.write(job)
    return definitions.to_response(field)


def _change(call: AdminCall, change: Callable[[dict[str, Json]], dict[str, Json]]) -> dict[str, Json]:
    external_id = call.path["external_id"]

    def job(transaction: Transaction) -> dict[str, Json]:
        field = change(definitions.find(transaction.connection, external_id))
        documents.save(transaction, definitions.KIND, external_id, field)
        return field

    return definitions.to_response(call.store.write(job))


def _change_datasource(call: AdminCall, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    def checked(field: dict[str, Json]) -> dict[str, Json]:
        if "datasource" not in field:
            raise bad_request(f"Field {field['external_id']} has no datasource")
        return change(field)

    return _change(call, checked)["datasource"]


def update_field(call: AdminCall) -> Json:
    return _change(call, lambda field: definitions.update(field, call.params.raw()))


def delete_field(call: AdminCall) -> Json:
    """Delete a field. Its external id stays reserved for ever."""
    external_id = call.path["external_id"]

    def job(transaction: Transaction) -> None:
        definitions.find(transaction.connection, external_id)
        documents.delete(transaction, definitions.KIND, external_id)
        documents.save(transaction, definitions.DELETED_KIND, external_id, {})

    call.store.write(job)
    return {"message": "ok"}


def update_datasource(call: AdminCall) -> Json:
    values = call.params.value("values") or []
    return _change_datasource(
        call, lambda field: {**field, "datasource": {"values": definitions.merge_entries(field, values)}}
    )


def delete_entries(call: AdminCall) -> Json:
    """Deactivate entries of a datasource, which can be restored."""
    ids = call.params.value("external_ids")
    return _change_datasource(call, lambda field: definitions.with_state(field, ids, "inactive"))


def restore_entries(call: AdminCall) -> Json:
    ids = call.params.value("external_ids")
    return _change_datasource(call, lambda field: definitions.with_state(field, ids, "active"))


def order_datasource(call: AdminCall) -> Json:
    call.params.choice("order_by", ("value",), "value")
    descending = call.params.choice("direction", ("asc", "desc"), "asc") == "desc"

    def ordered(field: dict[str, Json]) -> dict[str, Json]:
        values = sorted(field["datasource"]["values"], key=lambda entry: entry["value"], reverse=descending)
        return {**field, "datasource": {"values": values}}

    return _change_datasource(call, ordered)


def order_fields(call: AdminCall) -> Json:
    order_by = call.params.choice("order_by", _ORDERS, "label")
    descending = call.params.choice("direction", ("asc", "desc"), "asc") == "desc"

    def job(transaction: Transaction) -> list[dict[str, Json]]:
        fields = documents.list_all(transaction.connection, definitions.KIND)
        fields.sort(key=lambda field: field[order_by], reverse=descending)
        for position, field in enumerate(fields):
            documents.save(transaction, definitions.KIND, field["external_id"], field, position)
        return fields

    return {"metadata_fields": [definitions.to_response(field) for field in call.store.write(job)]}


def search_datasources(call: AdminCall) -> Json:
    """Return the entries of all datasources whose value contains ``term``."""
    term = call.params.text("term").lower()
    found: list[dict[str, Json]] = []
    for field in documents.list_all(call.store.reader, definitions.KIND):
        if "datasource" in field:
            found += [e for e in definitions.active_entries(field) if term in e["value"].lower()]
    return {"values": found}


# ------------------------------------------------------------------------------------------------ rules


def list_rules(call: AdminCall) -> Json:
    return {"metadata_rules": documents.list_all(call.store.reader, rules.KIND)}


def add_rule(call: AdminCall) -> Json:
    def job(transaction: Transaction) -> dict[str, Json]:
        rule = rules.new_rule(transaction.connection, call.params.raw())
        if documents.find(transaction.connection, rules.KIND, rule["external_id"]):
            raise bad_request(f"external id {rule['external_id']} already exists")
        documents.save(transaction, rules.KIND, rule["external_id"], rule)
        return rule

    return call.store.write(job)


def update_rule(call: AdminCall) -> Json:
    external_id = call.path["external_id"]

    def job(transaction: Transaction) -> dict[str, Json]:
        rule = documents.find(transaction.connection, rules.KIND, external_id)
        if rule is None:
            raise not_found(f"Metadata rule {external_id} not found")
        rule = rules.update(transaction.connection, rule, call.params.raw())
        documents.save(transaction, rules.KIND, external_id, rule)
        return rule

    return call.store.write(job)


def delete_rule(call: AdminCall) -> Json:
    external_id = call.path["external_id"]

    def job(transaction: Transaction) -> None:
        if not documents.delete(transaction, rules.KIND, external_id):
            raise not_found(f"Metadata rule {external_id} not found")

    call.store.write(job)
    return {"success": True}
