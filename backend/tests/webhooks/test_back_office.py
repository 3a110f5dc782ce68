"""Test the back office of webhooks: endpoints, secrets, permissions, and sending again."""

from __future__ import annotations

import io
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.events import issuing
from apps.events.models import EventTicket
from apps.webhooks import delivery, maintenance, payloads
from apps.webhooks.models import WebhookEndpoint, WebhookMessage
from tests.factories import make_endpoint, make_event, make_organiser, make_ticket, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]

State = WebhookMessage.State
LIST = "admin:webhooks_webhookendpoint_changelist"
MESSAGES = "admin:webhooks_webhookmessage_changelist"
SENT = {
    "url": "https://hooks.example.org/admit",
    "description": "Shop",
    "event_types": ["ticket.ready"],
    "enabled": "on",
}


@pytest.fixture
def mona() -> User:
    return make_user("mona@example.org", is_staff=True)


@pytest.fixture
def back_office(mona: User) -> Client:
    client = Client()
    client.force_login(mona)
    return client


@pytest.fixture
def own(mona: User) -> WebhookEndpoint:
    return make_endpoint(make_organiser("Own team", manager=mona), "https://own.example.org/", description="Own shop")


@pytest.fixture
def foreign() -> WebhookEndpoint:
    return make_endpoint(make_organiser("Foreign team"), "https://foreign.example.org/", description="Foreign shop")


def message_of(endpoint: WebhookEndpoint, **values: Any) -> WebhookMessage:
    ticket = make_ticket(event=make_event(organiser=endpoint.organiser))
    issuing.reissue(ticket)
    message = WebhookMessage.objects.get(ticket_id=ticket.ticket_id)
    WebhookMessage.objects.filter(pk=message.pk).update(**values)
    message.refresh_from_db()
    return message


def pages_of(endpoint: WebhookEndpoint, message: WebhookMessage) -> list[str]:
    names = ("change", "delete", "history", "test", "new_secret")
    return [
        *(reverse(f"admin:webhooks_webhookendpoint_{name}", args=[endpoint.pk]) for name in names),
        reverse("admin:webhooks_webhookmessage_change", args=[message.pk]),
    ]


# -- Endpoints ---------------------------------------------------------------------------------------------------


def test_new_endpoint_shows_its_secret_once(back_office: Client, mona: User) -> None:
    team = make_organiser(manager=mona)
    answer = back_office.post(reverse("admin:webhooks_webhookendpoint_add"), SENT | {"organiser": team.pk}, follow=True)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in answer.content.decode()
    assert endpoint.event_types == ["ticket.ready"]

    change = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])
    for page in (change, reverse(LIST), reverse("admin:webhooks_webhookendpoint_history", args=[endpoint.pk])):
        assert endpoint.secret not in back_office.get(page).content.decode(), page


def test_previous_secret_stays_valid_for_a_day(back_office: Client, own: WebhookEndpoint) -> None:
    old = own.secret
    page = reverse("admin:webhooks_webhookendpoint_new_secret", args=[own.pk])
    back_office.get(page)
    own.refresh_from_db()
    assert own.secret == old, "a GET request changed something"

    answer = back_office.post(page, follow=True)
    own.refresh_from_db()
    assert own.secret != old
    assert own.secret in answer.content.decode()
    now = timezone.now()
    assert own.signing_secrets(now) == [own.secret, old]
    assert own.signing_secrets(now + timedelta(hours=25)) == [own.secret]


@pytest.mark.parametrize(
    ("field", "value"),
    [("url", "http://own.example.org/"), ("url", "https://10.0.0.1/"), ("event_types", []), ("event_types", ["x"])],
)
def test_invalid_endpoint_is_refused_by_the_form(back_office: Client, mona: User, field: str, value: Any) -> None:
    team = make_organiser(manager=mona)
    answer = back_office.post(
        reverse("admin:webhooks_webhookendpoint_add"), {**SENT, "organiser": team.pk, field: value}
    )
    assert field in answer.context["adminform"].form.errors
    assert not WebhookEndpoint.objects.exists()


