"""Layouts of events: rendering, re-rendering after a change, and broken layouts, which affect no other event."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pypdfium2
import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

import ticketkit
from apps.core.jobs import dispatch
from apps.events.codes import code_of, find_ticket
from apps.events.models import Event, EventTicket
from apps.events.ticket_service import ticket_service
from apps.publishing import fingerprints, invalidation, pipeline, queues, sweep, ticket_rendering
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_organiser, make_ticket
from tests.pictures import codes_in_pdf
from ticketkit import RenderingError

LETTER = {"base": "letter", "elements": {"price": {"show": False}}}
TINY: Any = {"stacks": {"event": {"frame": [42, 270, 511, 30]}}}
BROKEN: list[Any] = [
    {"elements": {"title": {"size": -3}}},
    "a4",
    [1, 2],
]


@pytest.fixture
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: 0)


def size_of(pdf: bytes) -> tuple[float, float]:
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as document:
        width, height = document[0].get_size()
        return round(width), round(height)


@pytest.mark.django_db
def test_ticket_is_rendered_with_its_events_layout_and_scans() -> None:
    ticket = make_ticket(event=make_event(layout=LETTER))
    pdf = ticket_rendering.render(ticket).pdf
    assert size_of(pdf) == (612, 792)
    assert codes_in_pdf(pdf, 100) == [code_of(ticket)]


@pytest.mark.django_db
def test_invalid_layout_is_refused_with_the_path_of_the_error() -> None:
    event = make_event(layout={"elements": {"title": {"size": -3}}})
    with pytest.raises(ValidationError) as caught:
        event.full_clean()
    assert caught.value.message_dict == {"layout": ["layout: elements/title/size: -3 is less than the minimum of 4"]}


@pytest.mark.django_db
def test_code_of_a_preview_belongs_to_no_ticket() -> None:
    assert find_ticket(ticket_rendering.PREVIEW.code) == (None, False)


@pytest.mark.django_db
def test_fingerprint_without_a_layout_is_the_one_from_before_layouts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The digest is from before events had layouts. If it changes, an upgrade re-renders every ticket."""
    monkeypatch.setattr(ticketkit, "RENDERER_VERSION", 1)
    starts_at = datetime(2030, 7, 1, 17, 30, tzinfo=UTC)
    event = make_event(organiser=make_organiser("Night Shift"), starts_at=starts_at, doors_at=None)
    assert fingerprints.type_fingerprint(event, None) == "0cb497bd8cd73b5de15c241c217844cd"
    event.layout = {"base": "letter"}
    assert fingerprints.type_fingerprint(event, None) != "0cb497bd8cd73b5de15c241c217844cd"


@pytest.mark.django_db
@pytest.mark.parametrize(("day", "differs"), [(30, True), (29, False)])
def test_two_utc_offsets_change_the_fingerprint_only_if_the_clocks_change(
    monkeypatch: pytest.MonkeyPatch, day: int, differs: bool
) -> None:
    """The clocks change on the 31st; the 29th is the negative control."""
    starts_at = datetime(2027, 10, day, 21, tzinfo=UTC)
    event = make_event(starts_at=starts_at, ends_at=starts_at + timedelta(hours=8), doors_at=None)
    fingerprint = fingerprints.type_fingerprint(event, None)
    monkeypatch.setattr(fingerprints, "_has_two_offsets", lambda event: False)
    assert (fingerprints.type_fingerprint(event, None) != fingerprint) == differs


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
def test_fingerprint_does_not_depend_on_the_order_of_keys_in_a_layout() -> None:
    event = make_event(layout={"fold": False, "base": "letter"})
    other = Event(layout={"base": "letter", "fold": False})
    assert fingerprints.canonical_layout(Event.objects.get(pk=event.pk)) == fingerprints.canonical_layout(other)


