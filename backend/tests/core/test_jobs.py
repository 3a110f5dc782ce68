"""One worker at a time claims a job, and its outcome counts only for the request and the lease that it claimed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.core.jobs.kinds import Backlog, Blame, Failure, Result, RetryPolicy, Success, extend_lease
from apps.core.jobs.timing import LEASE
from apps.events.models import EventTicket
from apps.mail.models import GIVE_UP_AFTER, OutgoingMail
from apps.mail.sending import MAIL
from apps.publishing.deletions import DELETIONS
from apps.publishing.models import StoredFileDeletion
from apps.publishing.outcomes import TICKETS
from tests.factories import make_ticket
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

MINUTE = timedelta(minutes=1)


def make_jobs(number: int = 1, **columns: Any) -> list[StoredFileDeletion]:
    jobs = [StoredFileDeletion(kind="qr_code", name=f"tickets/{n}", **columns) for n in range(number)]
    return StoredFileDeletion.objects.bulk_create(jobs)


def claimed(number: int = 1, **columns: Any) -> list[StoredFileDeletion]:
    return DELETIONS.claim_these([job.pk for job in make_jobs(number, **columns)])


def row(job: StoredFileDeletion) -> StoredFileDeletion:
    return StoredFileDeletion.objects.get(pk=job.pk)


def results(outcomes: Sequence[tuple[StoredFileDeletion, Success | Failure]]) -> list[Result]:
    return [settled.result for settled in DELETIONS.settle(outcomes)]


def let_leases_end() -> None:
    StoredFileDeletion.objects.update(lease_until=timezone.now(), next_attempt_at=timezone.now())


# -- Claims ------------------------------------------------------------------------------------------------------


def by_due_time() -> list[int]:
    pks: list[int] = []
    while jobs := DELETIONS.claim(7):
        pks += [job.pk for job in jobs]
    return pks


def by_keys() -> list[int]:
    return [job.pk for job in DELETIONS.claim_these(list(StoredFileDeletion.objects.values_list("pk", flat=True)))]


@pytest.mark.parametrize("claim", [by_due_time, by_keys])
def test_only_one_of_many_workers_claims_each_job(claim: Callable[[], list[int]]) -> None:
    jobs = make_jobs(60)
    assert sorted(pk for pks in at_once([claim] * 4) for pk in pks) == [job.pk for job in jobs]
    assert set(StoredFileDeletion.objects.values_list("attempts", flat=True)) == {1}


def test_negative_control_read_then_write_gives_a_job_to_many_workers() -> None:
    meeting = threading.Barrier(4, timeout=20)

    def read_then_write() -> list[int]:
        pks = list(StoredFileDeletion.objects.due(timezone.now()).values_list("pk", flat=True))
        meeting.wait()
        StoredFileDeletion.objects.filter(pk__in=pks).update(lease=uuid.uuid4(), lease_until=timezone.now() + LEASE)
        return pks

    make_jobs(5)
    assert [len(pks) for pks in at_once([read_then_write] * 4)] == [5] * 4


def test_claim_by_keys_ignores_due_times_but_not_leases() -> None:
    later, now = make_jobs(1, next_attempt_at=timezone.now() + 5 * MINUTE), make_jobs()
    done = make_jobs(1, next_attempt_at=None)
    pks = [job.pk for job in later + now + done]
    assert [job.pk for job in DELETIONS.claim(5)] == [now[0].pk]
    assert [job.pk for job in DELETIONS.claim_these(pks)] == [later[0].pk]
    assert DELETIONS.claim_these(pks) == []


def test_most_overdue_jobs_are_claimed_first() -> None:
    now = timezone.now()
    jobs = [make_jobs(1, next_attempt_at=now - minutes * MINUTE)[0] for minutes in (1, 3, 2)]
    assert [job.pk for job in DELETIONS.claim(2)] == [jobs[1].pk, jobs[2].pk]


# -- Outcomes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Success(), Failure("away"), Failure("wrong", is_final=True)])
def test_outcome_after_a_lost_lease_changes_nothing(outcome: Success | Failure) -> None:
    (slow,) = claimed()
    let_leases_end()
    (other,) = DELETIONS.claim(1)
    assert not extend_lease(slow)
    assert results([(slow, outcome)]) == [Result.OVERTAKEN]
    found = row(other)
    assert (found.lease, found.lease_until, found.reason) == (other.lease, other.lease_until, "")
    assert extend_lease(other)
    assert results([(other, Success())]) == [Result.DONE]
    assert results([(slow, outcome)]) == [Result.OVERTAKEN], "also when the row is gone"


@pytest.mark.parametrize("outcome", [Success(), Failure("away")])
def test_outcome_of_an_older_request_only_releases_the_lease(outcome: Success | Failure) -> None:
    (job,) = claimed()
    due_at = timezone.now() - MINUTE
    DELETIONS.request(DELETIONS.jobs.filter(pk=job.pk), due_at)
    assert DELETIONS.claim_these([job.pk]) == [], "its worker still holds the lease"
    assert results([(job, outcome)]) == [Result.OVERTAKEN]
    found = row(job)
    assert (found.lease, found.attempts, found.next_attempt_at, found.reason) == (None, 0, due_at, "")
    assert results([(each, Success()) for each in DELETIONS.claim(1)]) == [Result.DONE]


def test_a_heartbeat_extends_the_lease() -> None:
    (job,) = claimed()
    StoredFileDeletion.objects.update(lease_until=timezone.now() + MINUTE)
    assert extend_lease(job)
    assert row(job).lease_until > timezone.now() + LEASE - MINUTE


def test_no_outcome_is_lost_by_a_deadlock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    jobs = claimed(4)
    sizes = []

    def meet_a_deadlock(settled: Sequence[Any]) -> None:
        sizes.append(len(settled))
        if len(settled) > 1:
            raise OperationalError("deadlock detected")

    monkeypatch.setattr(DELETIONS, "settled", meet_a_deadlock)
    outcomes: list[Success | Failure] = [Success(), Failure("away"), Success(), Success()]
    assert results(list(zip(jobs, outcomes, strict=True))) == [Result.DONE, Result.RETRIED, Result.DONE, Result.DONE]
    assert sizes == [4, 1, 1, 1, 1]
    assert "written one by one" in caplog.text
    assert [(job.pk, job.attempts) for job in StoredFileDeletion.objects.all()] == [(jobs[1].pk, 1)]


# -- Retries -----------------------------------------------------------------------------------------------------


def test_the_wait_doubles_up_to_the_longest_with_jitter() -> None:
    policy = RetryPolicy(timedelta(seconds=10), timedelta(seconds=60))
    for attempts, seconds in ((1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (1000, 60)):
        waits = [policy.backoff(attempts) / timedelta(seconds=seconds) for _ in range(50)]
        assert min(waits) >= 1.0
        assert max(waits) <= 1.5
        assert max(waits) - min(waits) > 0.1, "jitter spreads jobs that failed together"
    assert policy.backoff(1, retry_after=100) >= timedelta(seconds=100)


@pytest.mark.parametrize(
    ("blame", "counted"),
    [(Blame.JOB, [1, 2, 3, 4, 5, None]), (Blame.ENVIRONMENT, [1, 2, 3, 3, 3, 3, 3, 3]), (Blame.NOTHING, [0] * 8)],
)
def test_blame_decides_which_attempts_count(
    blame: Blame, counted: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(DELETIONS), "policy", RetryPolicy(max_attempts=6))
    (job,) = make_jobs()
    for expected in counted:
        (attempt,) = DELETIONS.claim_these([job.pk])
        result = Result.GIVEN_UP if expected is None else Result.RETRIED
        assert results([(attempt, Failure("away", blame))]) == [result]
        assert (row(job).attempts if expected is not None else None) == expected
    assert StoredFileDeletion.objects.exists() is (blame is not Blame.JOB), "this kind deletes jobs that it gives up"


@pytest.mark.parametrize(
    ("age", "result"), [(GIVE_UP_AFTER - MINUTE / 10, Result.GIVEN_UP), (GIVE_UP_AFTER / 2, Result.RETRIED)]
)
def test_a_deadline_before_the_next_attempt_gives_up(age: timedelta, result: Result) -> None:
    OutgoingMail.objects.create(sender="a@example.org", recipients=[], message=b"", created_at=timezone.now() - age)
    (mail,) = MAIL.claim(1)
    assert [settled.result for settled in MAIL.settle([(mail, Failure("away", Blame.ENVIRONMENT))])] == [result]
    assert OutgoingMail.objects.exists() is (result is Result.RETRIED)


def test_final_failure_is_given_up_at_once() -> None:
    job = make_ticket()
    (attempt,) = TICKETS.claim_these([job.pk])
    assert [settled.result for settled in TICKETS.settle([(attempt, Failure("?" * 501, is_final=True))])] == [
        Result.GIVEN_UP
    ]
    (found,) = EventTicket.objects.given_up()
    assert (found.attempts, found.lease, found.reason) == (1, None, "?" * 500)
    assert TICKETS.claim_these([job.pk]) == []


def test_jobs_whose_workers_died_with_every_attempt_are_given_up(settings: Any) -> None:
    settings.TICKET_MAX_ATTEMPTS = 3
    dead, alive, young = [make_ticket() for _ in range(3)]
    later = timezone.now() + 2 * LEASE
    EventTicket.objects.filter(pk__in=[dead.pk, alive.pk]).update(attempts=2)
    TICKETS.claim_these([dead.pk, alive.pk, young.pk])
    EventTicket.objects.filter(pk=alive.pk).update(lease_until=later + MINUTE)
    assert [settled.job.pk for settled in TICKETS.give_up_stuck(later, "They died.")] == [dead.pk]
    assert list(EventTicket.objects.given_up().values_list("pk", "lease", "reason")) == [(dead.pk, None, "They died.")]


# -- Due times and the backlog -----------------------------------------------------------------------------------


def test_postpone_and_hasten_do_not_move_a_leased_job() -> None:
    (leased,) = claimed()
    far, near = timezone.now() + 60 * MINUTE, timezone.now() - MINUTE
    late, due = make_jobs(1, next_attempt_at=far)[0], make_jobs(1, next_attempt_at=near)[0]
    DELETIONS.postpone([leased.pk, late.pk, due.pk], 600)
    until = row(due).next_attempt_at
    assert timedelta(minutes=9) < until - timezone.now() <= timedelta(minutes=10)
    assert [row(job).next_attempt_at for job in (leased, late)] == [leased.lease_until, far], "none is due earlier"

    assert DELETIONS.hasten(DELETIONS.jobs) == 2
    assert row(leased).next_attempt_at == leased.lease_until
    assert {job.pk for job in DELETIONS.claim(5)} == {late.pk, due.pk}


def test_the_backlog() -> None:
    now = timezone.now()
    assert TICKETS.backlog(now) == Backlog(0, 0, 0, 0, 0.0, 0.0)
    tickets = [make_ticket(next_attempt_at=now - 2 * MINUTE, requested_at=now - 3 * MINUTE) for _ in range(5)]
    ready, given_up, retried, leased, _ = [ticket.pk for ticket in tickets]
    EventTicket.objects.filter(pk=ready).update(state=EventTicket.State.READY, next_attempt_at=None)
    failed = [(TICKETS.claim_these([pk])[0], Failure("no", is_final=pk == given_up)) for pk in (given_up, retried)]
    TICKETS.settle(failed)
    TICKETS.claim_these([leased])
    assert TICKETS.backlog(now) == Backlog(waiting=2, retrying=1, given_up=1, leased=1, overdue=120.0, oldest=180.0)
