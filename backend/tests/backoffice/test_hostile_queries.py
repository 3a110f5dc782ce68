"""Lists, filters, actions and URLs accept any input without a status of 500."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.project.test_every_route import World, client_of, world

__all__ = ["world"]  # a fixture
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases, pytest.mark.integration]
# A year out of range; more than 64 bits; more digits than int() parses; NUL; an invalid date.
VALUES = ("99999999999", "9223372036854775808", "1" * 5000, "a\x00b", "2024-02-30")
KEYS = ("q", "p", "_to_field")
LOOKUPS = ("__exact", "__in", "__year")


def lookups_of(model_admin: admin.ModelAdmin) -> Iterator[str]:  # type: ignore[type-arg]
    """Yield the lookups that filters, the date hierarchy and guessed query strings use."""
    names = {getattr(model_admin, "date_hierarchy", None) or "pk"}
    for entry in model_admin.get_list_filter(None):  # type: ignore[arg-type]
        names.add(entry[0] if isinstance(entry, tuple) else str(entry))
    for name in sorted(names):
        yield from (name + lookup for lookup in LOOKUPS)


def queries() -> Iterator[tuple[str, str]]:
    for model, model_admin in admin.site._registry.items():
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for key in (*KEYS, *lookups_of(model_admin)):
            yield page, key


def encoded(value: str) -> str:
    return quote(value.encode("utf-8", "surrogateescape"), safe="")


def test_every_list_accepts_every_value(world: World) -> None:
    client = client_of(world, "root")
    client.raise_request_exception = False
    assert client.get(f"{reverse('admin:events_event_changelist')}?starts_at__year=99999999999").status_code == 302
    failed = {
        (page, key, value[:20], status)
        for page, key in queries()
        for value in VALUES[:4:2] + VALUES[3:4]
        if (status := client.get(f"{page}?{key}={encoded(value)}").status_code) not in (200, 302, 400)
    }
    assert failed == set()


@pytest.mark.parametrize("chosen", ["x", "\x00", "99999999999999999999999", "1" * 5000, "-"])
def test_actions_accept_every_selection(world: World, chosen: str) -> None:
    client = client_of(world, "root")
    client.raise_request_exception = False
    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for action in ("delete_selected", "rerender_selected"):
            answer = client.post(page, {"action": action, "_selected_action": [chosen]})
            assert answer.status_code in (200, 302, 400), (page, action)


PATHS = (
    "/admin/events/event/{}/change/",
    "/admin/events/event/{}/preview.png",
    "/admin/events/eventticket/{}/reissue/",
    "/admin/storage_checks/examination/?period={}",
    "/admin/search/?s={}",
    "/admin/autocomplete/?app_label={}",
    "/?page={}",
    "/?earlier&page={}",
    "/events/{}/abc.jpg",
    "/tickets/{}/",
    "/accounts/login/?next={}",
    "/accounts/signup/?email={}",
    "/api/events/{}/tickets/",
    "/api/events/verify/{}",
    "/api/events/tickets/?cursor={}",
    "/api/events/tickets/?limit={}",
    "/api/events/1/tickets/?search={}",
    "/api/events/1/tickets/?state={}",
)


def test_urls_accept_every_value(world: World) -> None:
    client = client_of(world, "root")
    client.raise_request_exception = False
    failed = {
        (path, value[:20])
        for path in PATHS
        for value in VALUES
        if client.get(path.format(encoded(value))).status_code >= 500
    }
    assert failed == set()
