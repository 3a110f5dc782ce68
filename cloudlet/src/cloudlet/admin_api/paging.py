"""Paginate short lists in memory."""

from collections.abc import Sequence
from typing import TypeVar

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.store import listing
from cloudlet.web.params import Params

T = TypeVar("T")


def paginate(
    params: Params, items: Sequence[T], *, default: int = 10, maximum: int = 500
) -> tuple[list[T], dict[str, Json]]:
    """Return one page of ``items``, and the field ``next_cursor`` if there are more. Raises ApiError 400."""
    limit = params.integer("max_results", default, low=1, high=maximum)
    start = listing.decode_cursor(params.text("next_cursor")) if "next_cursor" in params else 0
    if not isinstance(start, int) or start < 0:
        raise bad_request("Invalid value for next_cursor")
    more = {"next_cursor": listing.encode_cursor(start + limit)} if start + limit < len(items) else {}
    return list(items[start : start + limit]), more
