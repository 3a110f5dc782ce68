"""Compares the database with storage, both ways, and repairs what can be repaired.

Storage is listed, never asked about one ticket at a time. Bytes are fetched only for tickets whose version differs
from what the listing says, and before a file of a ticket is deleted, for one that takes its place; those fetches go to
the CDN, which has no hourly quota.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from apps.core.db.chunks import in_chunks
from apps.core.parallel import in_parallel
from apps.events.models import EventTicket
from apps.publishing import deletions, fingerprints, pipeline, requests, verification
from apps.publishing.models import StoredFileDeletion
from apps.storage import gateway
from apps.storage.models import TAG_PREFIX, deployment_tag

from .inventory import Inventory
from .problems import Problem

Item = TypeVar("Item")

CHUNK = 500
STUBBORN = 5  # attempts at a deletion after which somebody should know
MOST_SKEW = 60.0  # seconds; signed calls are refused when the clocks are an hour apart


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: with a ticket or a deletion (by primary key, else 0), a file, or the account."""

    problem: Problem
    detail: str = ""
    public_id: str = ""
    ticket: int = 0
    file: gateway.ListedFile | None = None
    deletion: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, [self.public_id, f"({self.detail})" if self.public_id else self.detail]))


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a finding: `error` says why it is still there, empty when it is not."""

    finding: Finding
    error: str = ""


# -- The account -------------------------------------------------------------------------------------------------


def examine_account() -> tuple[list[Finding], gateway.Quota | None]:
    """Whether storage answers, credentials, clock and quota. Costs one Admin API call."""
    try:
        gateway.check_reachable()
        account = gateway.ask_account()
    except gateway.MediaError as error:
        if error.is_rate_limit:
            return [Finding(Problem.QUOTA_LOW, str(error))], None
        problem = Problem.BAD_CREDENTIALS if error.is_misconfiguration else Problem.UNREACHABLE
        return [Finding(problem, str(error))], None
    findings = []
    if abs(account.clock_skew) > MOST_SKEW:
        direction = "ahead of" if account.clock_skew > 0 else "behind"
        words = f"it is {abs(account.clock_skew):.0f} seconds {direction} Cloudinary's. Turn on NTP (timedatectl)."
        findings.append(Finding(Problem.CLOCK_SKEW, words))
    if account.quota is not None and account.quota.left < 1 + _calls_needed():
        words = (
            f"{account.quota.left} of {account.quota.allowed} are left until {account.quota.resets_at:%H:%M} UTC, and "
            f"listing takes about {_calls_needed()}. It goes on where it stopped when it is started again."
        )
        findings.append(Finding(Problem.QUOTA_LOW, words))
    return findings, account.quota


def prevents_listing(findings: Iterable[Finding]) -> bool:
    """Whether what is wrong with the account must be put right before anything else can be examined."""
    return any(finding.problem in (Problem.BAD_CREDENTIALS, Problem.UNREACHABLE) for finding in findings)


def _calls_needed() -> int:
    """Five empty listings, and a page of the sixth for every 500 files."""
    return 5 + 1 + 2 * EventTicket.objects.exclude(published_at=None).count() // CHUNK


def examine_delivery(inventory: Inventory) -> list[Finding]:
    """Whether a PDF that is there is delivered. Asks for one that was listed: a refusal is cached, so never before."""
    published = EventTicket.objects.filter(state=EventTicket.State.READY).exclude(pdf_ticket_cloudinary_id="")
    for ticket in published.order_by("-published_at")[:20]:
        listed = inventory.files([ticket.pdf_ticket_cloudinary_id]).get(ticket.pdf_ticket_cloudinary_id)
        if listed is not None:
            try:
                verification.fetch(gateway.PDF_TICKET, listed.public_id, listed.version)
            except verification.DeliveryBlocked as error:
                return [Finding(Problem.DELIVERY_BLOCKED, error.hint)]
            except gateway.MediaError as error:
                return [Finding(Problem.UNREACHABLE, str(error))]
            return []
    return []


# -- Both ways ---------------------------------------------------------------------------------------------------


def examine(inventory: Inventory, on_ticket: Callable[[], None] = lambda: None) -> Iterator[Finding]:
    """Everything that is wrong between the database and the inventory, which must be complete.

    `on_ticket` is called with every ticket that is compared.
    """
    yield from examine_delivery(inventory)
    yield from _from_the_database(inventory, on_ticket)
    yield from _from_storage(inventory)
    yield from _from_the_outbox()


def _from_the_database(inventory: Inventory, on_ticket: Callable[[], None]) -> Iterator[Finding]:
    """What tickets count on that is not there, or not as they say."""
    # who was published since has files that the listing may not know, or knows by an older version
    settled = EventTicket.objects.filter(state=EventTicket.State.READY, published_at__lt=inventory.began)
    for ticket in in_chunks(settled):
        on_ticket()
        if ticket.is_at_old_place or ticket.published_suffix != ticket.public_id_suffix:
            place = ticket.pdf_ticket_cloudinary_id
            yield Finding(Problem.OLD_PLACE, "re-issued, but published where it was before", place, ticket.pk)
            continue
        recorded = {kind: getattr(ticket, f"{kind.name}_cloudinary_id") for kind in gateway.KINDS}
        listed = inventory.files(recorded.values())
        for kind, public_id in recorded.items():
            finding = _compare(ticket, kind, public_id, listed.get(public_id))
            if finding is not None:
                yield finding
        if not fingerprints.shows_its_values(ticket):
            yield Finding(Problem.OUTDATED, "changed without being saved", ticket.pdf_ticket_cloudinary_id, ticket.pk)


def _compare(
    ticket: EventTicket, kind: gateway.FileKind, public_id: str, listed: gateway.ListedFile | None
) -> Finding | None:
    version, etag = getattr(ticket, f"{kind.name}_version"), getattr(ticket, f"{kind.name}_etag")
    if listed is None:
        return Finding(Problem.MISSING, kind.label, public_id or ticket.public_id_of(kind), ticket.pk)
    if listed.etag and etag and listed.etag != etag:
        return Finding(Problem.WRONG_BYTES, f"etag {listed.etag}, not {etag}", public_id, ticket.pk)
    if listed.version == version:
        return None
    detail = f"version {listed.version}, not {version}"
    try:
        same = verification.md5(gateway.fetch(kind, public_id, listed.version)) == etag
    except gateway.MediaError as error:
        return Finding(Problem.STALE_VERSION, f"{detail}; {error}", public_id, ticket.pk)
    return Finding(Problem.STALE_VERSION if same else Problem.WRONG_BYTES, detail, public_id, ticket.pk)


def _from_storage(inventory: Inventory) -> Iterator[Finding]:
    """What is there that no ticket counts on. Files that another deployment has tagged are none of our business."""
    tag = deployment_tag()
    for chunk in _batched(file for file in inventory.in_place() if not _is_of_another_deployment(file, tag)):
        owners = _owners(chunk)
        known = _known_ids(chunk, owners.values())
        for file in chunk:
            if not gateway.TICKET_FILE.fullmatch(file.public_id):
                yield Finding(Problem.FOREIGN, "not named as ticket files are", file.public_id, file=file)
            elif file.public_id not in known and _is_settled(owners.get(file.public_id), inventory):
                problem = _problem_of(file, tag, Problem.OLD_PLACE if file.public_id in owners else Problem.ORPHANED)
                yield Finding(problem, f"{file.size:,} bytes", file.public_id, file=file)
    for chunk in _batched(file for file in inventory.misplaced() if not _is_of_another_deployment(file, tag)):
        owners = _owners(chunk)
        for file in chunk:
            where = f"{file.resource_type}/{file.delivery_type}"
            if _ticket_named_by(file.public_id):
                is_owned = file.public_id in owners
                problem = Problem.WRONG_TYPE if is_owned else _problem_of(file, tag, Problem.WRONG_TYPE)
                yield Finding(problem, where, file.public_id, file=file)
            elif file.public_id.startswith(tuple(kind.folder + "/" for kind in gateway.KINDS)):
                yield Finding(Problem.FOREIGN, where, file.public_id, file=file)


def files_of_others(inventory: Inventory) -> int:
    """How many of the listed files other deployments have uploaded."""
    tag = deployment_tag()
    return sum(
        _is_of_another_deployment(file, tag) for file in itertools.chain(inventory.in_place(), inventory.misplaced())
    )


def _is_of_another_deployment(file: gateway.ListedFile, tag: str) -> bool:
    """Whether another deployment than the one with this tag has uploaded the file."""
    return tag not in file.tags and any(other.startswith(TAG_PREFIX) for other in file.tags)


def _problem_of(file: gateway.ListedFile, tag: str, problem: Problem) -> Problem:
    """Return the problem; `UNMARKED` for a file that belongs to no ticket and has no tag of a deployment."""
    return problem if problem is Problem.OLD_PLACE or tag in file.tags else Problem.UNMARKED


def _is_settled(owner: EventTicket | None, inventory: Inventory) -> bool:
    """Return whether the ticket was not changed since the listing began: else the listed file may be gone by now."""
    return owner is None or owner.requested_at < inventory.began


def _known_ids(files: Iterable[gateway.ListedFile], owners: Iterable[EventTicket]) -> set[str]:
    """Return the public ids that the tickets have, may be about to have, or have in the outbox of deletions."""
    names = [file.public_id for file in files]
    known = set(StoredFileDeletion.objects.filter(name__in=names).values_list("name", flat=True))
    for ticket in owners:
        known |= {ticket.public_id_of(kind) for kind in gateway.KINDS}
        known |= {ticket.qr_code_cloudinary_id, ticket.pdf_ticket_cloudinary_id}
    return known


def _from_the_outbox() -> Iterator[Finding]:
    for row in StoredFileDeletion.objects.filter(attempts__gte=STUBBORN).iterator(CHUNK):
        detail = f"{row.attempts} attempts since {row.created_at:%Y-%m-%d %H:%M} UTC: {row.reason}"
        yield Finding(Problem.UNDELETABLE, detail, row.name, deletion=row.pk)


def _batched(items: Iterable[Item]) -> Iterator[list[Item]]:
    left = iter(items)
    while chunk := list(itertools.islice(left, CHUNK)):
        yield chunk


# -- Repairing ---------------------------------------------------------------------------------------------------


def may_be_another_deployments(repairable: Iterable[Finding], listed: int) -> bool:
    """Return whether so many of the files to delete belong to no ticket that this is likely the wrong database."""
    orphans = sum(finding.problem in (Problem.ORPHANED, Problem.UNMARKED) for finding in repairable)
    return orphans > max(20, listed // 2)


def repair(findings: Iterable[Finding], workers: int = 1) -> Iterator[Repair]:
    """Repair what a program can, `workers` calls at once, in an order that never leaves a ticket without files.

    Safe to do twice.
    """
    findings = list(findings)
    broken = {finding.ticket: finding for finding in findings if finding.ticket}
    for chunk in _batched(broken.values()):
        yield from _make_anew({finding.ticket: finding for finding in chunk}, workers)
    for chunk in _batched(finding for finding in findings if finding.file is not None):
        yield from _remove(chunk, workers)
    yield from map(_retry_deletion, [finding for finding in findings if finding.deletion])


def _make_anew(broken: dict[int, Finding], workers: int) -> Iterator[Repair]:
    wanted = requests.request_own_files(EventTicket.objects.filter(pk__in=broken))
    for pk in broken.keys() - wanted:
        yield Repair(broken[pk])  # deleted or re-issued meanwhile: its files are somebody else's work already
    for pk, attempt in pipeline.publish_each(sorted(wanted), max_tickets=workers):
        wanted.remove(pk)
        yield Repair(broken[pk], "" if attempt.error is None else str(attempt.error))
    for pk in wanted:
        yield Repair(broken[pk], "another worker makes its files, or they wait for a rate limit to be lifted")


def _remove(findings: Iterable[Finding], workers: int) -> Iterator[Repair]:
    """Remove what no ticket counts on. By now a ticket may have an orphan, or its deletion be under way."""
    files = {finding: finding.file for finding in findings if finding.file is not None}
    owners = _owners(files.values())
    known = _known_ids(files.values(), owners.values())
    strays = []
    for finding, file in files.items():
        is_misplaced = (file.resource_type, file.delivery_type) != ("image", settings.CLOUDINARY_DELIVERY_TYPE)
        if finding.problem is Problem.FOREIGN:
            yield Repair(finding, "left to you")
        elif not is_misplaced and file.public_id in known:
            yield Repair(finding)
        else:
            strays.append(_Stray(finding, file, owners.get(file.public_id) if is_misplaced else None))
    yield from in_parallel(_destroy, strays, workers)


@dataclass(frozen=True, slots=True)
class _Stray:
    """A file to remove. `owner` is the ticket that must not be left without one by that, if there is any."""

    finding: Finding
    file: gateway.ListedFile
    owner: EventTicket | None


def _owners(files: Iterable[gateway.ListedFile]) -> dict[str, EventTicket]:
    """The tickets that files were made for, by the files' public ids; none for tickets that are gone."""
    ids = {file.public_id: found for file in files if (found := _ticket_named_by(file.public_id))}
    there = {ticket.ticket_id: ticket for ticket in EventTicket.objects.filter(ticket_id__in=set(ids.values()))}
    return {public_id: there[ticket_id] for public_id, ticket_id in ids.items() if ticket_id in there}


