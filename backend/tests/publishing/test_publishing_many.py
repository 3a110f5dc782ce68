"""Publishing many tickets in one task: isolation of failures, rate limits, concurrency and the sweep."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from apps.core.jobs import dispatch
from apps.events import issuing
from apps.events.codes import code_of
from apps.events.issuing import Holder
from apps.events.models import EventTicket
from apps.publishing import outcomes as publishing_outcomes
from apps.publishing import pipeline, queues, sweep, ticket_rendering
from apps.publishing.outcomes import TICKETS
from apps.storage import concurrency_limit, gateway
from apps.storage.concurrency_limit import Signal
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket, make_ticket_type
from tests.pictures import codes_in_pdf, codes_in_png
from tests.races import at_once
from ticketkit import RenderingError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

State = EventTicket.State


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[int], str]]:
    """Collect the ticket keys and the queue of each publishing task that is sent."""
    calls: list[tuple[list[int], str]] = []

    def send(task: str, arguments: list[Any], queue: str) -> None:
        if task == "apps.events.tasks.publish":
            calls.append((arguments[0], queue))

    monkeypatch.setattr(dispatch, "send", send)
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: 0)
    return calls


def issue(number: int) -> list[int]:
    issued = issuing.issue_many(make_event(), [Holder(name=f"Guest {n}") for n in range(number)])
    return [ticket.pk for ticket in issued]


def states(attempts: dict[int, publishing_outcomes.Attempt]) -> dict[int, State | None]:
    return {pk: attempt.state for pk, attempt in attempts.items()}


def test_publish_many_gives_each_ticket_its_own_files(cloudlet: RunningCloudlet) -> None:
    pks = issue(30)
    assert states(pipeline.publish_many(pks)) == dict.fromkeys(pks, State.READY)
    codes = set()
    for ticket in EventTicket.objects.all():
        assert ticket.has_files
        assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
        codes.add(code_of(ticket))
    assert len(codes) == 30
    assert codes_in_pdf(ticket.pdf_ticket.read()) == [code_of(ticket)]
    assert pipeline.publish_many(pks) == {}, "no ticket is pending any more"


def test_issue_many_takes_few_queries(django_assert_max_num_queries: Any, sent: list[Any]) -> None:
    event = make_event()
    kind = make_ticket_type(event)
    with django_assert_max_num_queries(6):  # the event, the type, and in a transaction one INSERT, on SQLite two
        issuing.issue_many(event, [Holder(name=f"Guest {n}") for n in range(30)], kind)


def test_publish_many_takes_few_queries(
    cloudlet: RunningCloudlet, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine, tickets come in slowly, and the limit does not rise above the initial one.
    monkeypatch.setattr(pipeline, "BATCH_WINDOW_SECONDS", 30)
    monkeypatch.setattr(concurrency_limit, "INITIAL_LIMIT", 16)
    gateway.limiter.reset()
    pks = issue(40)
    with django_assert_max_num_queries(20 * 9 + 20 * 3):  # a claim, and one UPDATE in a transaction, for 2 at least
        pipeline.publish_many(pks)


def test_failure_affects_its_own_ticket_only(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pks = issue(12)
    render = ticket_rendering.render

    def fail_for_two(ticket: EventTicket, *args: Any) -> Any:
        if ticket.pk == pks[3]:
            raise RenderingError("no glyph for U+E000")
        if ticket.pk == pks[7]:
            raise KeyError("bug")
        return render(ticket, *args)

    monkeypatch.setattr(ticket_rendering, "render", fail_for_two)
    with pytest.raises(KeyError):
        pipeline.publish_many(pks)
    rows = {ticket.pk: ticket for ticket in EventTicket.objects.all()}
    assert (rows[pks[3]].state, rows[pks[3]].next_attempt_at) == (State.FAILED, None)
    assert rows[pks[7]].next_attempt_at is not None
    assert "KeyError" in rows[pks[7]].reason
    assert {rows[pk].state for pk in pks if pk not in (pks[3], pks[7])} == {State.READY}
    assert {row.lease for row in rows.values()} == {None}


def test_single_upload_error_is_retried_at_once(cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch) -> None:
    pks = issue(5)
    upload = gateway.upload
    failed: set[str] = set()

    def fail_first(kind: gateway.FileKind, public_id: str, content: bytes, tag: str) -> gateway.StoredFile:
        if public_id not in failed:
            failed.add(public_id)
            raise gateway.MediaError("uploading", public_id, 500, "hiccup")
        return upload(kind, public_id, content, tag)

    monkeypatch.setattr(gateway, "upload", fail_first)
    assert states(pipeline.publish_many(pks)) == dict.fromkeys(pks, State.READY)
    assert len(failed) == 10


def test_rate_limit_postpones_the_rest_and_uses_no_attempt(
    cloudlet: RunningCloudlet, settings: Any, sent: list[Any]
) -> None:
    settings.TICKET_MAX_ATTEMPTS = 1
    pks = issue(40)
    limited = gateway.MediaError("uploading", "x", 420, "Rate limit exceeded", retry_after=1800)

    def meet_the_limit(*_: Any) -> gateway.StoredFile:
        gateway.limiter.release(gateway.limiter.acquire(0), "upload", Signal.RATE_LIMITED, retry_after=1800)
        raise limited

    with mock.patch.object(gateway, "upload", side_effect=meet_the_limit):
        pipeline.publish_many(pks[:1])
    with mock.patch.object(gateway, "upload") as upload:
        pipeline.publish_many(pks)
    upload.assert_not_called()
    for ticket in EventTicket.objects.all():
        assert (ticket.attempts, ticket.lease) == (0, None)
        assert ticket.next_attempt_at is not None
        assert ticket.next_attempt_at > timezone.now() + timedelta(minutes=29)
    gateway.limiter.reset()
    assert states(pipeline.publish_many(pks)) == dict.fromkeys(pks, State.READY)


def test_tickets_beyond_the_time_limit_go_back_to_the_queue(cloudlet: RunningCloudlet, sent: list[Any]) -> None:
    pks = issue(20)
    sent.clear()
    assert pipeline.publish_many(pks, seconds=-1) == {}
    assert sent == [(pks, "bulk")]
    assert not EventTicket.objects.exclude(lease=None).exists()


def test_concurrent_uploads_stay_within_the_limit(cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "limiter", gateway.AdaptiveLimit(3))
    call = gateway.cloudinary.uploader.upload
    most = 0

    def watch(*args: Any, **kwargs: Any) -> Any:
        nonlocal most
        most = max(most, gateway.limiter.in_flight)
        return call(*args, **kwargs)

    monkeypatch.setattr(gateway.cloudinary.uploader, "upload", watch)
    pipeline.publish_many(issue(20))
    assert most == 3


# -- Races -------------------------------------------------------------------------------------------------------


def _at_once(pks: list[int], workers: int = 4) -> list[dict[int, publishing_outcomes.Attempt]]:
    lists = [pks, pks[::-1], pks[10:] + pks[:10], pks[::2] + pks[1::2]]
    return at_once([partial(pipeline.publish_many, mine) for mine in lists[:workers]])


def test_workers_with_overlapping_lists_upload_each_file_once(cloudlet: RunningCloudlet) -> None:
    pks = issue(30)
    with mock.patch.object(gateway, "upload", side_effect=gateway.upload) as upload:
        outcomes = _at_once(pks)
    assert sorted(pk for outcome in outcomes for pk in outcome) == pks
    assert upload.call_count == 60
    assert set(EventTicket.objects.values_list("state", flat=True)) == {State.READY}


def test_negative_control_without_claims_overlapping_workers_upload_many_times(
    cloudlet: RunningCloudlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that read pending tickets without claiming them publish the same tickets."""
    meeting = threading.Barrier(4, timeout=20)

    def read_then_write(pks: list[int]) -> list[EventTicket]:
        found = list(EventTicket.objects.pending().unclaimed(timezone.now()).filter(pk__in=pks))
        meeting.wait()
        return found

    monkeypatch.setattr(TICKETS, "claim_these", read_then_write)
    pks = issue(4)
    with mock.patch.object(gateway, "upload", side_effect=gateway.upload) as upload:
        _at_once(pks)
    assert upload.call_count > 8


