"""A change of an event re-renders its stale tickets, once and with their codes; old files stay until then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

import ticketkit
from apps.core.jobs import dispatch
from apps.events import event_images, issuing
from apps.events.codes import code_of
from apps.events.issuing import Holder
from apps.events.models import Event, EventImage, EventTicket, TicketType
from apps.publishing import fingerprints, invalidation, outcomes, pipeline, queues, sweep, ticket_rendering
from apps.publishing.models import ChangedEvent
from apps.publishing.outcomes import TICKETS
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_picture, make_ticket, make_ticket_type
from tests.pictures import codes_in_pdf
from tests.workers import publish
from ticketkit import RenderingError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

State = EventTicket.State
LATER = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: 0)


@pytest.fixture
def event(cloudlet: RunningCloudlet) -> Event:
    """Create an event with 6 published tickets, half of them of a ticket type, and a stored fingerprint."""
    event = make_event(title="Before")
    kind = make_ticket_type(event)
    issuing.issue_many(event, [Holder(name=f"Guest {n}") for n in range(3)])
    issuing.issue_many(event, [Holder(name=f"Guest {n}") for n in range(3)], kind)
    publish_all()
    invalidation.notice_changes()
    assert invalidation.republish_changed(timezone.now() + LATER) == 0
    return Event.objects.get(pk=event.pk)


def publish_all() -> None:
    pipeline.publish_many(sweep.pending_pks())


def due(event: Event) -> None:
    """Request an invalidation that is due now, as after the debounce window."""
    invalidation.event_changed(event.pk)
    ChangedEvent.objects.update(next_attempt_at=timezone.now())


def follow() -> int:
    """Run the invalidation after the debounce window, and publish. Return the number of re-rendered tickets."""
    marked = invalidation.republish_changed(timezone.now() + LATER)
    publish_all()
    return marked


def test_new_title_rerenders_every_ticket_with_the_same_code(event: Event) -> None:
    before = {ticket.pk: (ticket.pdf_ticket.url, code_of(ticket)) for ticket in event.tickets.all()}
    Event.objects.filter(pk=event.pk).update(title="After")
    invalidation.event_changed(event.pk)
    assert invalidation.republish_changed() == 0, "edits are debounced"

    assert invalidation.republish_changed(timezone.now() + LATER) == 6
    for ticket in event.tickets.all():
        assert (ticket.state, ticket.in_bulk) == (State.PENDING, True)
        assert ticket.has_files
        assert ticket.pdf_ticket.url == before[ticket.pk][0], "the old files stay until the new ones are uploaded"
        assert codes_in_pdf(ticket.pdf_ticket.read()) == [code_of(ticket)]
    publish_all()
    for ticket in event.tickets.all():
        assert ticket.state == State.READY
        assert ticket.pdf_ticket.url != before[ticket.pk][0], "a new version, so that the CDN serves no stale copy"
        assert code_of(ticket) == before[ticket.pk][1]
    assert follow() == 0


def test_quick_edits_are_debounced(event: Event) -> None:
    for title in ("A", "B", "C"):
        Event.objects.filter(pk=event.pk).update(title=title)
        invalidation.event_changed(event.pk)
    assert follow() == 6
    assert follow() == 0


def test_edit_that_is_undone_in_time_rerenders_nothing(event: Event) -> None:
    for title in ("Typo", "Before"):
        Event.objects.filter(pk=event.pk).update(title=title)
        invalidation.event_changed(event.pk)
    assert follow() == 0


def change_title(event: Event) -> None:
    Event.objects.filter(pk=event.pk).update(title="After")


def change_start(event: Event) -> None:
    event.starts_at += timedelta(hours=1)
    event.save()


def change_cover(event: Event) -> None:
    event_images.save_event_image(event, EventImage.Kind.COVER, make_picture())


def change_organiser(event: Event) -> None:
    event.organiser.name = "Day Shift Concerts"
    event.organiser.save()


@pytest.mark.parametrize("change", [change_title, change_start, change_cover, change_organiser])
def test_unreported_changes_are_noticed(event: Event, change: Any) -> None:
    change(event)
    assert invalidation.notice_changes() == 1
    assert follow() == 6


def test_new_renderer_version_rerenders_tickets_of_future_events_in_bulk(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = make_event(starts_at=timezone.now() - timedelta(days=9), doors_at=None)
    past = make_ticket(event=over)
    publish_all()
    monkeypatch.setattr(ticketkit, "RENDERER_VERSION", ticketkit.RENDERER_VERSION + 1)
    assert invalidation.notice_changes() == 1
    assert invalidation.republish_changed(timezone.now() + LATER) == 6
    assert set(event.tickets.values_list("state", "in_bulk")) == {(State.PENDING, True)}
    publish_all()
    assert invalidation.notice_changes() == 0
    past.refresh_from_db()
    assert past.revision == 0, "tickets of past events are not re-rendered"


def test_change_that_is_not_printed_is_not_noticed(event: Event) -> None:
    Event.objects.filter(pk=event.pk).update(description="A longer text")
    assert invalidation.notice_changes() == 0


def test_new_price_rerenders_tickets_of_that_type_only(event: Event) -> None:
    TicketType.objects.filter(event=event).update(price="30.00")
    assert invalidation.notice_changes() == 1
    assert follow() == 3


def test_ticket_rendered_before_a_change_of_its_event_is_made_again(event: Event) -> None:
    late = make_ticket(event=event)
    [claimed] = TICKETS.claim_these([late.pk])
    assert claimed.event.title == "Before"
    Event.objects.filter(pk=event.pk).update(title="After")
    invalidation.event_changed(event.pk)
    invalidation.republish_changed(timezone.now() + LATER)
    files = outcomes.Files(*(media_file(claimed, kind) for kind in gateway.KINDS))
    assert outcomes.record([(claimed, files)])[late.pk].state == State.PENDING
    publish_all()
    assert len(shown_of_the_event(event)) == 1


def test_negative_control_without_overtaking_a_stale_ticket_is_ready(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalidation, "_overtake_workers", lambda event: None)
    late = make_ticket(event=event)
    [claimed] = TICKETS.claim_these([late.pk])
    Event.objects.filter(pk=event.pk).update(title="After")
    invalidation.event_changed(event.pk)
    invalidation.republish_changed(timezone.now() + LATER)
    files = outcomes.Files(*(media_file(claimed, kind) for kind in gateway.KINDS))
    assert outcomes.record([(claimed, files)])[late.pk].state == State.READY
    publish_all()
    assert len(shown_of_the_event(event)) == 2


def shown_of_the_event(event: Event) -> set[str]:
    """Return the event's halves of the published fingerprints of tickets without a type."""
    published = event.tickets.filter(ticket_type=None).values_list("published_fingerprint", flat=True)
    return {fingerprint[: fingerprints.HALF_LENGTH] for fingerprint in published}


