"""List assets page by page: by type, prefix, ids, tag, context, moderation or folder."""

from collections.abc import Sequence

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.errors import bad_request, not_found
from cloudlet.ids import checked_folder
from cloudlet.model import RESOURCE_TYPES, Asset, Json
from cloudlet.store import folders, listing

DEFAULT_RESULTS = 10
MAX_RESULTS = 500
MAX_IDS = 100
OPTIONAL_FIELDS = ("tags", "context", "metadata", "moderations")
_ALWAYS_INCLUDED = frozenset({"asset_id", "public_id", "folder", "asset_folder"})


def resource_type_of(call: AdminCall) -> str:
    """Return the resource type in the path. Raises ApiError 400 if it is invalid."""
    found = call.path["resource_type"]
    if found not in RESOURCE_TYPES:
        raise bad_request(f"Invalid resource_type {found}. Must be one of: {', '.join(RESOURCE_TYPES)}")
    return found


def resources(call: AdminCall, resource_type: str = "") -> Json:
    """Serve ``GET /resources/{resource_type}[/{type}]``, for all assets, a prefix or ``public_ids``."""
    where, parameters = ["resource_type = ?"], [resource_type or resource_type_of(call)]
    type_ = call.path.get("type") or call.params.text("type")
    if type_:
        where.append("type = ?")
        parameters.append(type_)
    if "public_ids" in call.params:
        return _by_public_ids(call, parameters[0], type_ or "upload")
    prefix = call.params.text("prefix")
    if prefix:
        clause, values = listing.prefix_clause(prefix)
        where.append(clause)
        parameters += values
    if "start_at" in call.params:
        ascending = call.params.text("direction").lower() in ("asc", "1")
        where.append("created_at >= ?" if ascending else "created_at <= ?")
        parameters.append(call.params.text("start_at").replace(" UTC", "").replace(" ", "T"))
    return answer_page(call, where, parameters)


def _by_public_ids(call: AdminCall, resource_type: str, type_: str) -> Json:
    public_ids = _requested_ids(call, "public_ids")
    found = [call.store.get(resource_type, type_, public_id) for public_id in public_ids]
    return {"resources": _shown(call, [asset for asset in found if asset is not None])}


def by_asset_ids(call: AdminCall) -> Json:
    found = [call.store.get_by_asset_id(asset_id) for asset_id in _requested_ids(call, "asset_ids")]
    return {"resources": _shown(call, [asset for asset in found if asset is not None])}


def _requested_ids(call: AdminCall, name: str) -> list[str]:
    ids = call.params.items(name)
    if not ids:
        raise bad_request(f"Missing required parameter - {name}")
    if len(ids) > MAX_IDS:
        raise bad_request(f"Too many {name}: at most {MAX_IDS}")
    return ids


def by_tag(call: AdminCall) -> Json:
    where = ["resource_type = ?", "assets.id IN (SELECT id FROM asset_tags WHERE tag = ?)"]
    return answer_page(call, where, [resource_type_of(call), call.path["tag"]])


def by_context(call: AdminCall) -> Json:
    """List the assets that have a context key, and that value if one is given."""
    condition = "EXISTS (SELECT 1 FROM json_each(context) WHERE key = ?"
    parameters = [resource_type_of(call), call.params.required("key")]
    if "value" in call.params:
        condition += " AND value = ?"
        parameters.append(call.params.text("value"))
    return answer_page(call, ["resource_type = ?", condition + ")"], parameters)


def by_moderation(call: AdminCall) -> Json:
    """List the assets with a kind and status of moderation."""
    condition = (
        "EXISTS (SELECT 1 FROM json_each(moderation) WHERE json_extract(value, '$.kind') = ?"
        " AND json_extract(value, '$.status') = ?)"
    )
    parameters = [resource_type_of(call), call.path["kind"], call.path["status"]]
    return answer_page(call, ["resource_type = ?", condition], parameters)


def by_asset_folder(call: AdminCall) -> Json:
    """List the assets directly in a folder. Raises ApiError 404 if the folder does not exist."""
    folder = checked_folder(call.params.text("asset_folder"), "asset_folder")
    if folder and not folders.exists(call.store.reader, folder):
        raise not_found(f"Can't find folder with path {folder}")
    where, parameters = ["asset_folder = ?"], [folder]
    return {"total_count": listing.count(call.store.reader, where, parameters), **answer_page(call, where, parameters)}


def _shown(call: AdminCall, found: Sequence[Asset]) -> list[dict[str, Json]]:
    fields = call.params.texts("fields")
    include = {name for name in OPTIONAL_FIELDS if call.params.flag(name) or name in fields}
    shown = [call.presenter.listed(asset, include) for asset in found]
    if not fields:
        return shown
    wanted = _ALWAYS_INCLUDED | set(fields)
    return [{name: value for name, value in entry.items() if name in wanted} for entry in shown]


def answer_page(call: AdminCall, where: Sequence[str], parameters: Sequence[Json]) -> dict[str, Json]:
    """Return the page ``{"resources": [...], "next_cursor": ...}`` for the call's direction, cursor and page size."""
    direction = {"asc": "asc", "1": "asc"}.get(call.params.text("direction", "desc").lower(), "desc")
    found, cursor = listing.page(
        call.store.reader,
        where,
        parameters,
        order=[("created_at", direction)],
        limit=call.params.integer("max_results", DEFAULT_RESULTS, low=1, high=MAX_RESULTS),
        cursor=call.params.text("next_cursor"),
    )
    answer: dict[str, Json] = {"resources": _shown(call, found)}
    if cursor:
        answer["next_cursor"] = cursor
    return answer


def tags(call: AdminCall) -> Json:
    """Serve ``GET /tags/{resource_type}`` with the tags in use, ordered by name."""
    limit = call.params.integer("max_results", DEFAULT_RESULTS, low=1, high=MAX_RESULTS)
    clause, values = listing.prefix_clause(call.params.text("prefix"), "tag")
    after = listing.decode_cursor(call.params.text("next_cursor")) if "next_cursor" in call.params else ""
    rows = call.store.reader.execute(
        "SELECT DISTINCT tag FROM asset_tags JOIN assets USING (id)"  # noqa: S608 - the clause comes from code
        f" WHERE resource_type = ? AND {clause} AND tag > ? ORDER BY tag LIMIT ?",
        (resource_type_of(call), *values, str(after), limit + 1),
    ).fetchall()
    answer: dict[str, Json] = {"tags": [row["tag"] for row in rows[:limit]]}
    if len(rows) > limit:
        answer["next_cursor"] = listing.encode_cursor(answer["tags"][-1])
    return answer
