"""Serve ``/resources/search``, ``/folders/search`` and signed search URLs."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloudlet import pictures
from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.assets.delivery_urls import base_url
from cloudlet.errors import bad_request, not_found, unauthorized
from cloudlet.model import Asset, Json
from cloudlet.pictures import analysis
from cloudlet.search import ASSET_FIELDS, FOLDER_FIELDS, Compiled, compile_expression
from cloudlet.search.compiler import extension_of
from cloudlet.services import services_of
from cloudlet.signing import hex_digest
from cloudlet.store import listing
from cloudlet.web.params import Params

DEFAULT_RESULTS = 50
MAX_RESULTS = 500
_FREE_TEXT = "(public_id || ' ' || display_name || ' ' || format || ' ' || tags || ' ' || context || ' ' || metadata)"
_AGGREGATES = ("resource_type", "type", "format", "pixels", "duration", "bytes")
_ALWAYS_INCLUDED = frozenset(
    {"asset_id", "public_id", "resource_type", "type", "created_at", "status", "folder", "asset_folder"}
)


def search(call: AdminCall) -> Json:
    """Return the assets that match an expression, with their total count and aggregations."""
    started = time.perf_counter()
    condition = compile_expression(call.params.text("expression"), ASSET_FIELDS, free_text=_FREE_TEXT)
    reader = call.store.reader
    found, cursor = listing.page(
        reader,
        [condition.sql],
        condition.parameters,
        order=_order(call.params),
        limit=call.params.integer("max_results", DEFAULT_RESULTS, low=0, high=MAX_RESULTS) or 1,
        cursor=call.params.text("next_cursor"),
    )
    answer: dict[str, Json] = {
        "total_count": listing.count(reader, [condition.sql], condition.parameters),
        "time": 0,
        "resources": [_shown(call, asset) for asset in found],
    }
    if cursor:
        answer["next_cursor"] = cursor
    aggregates = call.params.value("aggregate")
    if aggregates:
        answer["aggregations"] = _aggregations(call, condition, aggregates)
    answer["time"] = round((time.perf_counter() - started) * 1000)
    return answer


def _order(params: Params) -> list[tuple[str, str]]:
    given = params.json("sort_by") or [{"created_at": "desc"}]
    order: list[tuple[str, str]] = []
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, dict) or len(entry) != 1:
            raise bad_request('Invalid value for parameter sort_by: write [{"field": "asc"}]')
        ((name, direction),) = entry.items()
        if name in ("score", "relevance"):
            name = "created_at"
        field = ASSET_FIELDS.get(name)
        if field is None or str(direction).lower() not in ("asc", "desc"):
            raise bad_request(f"Invalid value for parameter sort_by: {name} {direction}")
        order.append((field.sql, str(direction).lower()))
    return order


def _shown(call: AdminCall, asset: Asset) -> dict[str, Json]:
    wanted = {*call.params.texts("with_field"), *call.params.texts("fields")}
    answer = call.presenter.listed(asset, ("tags", "metadata") if "metadata" in wanted else ())
    answer.update(
        format=asset.format or extension_of(asset.public_id),
        filename=asset.public_id.rpartition("/")[2],
        uploaded_at=asset.created_at,
        status="active",
        etag=asset.etag,
        tags=asset.tags,
    )
    if asset.width and asset.height:
        answer.update(pixels=asset.width * asset.height, aspect_ratio=round(asset.width / asset.height, 5))
    if "context" in wanted:
        answer["context"] = asset.context
    found = pictures.analyse_stored(call.store, asset, [name for name in wanted if name in analysis.AVAILABLE])
    answer.update(found)
    fields = call.params.texts("fields")
    if "tags" not in wanted and not fields:
        answer.pop("tags")
    if fields:
        answer = {name: value for name, value in answer.items() if name in _ALWAYS_INCLUDED or name in fields}
    return answer


# ------------------------------------------------------------------------------------------ aggregations


def _aggregations(call: AdminCall, condition: Compiled, aggregates: Json) -> dict[str, Json]:
    answer: dict[str, Json] = {}
    for aggregate in aggregates if isinstance(aggregates, list) else [aggregates]:
        if isinstance(aggregate, dict):
            name = str(aggregate.get("type"))
            answer[name] = _ranges(call, condition, name, aggregate.get("ranges") or [])
        else:
            answer[str(aggregate)] = _terms(call, condition, str(aggregate))
    return answer


def _column(name: str) -> str:
    if name not in _AGGREGATES:
        raise bad_request(f"Invalid aggregate {name}. Must be one of: {', '.join(_AGGREGATES)}")
    return ASSET_FIELDS[name].sql


def _terms(call: AdminCall, condition: Compiled, name: str) -> dict[str, int]:
    column = _column(name)
    sql = (
        f"SELECT {column} AS term, count(*) AS number FROM assets"  # noqa: S608 - columns from our own table
        f" WHERE NOT placeholder AND {condition.sql} GROUP BY term ORDER BY number DESC LIMIT 100"
    )
    return {str(row["term"]): row["number"] for row in call.store.reader.execute(sql, condition.parameters)}


def _ranges(call: AdminCall, condition: Compiled, name: str, ranges: Sequence[Json]) -> dict[str, int]:
    column = _column(name)
    answer: dict[str, int] = {}
    for entry in ranges:
        if not isinstance(entry, dict) or "key" not in entry:
            raise bad_request("Invalid aggregate: every range needs a key")
        where, parameters = [condition.sql], list(condition.parameters)
        for end, operator in (("from", ">="), ("to", "<")):
            if entry.get(end) is not None:
                where.append(f"{column} {operator} ?")
                parameters.append(float(entry[end]))
        answer[str(entry["key"])] = listing.count(call.store.reader, where, parameters)
    return answer


# ------------------------------------------------------------------------------------------------ folders


def search_folders(call: AdminCall) -> Json:
    """Return the folders that match an expression with the fields name, path and created_at."""
    condition = compile_expression(call.params.text("expression"), FOLDER_FIELDS, free_text="path")
    limit = call.params.integer("max_results", DEFAULT_RESULTS, low=1, high=MAX_RESULTS)
    offset = int(listing.decode_cursor(call.params.text("next_cursor") or listing.encode_cursor(0)))
    sql = f"SELECT * FROM folders WHERE {condition.sql} ORDER BY path LIMIT ? OFFSET ?"  # noqa: S608 - compiled
    rows = call.store.reader.execute(sql, (*condition.parameters, limit + 1, offset)).fetchall()
    count = f"SELECT count(*) FROM folders WHERE {condition.sql}"  # noqa: S608 - compiled
    answer: dict[str, Json] = {
        "total_count": call.store.reader.execute(count, condition.parameters).fetchone()[0],
        "folders": [
            {
                "name": row["path"].rpartition("/")[2],
                "path": row["path"],
                "external_id": row["external_id"],
                "created_at": row["created_at"],
            }
            for row in rows[:limit]
        ],
    }
    if len(rows) > limit:
        answer["next_cursor"] = listing.encode_cursor(offset + limit)
    return answer


# --------------------------------------------------------------------------------------------- search URLs


async def search_url(request: Request) -> Response:
    """Serve ``/{cloud}/search/{signature}/{ttl}/{query}[/{cursor}]``, a signed search for use in a browser.

    Raises ApiError 401 if the signature is wrong, and 400 if the query is malformed.
    """
    services = services_of(request)
    path = request.path_params
    if path["cloud"] != services.settings.cloud_name:
        raise not_found(f"Invalid cloud_name {path['cloud']}")
    expected = hex_digest(f"{path['ttl']}{path['query']}{services.settings.api_secret}", "sha256")
    if not hmac.compare_digest(expected.encode(), path["signature"].encode()):
        raise unauthorized("Invalid search signature")
    try:
        query = json.loads(base64.urlsafe_b64decode(path["query"]))
    except (binascii.Error, ValueError) as error:
        raise bad_request("Invalid search query") from error
    params = Params({**query, "next_cursor": path.get("cursor")})
    call = AdminCall(services=services, params=params, base=base_url(request, services.settings), path={})
    answer = await run_in_threadpool(search, call)
    return JSONResponse(answer, headers={"Cache-Control": f"public, max-age={int(path['ttl'])}"})