def test_saving_keeps_health_unless_the_url_changes(back_office: Client, own: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(
        failures=7, held_until=timezone.now() + timedelta(hours=1), last_failure="Answered 500"
    )
    page = reverse("admin:webhooks_webhookendpoint_change", args=[own.pk])
    back_office.post(page, {**SENT, "url": own.url, "description": "Renamed"})
    own.refresh_from_db()
    assert (own.description, own.failures) == ("Renamed", 7)

    back_office.post(page, {**SENT, "url": "https://corrected.example.org/"})
    own.refresh_from_db()
    assert (own.failures, own.held_until) == (0, None), "a new URL did not reset the failures"


def test_test_message_ignores_the_subscription(back_office: Client, own: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(event_types=["ticket.deleted"])
    page = reverse("admin:webhooks_webhookendpoint_test", args=[own.pk])
    back_office.get(page)
    assert not WebhookMessage.objects.exists(), "a GET request changed something"
    back_office.post(page)
    assert WebhookMessage.objects.get().event_type == "webhook.test"

    WebhookEndpoint.objects.update(enabled=False)
    back_office.post(page)
    assert WebhookMessage.objects.count() == 1


def test_deleting_an_endpoint_deletes_its_messages(back_office: Client, own: WebhookEndpoint) -> None:
    message_of(own)
    page = reverse("admin:webhooks_webhookendpoint_delete", args=[own.pk])
    assert "with 1 message" in back_office.get(page).content.decode()
    back_office.post(page, {"post": "yes"})
    assert not WebhookEndpoint.objects.exists()
    assert not WebhookMessage.objects.exists()


# -- Permissions -------------------------------------------------------------------------------------------------


def test_manager_can_open_every_page_of_the_own_team(back_office: Client, own: WebhookEndpoint) -> None:
    pages = [*pages_of(own, message_of(own)), reverse(LIST), reverse(MESSAGES)]
    pages += [f"{reverse(MESSAGES)}?state__exact=failed", reverse("admin:webhooks_webhookendpoint_add")]
    assert {page: back_office.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)


def test_manager_can_open_no_page_of_another_team(
    back_office: Client, own: WebhookEndpoint, foreign: WebhookEndpoint
) -> None:
    message = message_of(foreign, state=State.FAILED)
    secret = foreign.secret
    for page in pages_of(foreign, message):
        for answer in (back_office.get(page), back_office.post(page, {"post": "yes"})):
            # Messages can't be changed, which Django checks (403) before it looks for the row. It redirects from a
            # missing row to the start page.
            assert answer.status_code in (302, 403, 404), page
            if answer.status_code == 302:
                assert answer["Location"] == reverse("admin:index"), page
    back_office.post(reverse(MESSAGES), {"action": "send_again", "_selected_action": [message.pk]})
    message.refresh_from_db()
    foreign.refresh_from_db()
    assert (message.state, foreign.secret) == (State.FAILED, secret)
    make_endpoint(own.organiser, "https://second.example.org/")  # the filter is shown for two endpoints or more
    for page in (reverse(LIST), reverse(MESSAGES), reverse("admin:webhooks_webhookendpoint_add")):
        assert "Foreign" not in back_office.get(page).content.decode(), page


def test_endpoint_cannot_be_moved_to_another_team(back_office: Client, own: WebhookEndpoint) -> None:
    team = make_organiser("Foreign team").pk
    answer = back_office.post(reverse("admin:webhooks_webhookendpoint_add"), SENT | {"organiser": team})
    assert "organiser" in answer.context["adminform"].form.errors
    back_office.post(reverse("admin:webhooks_webhookendpoint_change", args=[own.pk]), SENT | {"organiser": team})
    own.refresh_from_db()
    assert own.organiser_id != team


def test_door_staff_cannot_open_the_pages(own: WebhookEndpoint) -> None:
    for user in (make_user(is_staff=True), make_user(is_staff=True)):
        make_organiser(door=user)
        client = Client()
        client.force_login(user)
        assert [client.get(reverse(page)).status_code for page in (LIST, MESSAGES)] == [403, 403]


def test_permission_to_view_messages_does_not_allow_sending(own: WebhookEndpoint) -> None:
    message = message_of(own, state=State.FAILED)
    support = make_user(is_staff=True)
    support.user_permissions.add(Permission.objects.get(codename="view_webhookmessage"))
    client = Client()
    client.force_login(support)
    assert message.message_id in client.get(reverse(MESSAGES)).content.decode()
    client.post(reverse(MESSAGES), {"action": "send_again", "_selected_action": [message.pk]})
    message.refresh_from_db()
    assert message.state == State.FAILED


@pytest.fixture
def may_view_all(mona: User, own: WebhookEndpoint) -> None:
    """Let Mona view the rows of every team. She still manages one team only."""
    names = ("view_webhookendpoint", "view_webhookmessage", "view_organiser")
    mona.user_permissions.set(Permission.objects.filter(codename__in=names))


@pytest.mark.usefixtures("may_view_all")
def test_permission_to_view_every_team_does_not_allow_changes(back_office: Client, foreign: WebhookEndpoint) -> None:
    message = message_of(foreign, state=State.FAILED)
    assert back_office.get(reverse(LIST)).context["cl"].result_count == 2
    back_office.post(reverse(LIST), {"action": "delete_selected", "_selected_action": [foreign.pk], "post": "yes"})
    back_office.post(reverse(MESSAGES), {"action": "send_again", "_selected_action": [message.pk]})
    answer = back_office.post(reverse("admin:webhooks_webhookendpoint_add"), SENT | {"organiser": foreign.organiser_id})

    assert "organiser" in answer.context["adminform"].form.errors
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert foreign.organiser.webhook_endpoints.get() == foreign


@pytest.mark.usefixtures("may_view_all")
def test_deletion_permission_is_checked_for_each_endpoint(
    mona: User, own: WebhookEndpoint, foreign: WebhookEndpoint, rf: RequestFactory
) -> None:
    request, endpoints = rf.get("/"), admin.site.get_model_admin(WebhookEndpoint)
    request.user = mona
    needed = [endpoints.get_deleted_objects([endpoint], request)[2] for endpoint in (own, foreign)]
    assert needed == [set(), {"webhook endpoint"}]


@pytest.mark.usefixtures("own")
def test_permission_to_change_messages_allows_resending_of_every_team(
    back_office: Client, mona: User, foreign: WebhookEndpoint
) -> None:
    message = message_of(foreign, state=State.FAILED)
    mona.user_permissions.add(Permission.objects.get(codename="change_webhookmessage"))
    back_office.post(reverse(MESSAGES), {"action": "send_again", "_selected_action": [message.pk]})
    message.refresh_from_db()
    assert message.state == State.PENDING


def test_superuser_can_open_every_page(own: WebhookEndpoint) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "correct horse battery staple"))
    pages = [*pages_of(own, message_of(own)), reverse(LIST), reverse(MESSAGES)]
    assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)


