"""Test that saving a stale endpoint overwrites neither its health nor its secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from apps.core.jobs.kinds import Failure
from apps.webhooks import outbox
from apps.webhooks.jobs import WEBHOOKS
from apps.webhooks.models import SECRET_OVERLAP, WebhookEndpoint, new_secret
from tests.factories import make_endpoint, make_organiser

pytestmark = [pytest.mark.django_db, pytest.mark.databases, pytest.mark.usefixtures("no_broker")]


def columns(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return WebhookEndpoint.objects.filter(pk=endpoint.pk).values().get()


def settle(status: int) -> None:
    failure = Failure(f"Answered {status}.", values={"last_status": status})
    WEBHOOKS.settle([(message, failure) for message in WEBHOOKS.claim(1)])


def fail(endpoint: WebhookEndpoint) -> None:
    outbox.enqueue_test(endpoint)
    settle(500)


def refuse(endpoint: WebhookEndpoint) -> None:
    outbox.enqueue_test(endpoint)
    settle(410)


def correct(endpoint: WebhookEndpoint) -> None:
    endpoint.url = "https://corrected.example.org/"
    endpoint.save()


CHANGES: dict[str, tuple[Callable[[WebhookEndpoint], Any], str]] = {
    "failed": (fail, "failures"),
    "switched off": (refuse, "enabled"),
    "secret": (lambda endpoint: endpoint.change_secret(timezone.now()), "secret"),
    "edited": (correct, "url"),
}


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("what", CHANGES)
def test_saving_a_stale_endpoint_overwrites_nothing(what: str, read: bool) -> None:
    stale = make_endpoint(make_organiser())
    stale = WebhookEndpoint.objects.get(pk=stale.pk) if read else stale
    change, column = CHANGES[what]
    before = columns(stale)[column]
    change(WebhookEndpoint.objects.get(pk=stale.pk))
    changed = columns(stale)
    assert changed[column] != before
    stale.description = "Renamed"
    stale.save()
    assert columns(stale) == changed | {"description": "Renamed"}


@pytest.mark.parametrize("what", CHANGES)
def test_plain_save_of_a_stale_endpoint_overwrites(what: str) -> None:
    """The negative control: `Model.save()` of Django."""
    stale = make_endpoint(make_organiser())
    change, column = CHANGES[what]
    before = columns(stale)[column]
    change(WebhookEndpoint.objects.get(pk=stale.pk))
    models.Model.save(stale)
    assert columns(stale)[column] == before


def test_settling_keeps_concurrent_edits() -> None:
    endpoint = make_endpoint(make_organiser())
    outbox.enqueue_test(endpoint)
    sent = WEBHOOKS.claim(1)
    correct(endpoint)
    WEBHOOKS.settle([(message, Failure("Answered 500.", values={"last_status": 500})) for message in sent])
    row = WebhookEndpoint.objects.get()
    assert (row.url, row.failures) == ("https://corrected.example.org/", 1)


def changed_twice(change: Callable[[WebhookEndpoint], Any]) -> tuple[str, WebhookEndpoint]:
    """Change the secret by two objects that were read before. Return the first new secret, and the row."""
    first = make_endpoint(make_organiser())
    second = WebhookEndpoint.objects.get(pk=first.pk)
    change(first)
    shown = first.secret
    change(second)
    return shown, WebhookEndpoint.objects.get(pk=first.pk)


def test_secret_of_a_concurrent_change_stays_valid() -> None:
    shown, row = changed_twice(lambda endpoint: endpoint.change_secret(timezone.now()))
    assert shown in row.signing_secrets(timezone.now())


def test_secret_of_a_concurrent_change_is_lost_by_plain_save() -> None:
    """The negative control: the previous secret is taken from a stale object."""

    def change(endpoint: WebhookEndpoint) -> None:
        endpoint.previous_secret, endpoint.previous_secret_until = endpoint.secret, timezone.now() + SECRET_OVERLAP
        endpoint.secret = new_secret()
        endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until"])

    shown, row = changed_twice(change)
    assert shown not in row.signing_secrets(timezone.now())