# -- The sweep ---------------------------------------------------------------------------------------------------


def test_sweep_keeps_queues_short_and_separate(
    sent: list[tuple[list[int], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_TASKS_IN_QUEUE", 3)
    monkeypatch.setattr(queues, "TICKETS_PER_TASK", 50)
    many, single = issue(200), make_ticket()
    later = timezone.now() + timedelta(minutes=5)
    sent.clear()
    assert sweep.requeue_due(later) == 151
    assert sent[0] == ([single.pk], "interactive")
    assert [queue for _, queue in sent[1:]] == ["bulk"] * 3
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: 3)
    assert sweep.requeue_due(later) == 0
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: 0)
    assert sweep.requeue_due(later) == 50
    assert {pk for pks, queue in sent if queue == "bulk" for pk in pks} == set(many)


def test_sweep_postpones_nothing_while_the_broker_does_not_answer(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issue(60)
    sent.clear()
    later = timezone.now() + timedelta(minutes=5)
    monkeypatch.setattr(queues, "queue_length", lambda *, bulk: None)
    assert sweep.requeue_due(later) == 0
    assert sent == []
    assert EventTicket.objects.filter(next_attempt_at__lte=later).count() == 60


def test_poison_pill_gets_its_own_task_and_is_given_up(
    sent: list[tuple[list[int], str]], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TICKET_MAX_ATTEMPTS = 3
    pks = issue(5)
    later = timezone.now() + timedelta(minutes=5)
    EventTicket.objects.filter(pk=pks[2]).update(attempts=2, lease=EventTicket().ticket_id, lease_until=timezone.now())
    sent.clear()
    sweep.requeue_due(later)
    assert sorted(sent) == sorted([([pks[2]], "bulk"), ([pk for pk in pks if pk != pks[2]], "bulk")])

    TICKETS.claim_these([pks[2]])
    EventTicket.objects.filter(pk=pks[2]).update(lease_until=timezone.now())
    sweep.requeue_due(later + timedelta(minutes=5))
    ticket = EventTicket.objects.get(pk=pks[2])
    assert (ticket.state, ticket.next_attempt_at, ticket.lease) == (State.FAILED, None, None)
    assert "died" in ticket.reason