# -- Sending again -----------------------------------------------------------------------------------------------


def test_messages_are_resent_from_the_list(back_office: Client, own: WebhookEndpoint) -> None:
    given_up = message_of(own, state=State.FAILED, attempts=9, reason="Answered 500")
    delivered = message_of(own, state=State.DELIVERED, attempts=1)
    chosen = {"action": "send_again", "_selected_action": [given_up.pk, delivered.pk]}
    answer = back_office.post(reverse(MESSAGES), chosen, follow=True)
    assert "2 messages are sent again" in answer.content.decode()
    for message in (given_up, delivered):
        before = message.message_id
        message.refresh_from_db()
        assert (message.state, message.attempts, message.message_id) == (State.PENDING, 0, before)
        assert message.give_up_at > timezone.now() + timedelta(hours=71)


def test_message_in_flight_is_not_resent(own: WebhookEndpoint) -> None:
    message = message_of(own)
    lease = "0b7f5a52-5a3c-4d0e-9f53-3f1f6b1f4c11"
    WebhookMessage.objects.update(lease=lease, next_attempt_at=timezone.now() + timedelta(minutes=2))
    assert maintenance.resend(WebhookMessage.objects.filter(pk=message.pk)) == 0


def replay(*arguments: str) -> str:
    out = io.StringIO()
    call_command("replay_webhooks", *arguments, stdout=out)
    return out.getvalue()


def test_command_selects_by_endpoint_ticket_time_and_failure(own: WebhookEndpoint, foreign: WebhookEndpoint) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    old = message_of(own, state=State.DELIVERED, created_at=yesterday)
    failed = message_of(own, state=State.FAILED)
    other = message_of(foreign, state=State.DELIVERED)

    def chosen(*arguments: str) -> set[int]:
        WebhookMessage.objects.update(state=State.DELIVERED)
        WebhookMessage.objects.filter(pk=failed.pk).update(state=State.FAILED)
        replay(*arguments)
        return set(WebhookMessage.objects.filter(state=State.PENDING).values_list("pk", flat=True))

    assert chosen("--endpoint", str(own.pk)) == {old.pk, failed.pk}
    assert chosen("--ticket", str(other.ticket_id)) == {other.pk}
    assert chosen("--since", (timezone.now() - timedelta(hours=1)).isoformat()) == {failed.pk, other.pk}
    assert chosen("--since", "2001-02-03", "--endpoint", str(own.pk)) == {old.pk, failed.pk}
    assert chosen("--failed") == {failed.pk}
    assert chosen("--failed", "--dry-run") == set()
    foreign.enabled = False
    foreign.save()
    assert "1 are not: their endpoint is off" in replay("--endpoint", str(foreign.pk))


@pytest.mark.parametrize("arguments", [[], ["--since", "soon"], ["--since", "2027-99-01"], ["--ticket", "abc"]])
def test_command_without_a_valid_selection_is_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        replay(*arguments)


# -- Secrets -----------------------------------------------------------------------------------------------------


def test_secrets_and_urls_are_not_logged(own: WebhookEndpoint, caplog: pytest.LogCaptureFixture) -> None:
    WebhookEndpoint.objects.update(url="https://127.0.0.1/?token=hush")  # as a row written by other software may have
    for logger in ("apps.webhooks.claims", "apps.webhooks.delivery"):
        caplog.set_level(logging.DEBUG, logger)
    message_of(own, give_up_at=timezone.now())
    assert delivery.deliver_due() == 1
    assert "was given up" in caplog.text
    assert own.secret not in caplog.text
    assert "hush" not in caplog.text
    assert "hush" not in f"{own} {own!r} {WebhookMessage.objects.get()!r}"


def test_messages_contain_no_names_codes_or_urls_of_files(own: WebhookEndpoint) -> None:
    ticket = make_ticket(
        event=make_event(organiser=own.organiser), holder_name="Ada Byron", holder_email="ada@example.org"
    )
    issuing.reissue(ticket)
    EventTicket.objects.get().delete()
    for message in WebhookMessage.objects.all():
        body = payloads.body_of(message).decode()
        assert not any(secret in body for secret in ("Ada", "ada@", "AD1:", "qr_code", "pdf", "s--"))
