"""Keyset pagination of tickets, newest first.

The cursor is the primary key of the last ticket of a page, not an offset. Tickets that are issued or deleted between
two requests therefore cause no duplicates or gaps, and page 1000 is as fast as page 1.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from django.db.models import QuerySet
from ninja import Field, Schema

from apps.events.models import EventTicket

CURSOR_BYTES = 8
CURSOR_PATTERN = r"^([A-Za-z0-9_-]{11})?$"  # CURSOR_BYTES in Base64 without padding


class PageQuery(Schema):
    limit: int = Field(50, ge=1, le=100, description="The maximum number of tickets on a page.")
    cursor: str = Field(
        "", pattern=CURSOR_PATTERN, description="`next_cursor` of the previous page. Omit it for the first page."
    )


def page_of(tickets: QuerySet[EventTicket], query: PageQuery) -> tuple[Sequence[EventTicket], str | None]:
    """Return the tickets of a page and the cursor of the next page, which is None on the last page."""
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