@pytest.mark.databases
@pytest.mark.usefixtures("_no_broker")
@pytest.mark.django_db(transaction=True)
def test_changed_layout_rerenders_the_tickets_with_their_codes(cloudlet: RunningCloudlet) -> None:
    ticket = make_ticket()
    pipeline.publish_many([ticket.pk])
    invalidation.notice_changes()
    invalidation.republish_changed(timezone.now() + timedelta(minutes=1))
    ticket.refresh_from_db()
    before, code = ticket.pdf_ticket.url, code_of(ticket)
    assert size_of(ticket.pdf_ticket.read()) == (595, 842)

    Event.objects.update(layout=LETTER)
    assert invalidation.notice_changes() == 1
    assert invalidation.republish_changed(timezone.now() + timedelta(minutes=1)) == 1
    pipeline.publish_many(sweep.pending_pks())

    ticket = EventTicket.objects.get()
    assert ticket.state == EventTicket.State.READY
    assert ticket.pdf_ticket.url != before
    pdf = ticket.pdf_ticket.read()
    assert (size_of(pdf), codes_in_pdf(pdf, 100)) == ((612, 792), [code])
    assert invalidation.notice_changes() == 0


@pytest.mark.databases
@pytest.mark.usefixtures("_no_broker")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("layout", BROKEN, ids=str)
def test_invalid_layout_in_the_database_fails_its_own_tickets_with_a_reason(
    cloudlet: RunningCloudlet, layout: Any
) -> None:
    broken, fine = make_ticket(), make_ticket()
    Event.objects.filter(pk=broken.event_id).update(layout=layout)
    pipeline.publish_many([broken.pk, fine.pk])

    broken.refresh_from_db(), fine.refresh_from_db()
    assert (broken.state, fine.state) == (EventTicket.State.FAILED, EventTicket.State.READY)
    assert broken.next_attempt_at is None, "a retry cannot help"
    assert "layout: " in broken.reason

    Event.objects.update(layout={})
    invalidation.event_changed(broken.event_id)
    invalidation.republish_changed(timezone.now() + timedelta(minutes=1))
    pipeline.publish_many(sweep.pending_pks())
    broken.refresh_from_db()
    assert broken.state == EventTicket.State.READY, "a valid layout retries the tickets"


@pytest.mark.usefixtures("_no_broker")
@pytest.mark.django_db(transaction=True)
def test_frame_too_small_for_its_texts_is_published_all_the_same(cloudlet: RunningCloudlet) -> None:
    """The form refuses such a layout, but a longer title or a write to the database can still cause it."""
    ticket = make_ticket(event=make_event(layout=TINY))
    pipeline.publish_many([ticket.pk])
    ticket.refresh_from_db()
    assert ticket.state == EventTicket.State.READY
    assert codes_in_pdf(ticket.pdf_ticket.read(), 100) == [code_of(ticket)]


@pytest.mark.usefixtures("_no_broker")
@pytest.mark.django_db(transaction=True)
def test_template_of_a_broken_event_is_tried_once_for_all_tickets() -> None:
    event = make_event(layout=BROKEN[0], title="One trial")
    pks = [make_ticket(event=event).pk for _ in range(5)]
    with mock.patch.object(ticketkit, "EventTemplate", side_effect=ticketkit.EventTemplate) as built:
        pipeline.publish_many(pks)
    assert built.call_count == 1
    assert set(event.tickets.values_list("state", flat=True)) == {EventTicket.State.FAILED}


def test_ticket_service_accepts_a_layout_and_refuses_an_invalid_one() -> None:
    data = {"ticket_id": "7d1e", "event_title": "Concert Night", "layout": {"base": "letter"}}
    page = pypdfium2.PdfDocument(ticket_service.generate_pdf_ticket(data))[0]
    assert page.get_size() == (612, 792)
    with pytest.raises(RenderingError, match="layout: elements/title/size: -3 is less than"):
        ticket_service.generate_pdf_ticket(data | {"layout": {"elements": {"title": {"size": -3}}}})
