"""Pages of tickets, newest first, that stay stable while tickets are issued and deleted.

A page begins after a place in the order instead of after a number of rows, so that nothing is listed twice or left
out when the list grows meanwhile, and page 1000 costs what page 1 does.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from django.db.models import QuerySet
from ninja import Field, Schema

from apps.events.models import EventTicket

CURSOR_BYTES = 8
CURSOR = r"^([A-Za-z0-9_-]{11})?$"  # those bytes in Base64, without the padding


class PageQuery(Schema):
    limit: int = Field(50, ge=1, le=100, description="How many tickets a page has at most.")
    cursor: str = Field(
        "", pattern=CURSOR, description="`next_cursor` of the page before; leave out for the first page."
    )


def page_of(tickets: QuerySet[EventTicket], query: PageQuery) -> tuple[Sequence[EventTicket], str | None]:
    """The page's tickets, and the cursor of the next page, None on the last one. One query, and its prefetches."""
    tickets = tickets.order_by("-pk")
    if query.cursor:
        tickets = tickets.filter(pk__lt=_decode(query.cursor))
    found = list(tickets[: query.limit + 1])
    page = found[: query.limit]
    return page, _encode(page[-1].pk) if len(found) > len(page) else None


def _encode(pk: int) -> str:
    return base64.urlsafe_b64encode(pk.to_bytes(CURSOR_BYTES)).decode().rstrip("=")


def _decode(cursor: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(cursor + "="))
