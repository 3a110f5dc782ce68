"""Find errors after a run: in rows, files, mail and webhooks, and by a storage check."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django.db.models import QuerySet

from apps.core.jobs.models import Job
from apps.events import codes
from apps.events.models import Event, EventTicket
from apps.mail.models import OutgoingMail
from apps.publishing import fingerprints, invalidation
from apps.publishing.models import ChangedEvent, StoredFileDeletion
from apps.storage import gateway
from apps.storage_checks import comparison
from apps.storage_checks.inventory import Inventory
from apps.webhooks.models import EventType, WebhookMessage
from tests.pictures import codes_in_png

from .outside import Heard

State = EventTicket.State
BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done to tickets. For each, a mail was written whose subject is the ticket's id."""

    issued: Set[UUID]
    deleted: Set[UUID] = frozenset()
    reissued: Counter[UUID] = field(default_factory=Counter)  # how often


def unfinished() -> dict[str, QuerySet[Job]]:
    """Return the jobs that are pending or were given up, by kind."""
    return {
        "changed_event": ChangedEvent.objects.all(),
        "file_deletion": StoredFileDeletion.objects.all(),
        "mail": OutgoingMail.objects.all(),
        "ticket": EventTicket.objects.exclude(state=State.READY),
        "webhook": WebhookMessage.objects.exclude(state=WebhookMessage.State.DELIVERED),
    }


def is_busy() -> bool:
    """Return whether jobs or changed events are pending."""
    return any(jobs.exists() for jobs in unfinished().values()) or bool(invalidation.notice_changes())


def listed(path: Path) -> set[str]:
    """Return the public ids of all files below `tickets/`."""
    with Inventory(path) as inventory:
        inventory.list_remaining()
        return {file.public_id for file in inventory.in_place()}


def findings(
    event: Event, truth: Truth, subjects: Sequence[str], heard: Sequence[Heard], strangers: Set[str], path: Path
) -> Iterator[str]:
    """Yield all errors. `subjects` are those of the mails that arrived, `strangers` the files of other tests."""
    yield from of_jobs()
    yield from of_tickets(event, truth)
    yield from of_mail(truth, subjects)
    yield from of_webhooks(truth, heard)
    with Inventory(path) as inventory:
        inventory.list_remaining()
        yield from of_files(truth, (file.public_id for file in inventory.in_place()))
        yield from _by_the_storage_check(inventory, strangers)


def of_jobs() -> Iterator[str]:
    """Yield the jobs that are left over."""
    for kind, jobs in unfinished().items():
        yield from (f"{kind} {job} is left over: {job.reason}" for job in jobs)


def of_tickets(event: Event, truth: Truth) -> Iterator[str]:
    """Yield the tickets that are lost, or whose files show outdated values."""
    expected = truth.issued - truth.deleted
    there = set(EventTicket.objects.filter(event=event).values_list("ticket_id", flat=True))
    yield from (f"{ticket_id} was issued, but is missing" for ticket_id in expected - there)
    yield from (f"{ticket_id} was deleted, or never issued" for ticket_id in there - expected)
    rows = EventTicket.objects.filter(event=event, state=State.READY).select_related("event").order_by("pk")
    fingerprints_now = fingerprints.event_fingerprints_by_type(
        fingerprints.with_printed_relations(Event.objects.all()).get(pk=event.pk)
    )
    for start in range(0, rows.count(), BATCH_SIZE):
        yield from _by_the_files(rows[start : start + BATCH_SIZE], fingerprints_now)


def of_mail(truth: Truth, subjects: Iterable[str]) -> Iterator[str]:
    """Yield mails that were lost, and mails that arrived but were never written."""
    written, arrived = set(map(str, truth.issued)), set(subjects)
    yield from (f"the mail for {subject} was lost" for subject in written - arrived)
    yield from (f"a mail arrived that was never written: {subject}" for subject in arrived - written)