def _ticket_named_by(public_id: str) -> UUID | None:
    """The ticket that a file's public id names: that of a raw file, where none belongs, has an extension in it."""
    found = gateway.TICKET_FILE.fullmatch(public_id.removesuffix(".pdf").removesuffix(".png"))
    return UUID(found["ticket"]) if found else None


def _destroy(stray: _Stray) -> Repair:
    """In a thread of its own, without the database."""
    finding, file = stray.finding, stray.file
    try:
        if stray.owner is not None and (reason := _why_it_stays(stray.owner, gateway.kind_of(file.public_id))):
            return Repair(finding, reason)
        gateway.destroy_stray(file.resource_type, file.delivery_type, file.public_id)
    except gateway.MediaError as error:
        return Repair(finding, str(error))
    return Repair(finding)


def _why_it_stays(owner: EventTicket, kind: gateway.FileKind) -> str:
    """Why a ticket's misplaced file may be the only one it has; empty when another was fetched from the right place.

    The row alone doesn't know: it may have been written by a worker that has yet to hear of the change of the type.
    """
    public_id = getattr(owner, f"{kind.name}_cloudinary_id")
    if owner.state != EventTicket.State.READY or not public_id:
        return "it stays until the ticket's new files are made; start again then"
    try:
        verification.fetch(kind, public_id, getattr(owner, f"{kind.name}_version"))
    except gateway.MediaError as error:
        return f"it stays, as nothing was found to take its place: {error}"
    return ""


def _retry_deletion(finding: Finding) -> Repair:
    deletions.DELETIONS.hasten(deletions.DELETIONS.jobs.filter(pk=finding.deletion))
    deletions.delete_due()
    left = StoredFileDeletion.objects.filter(pk=finding.deletion).first()
    return Repair(finding, "" if left is None else left.reason)
