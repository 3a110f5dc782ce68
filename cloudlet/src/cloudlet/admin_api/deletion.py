"""Delete assets and derived files, by ids, by prefix, by tag or all of them."""

from collections.abc import Callable, Iterable, Sequence

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.listing import resource_type_of
from cloudlet.assets.formats import split_format
from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets, derived, listing

PAGE_ROWS = 1000
MAX_IDS = 100


def by_type(call: AdminCall) -> Json:
    """Serve ``DELETE /resources/{resource_type}/{type}`` with public_ids, a prefix, or all."""
    resource_type, type_ = resource_type_of(call), call.path["type"]
    if "public_ids" in call.params:
        public_ids = call.params.items("public_ids")
        if len(public_ids) > MAX_IDS:
            raise bad_request(f"Too many public_ids: at most {MAX_IDS}")
        return _delete_named(call, public_ids, lambda t, name: assets.find(t.connection, resource_type, type_, name))
    where, parameters = ["resource_type = ?", "type = ?"], [resource_type, type_]
    if "prefix" in call.params:
        clause, values = listing.prefix_clause(call.params.text("prefix"))
        where.append(clause)
        parameters += values
    elif not call.params.flag("all"):
        raise bad_request("Missing required parameter - public_ids, prefix or all")
    return _delete_matching(call, where, parameters)


def by_tag(call: AdminCall) -> Json:
    where = ["resource_type = ?", "assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)"]
    return _delete_matching(call, where, [resource_type_of(call), call.path["tag"]])


def by_asset_ids(call: AdminCall) -> Json:
    """Serve ``DELETE /resources`` with asset_ids."""
    asset_ids = call.params.items("asset_ids")
    if not 0 < len(asset_ids) <= MAX_IDS:
        raise bad_request(f"asset_ids must name 1 to {MAX_IDS} assets")
    return _delete_named(call, asset_ids, lambda t, name: assets.find_by_asset_id(t.connection, name))


def _delete_named(
    call: AdminCall, names: Sequence[str], find: Callable[[Transaction, str], Asset | None]
) -> dict[str, Json]:
    def job(transaction: Transaction) -> dict[str, Json]:
        report = _DeletionReport(call)
        for name in names:
            report.delete(transaction, name, find(transaction, name))
        return report.response()

    return call.store.write(job)


def _delete_matching(call: AdminCall, where: Sequence[str], parameters: Sequence[Json]) -> dict[str, Json]:
    """Delete one page of the matching assets. The response has a ``next_cursor`` if there are more."""

    def job(transaction: Transaction) -> dict[str, Json]:
        found, cursor = listing.page(
            transaction.connection, where, parameters, limit=PAGE_ROWS, cursor=call.params.text("next_cursor")
        )
        report = _DeletionReport(call)
        for asset in found:
            report.delete(transaction, asset.public_id, asset)
        return report.response(cursor)

    return call.store.write(job)


class _DeletionReport:
    """Deletes assets and collects the result for each in the format of the API."""

    def __init__(self, call: AdminCall) -> None:
        self._keep_original = call.params.flag("keep_original")
        texts = [text for text in call.params.text("transformations").split("|") if text]
        self._transformations = [split_format(text)[0] for text in texts] or None
        self._deleted: dict[str, str] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def delete(self, transaction: Transaction, name: str, asset: Asset | None) -> None:
        if asset is None or (asset.placeholder and not self._keep_original):
            self._deleted[name] = "not_found"
            self._counts[name] = {"original": 0, "derived": 0}
            return
        derived_count = assets.drop_derived(transaction, asset.asset_id, transformations=self._transformations)
        if not self._keep_original:
            assets.delete(transaction, asset)
        self._deleted[name] = "deleted"
        self._counts[name] = {"original": 0 if self._keep_original else 1, "derived": derived_count}

    def response(self, cursor: str = "") -> dict[str, Json]:
        fields: dict[str, Json] = {"deleted": self._deleted, "deleted_counts": self._counts, "partial": bool(cursor)}
        if cursor:
            fields["next_cursor"] = cursor
        return fields


def derived_resources(call: AdminCall) -> Json:
    """Serve ``DELETE /derived_resources`` with derived_resource_ids."""
    ids = call.params.items("derived_resource_ids")
    if not 0 < len(ids) <= MAX_IDS:
        raise bad_request(f"derived_resource_ids must name 1 to {MAX_IDS} derived resources")
    return {"deleted": call.store.write(lambda transaction: _drop_derived(transaction, ids))}


def _drop_derived(transaction: Transaction, ids: Iterable[str]) -> dict[str, str]:
    return {id_: "deleted" if derived.delete(transaction, id_) else "not_found" for id_ in ids}