def media_file(ticket: EventTicket, kind: gateway.FileKind) -> gateway.StoredFile:
    return gateway.StoredFile(ticket.public_id_of(kind), 1, "")


def test_killed_run_is_finished_after_its_lease(event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invalidation, "TICKETS_PER_TRANSACTION", 2)
    Event.objects.filter(pk=event.pk).update(title="After")
    invalidation.event_changed(event.pk)
    mark, calls = invalidation._mark, []

    def die_later(pks: list[int]) -> int:
        calls.append(pks)
        if len(calls) == 2:
            raise SystemExit
        return mark(pks)

    monkeypatch.setattr(invalidation, "_mark", die_later)
    with pytest.raises(SystemExit):
        invalidation.republish_changed(timezone.now() + LATER)
    assert event.tickets.filter(state=State.PENDING).count() == 2
    assert follow() == 0, "the lease has not expired"
    ChangedEvent.objects.update(lease_until=timezone.now(), next_attempt_at=timezone.now())
    assert follow() == 4
    assert set(event.tickets.values_list("state", flat=True)) == {State.READY}


def test_tickets_without_a_fingerprint_are_stale_after_the_next_change_only(event: Event) -> None:
    EventTicket.objects.update(published_fingerprint="")
    Event.objects.update(fingerprint="")
    assert invalidation.notice_changes() == 1
    assert follow() == 0
    Event.objects.filter(pk=event.pk).update(title="After")
    assert invalidation.notice_changes() == 1
    assert follow() == 6


def test_change_of_the_event_retries_given_up_tickets(event: Event) -> None:
    poison = make_ticket(event=event)
    with mock.patch.object(ticket_rendering, "render", side_effect=RenderingError("no glyph for U+E000")):
        publish(poison.pk)
    Event.objects.filter(pk=event.pk).update(title="After")
    invalidation.event_changed(event.pk)
    assert follow() == 7
    poison.refresh_from_db()
    assert poison.state == State.READY


def test_edit_during_a_run_is_handled_by_the_next_run(event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tested with a past event, whose changes `notice_changes` would not find later."""
    Event.objects.update(starts_at=timezone.now() - timedelta(days=30), doors_at=None)
    Event.objects.update(title="Second")
    due(event)
    mark = invalidation._mark

    def edit_once(pks: list[int]) -> int:
        if Event.objects.filter(title="Second").update(title="Third"):
            invalidation.event_changed(event.pk)
        return mark(pks)

    monkeypatch.setattr(invalidation, "_mark", edit_once)
    invalidation.republish_changed()
    publish_all()
    assert ChangedEvent.objects.exists(), "it is still due"
    follow()
    third = fingerprints.event_fingerprints_by_type(Event.objects.get())
    for ticket in EventTicket.objects.all():
        assert ticket.published_fingerprint.startswith(third[ticket.ticket_type_id])


def test_workers_of_the_previous_version_cannot_make_a_run_endless(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a deployment, they publish tickets that are stale again as soon as new files are requested."""
    mark = invalidation._mark

    def mark_and_undo(pks: list[int]) -> int:
        marked = mark(pks)
        EventTicket.objects.filter(pk__in=pks).update(state=State.READY, published_fingerprint="0" * 64)
        return marked

    monkeypatch.setattr(invalidation, "_mark", mark_and_undo)
    Event.objects.update(title="After")
    due(event)
    assert invalidation.republish_changed() == 6