def of_webhooks(truth: Truth, heard: Sequence[Heard]) -> Iterator[str]:
    """Yield messages that were lost or out of order, and tickets whose messages were never enqueued."""
    yield from not_told(truth, heard)
    rows = WebhookMessage.objects.order_by("pk").values_list("ticket_id", "pk")
    yield from out_of_order(heard, [(str(ticket_id), pk) for ticket_id, pk in rows])


def not_told(truth: Truth, heard: Iterable[Heard]) -> Iterator[str]:
    """Yield the tickets of which the endpoint accepted too few messages."""
    taken: defaultdict[str, dict[int, str]] = defaultdict(dict)  # the types, by sequence
    for step in heard:
        if step.is_taken:
            taken[step.ticket][step.sequence] = step.event_type
    for ticket_id in truth.issued:
        types = [event_type for _, event_type in sorted(taken[str(ticket_id)].items())]
        last = EventType.DELETED if ticket_id in truth.deleted else EventType.READY
        if types[-1:] != [last]:
            yield f"the last message about {ticket_id} was {types[-1:]}"
        if types.count(EventType.REISSUED) != truth.reissued[ticket_id]:
            yield f"{ticket_id} was re-issued {truth.reissued[ticket_id]} times; its messages are {types}"


def out_of_order(heard: Iterable[Heard], recorded: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yield messages that were lost, or arrived before an earlier one of their ticket was accepted."""
    missing: defaultdict[str, set[int]] = defaultdict(set)
    for ticket, sequence in recorded:
        missing[ticket].add(sequence)
    for step in heard:
        if step.is_taken:
            missing[step.ticket].discard(step.sequence)
        elif earlier := [sequence for sequence in missing[step.ticket] if sequence < step.sequence]:
            yield f"message {step.sequence} of {step.ticket} arrived before {earlier} was accepted"
    for ticket, sequences in missing.items():
        yield from (f"message {sequence} of {ticket} was lost" for sequence in sequences)


def of_files(truth: Truth, public_ids: Iterable[str]) -> Iterator[str]:
    """Yield the files of deleted tickets that storage still has."""
    deleted = set(map(str, truth.deleted))
    for public_id in public_ids:
        if public_id.rpartition("/")[2].removeprefix("ticket_")[:36] in deleted:
            yield f"{public_id} is the file of a deleted ticket"


def _by_the_files(rows: Iterable[EventTicket], fingerprints_now: Mapping[int | None, str]) -> Iterator[str]:
    rows = list(rows)
    pictures, pages = (gateway.executor().map(lambda row, kind=kind: _fetch(kind, row), rows) for kind in gateway.KINDS)
    for row, png, pdf in zip(rows, pictures, pages, strict=True):
        for kind, content in ((gateway.QR_CODE, png), (gateway.PDF_TICKET, pdf)):
            if _md5(content) != getattr(row, f"{kind.name}_etag"):
                yield f"{kind.label} of {row.ticket_id} is not what its row says"
        if png and codes_in_png(png) != [codes.code_of(row)]:
            yield f"{row.ticket_id} has another code in its picture"
        if not shows(row, fingerprints_now):
            yield f"{row.ticket_id} shows outdated values"


def _fetch(kind: gateway.FileKind, row: EventTicket) -> bytes:
    try:
        return gateway.fetch(kind, getattr(row, f"{kind.name}_cloudinary_id"), getattr(row, f"{kind.name}_version"))
    except gateway.MediaError:
        return b""  # no row names this digest


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _by_the_storage_check(inventory: Inventory, strangers: Set[str]) -> Iterator[str]:
    assert inventory.is_complete
    for finding in comparison.compare(inventory):
        if finding.public_id not in strangers:
            yield f"the storage check: {finding.problem.value} {finding}"


def shows(ticket: EventTicket, fingerprints_now: Mapping[int | None, str]) -> bool:
    """Return whether the files of a ticket show the current values of the ticket and its event."""
    return ticket.published_fingerprint.startswith(
        fingerprints_now[ticket.ticket_type_id]
    ) and fingerprints.shows_its_values(ticket)
