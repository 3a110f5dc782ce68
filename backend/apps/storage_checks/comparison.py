"""Compare the database with storage, both ways, and repair what a program can repair.

Storage is listed in pages, because one call for each ticket would exceed the hourly quota of the Admin API. Bytes are
fetched only if a ticket's version differs from the listing, and before a ticket's misplaced file is deleted, to verify
its replacement. Fetches go to the CDN, which has no hourly quota.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
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

BATCH_SIZE = 500
FILES_PER_CALL = 500  # of the Admin API, when listing
REPORTED_ATTEMPTS = 5  # deletions with this many attempts are reported
MAX_CLOCK_SKEW_SECONDS = 60.0  # Cloudinary refuses signed calls when the clocks are an hour apart


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a ticket, a file, a deletion or the account.

    `ticket` and `deletion` are primary keys, or 0.
    """

    problem: Problem
    detail: str = ""
    public_id: str = ""
    ticket: int = 0
    file: gateway.ListedFile | None = None
    deletion: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, [self.public_id, f"({self.detail})" if self.public_id else self.detail]))


@dataclass(frozen=True, slots=True)
class RepairResult:
    """The result of a repair. `error` says why the finding remains, and is empty if it was repaired."""

    finding: Finding
    error: str = ""


# -- The account -------------------------------------------------------------------------------------------------


def check_account() -> tuple[list[Finding], gateway.Quota | None]:
    """Check that storage answers, the credentials, the clock and the quota, with one Admin API call.

    Return the findings, and the quota if the service told it.
    """
    try:
        gateway.check_reachable()
        account = gateway.ask_account()
    except gateway.MediaError as error:
        if error.is_rate_limit:
            return [Finding(Problem.QUOTA_LOW, str(error))], None
        problem = Problem.BAD_CREDENTIALS if error.is_misconfiguration else Problem.UNREACHABLE
        return [Finding(problem, str(error))], None
    findings = []
    if abs(account.clock_skew) > MAX_CLOCK_SKEW_SECONDS:
        direction = "ahead of" if account.clock_skew > 0 else "behind"
        words = f"it is {abs(account.clock_skew):.0f} seconds {direction} Cloudinary's. Turn on NTP (timedatectl)."
        findings.append(Finding(Problem.CLOCK_SKEW, words))
    if account.quota is not None and account.quota.left < 1 + _calls_needed():
        words = (
            f"{account.quota.left} of {account.quota.allowed} are left until {account.quota.resets_at:%H:%M} UTC, and "
            f"listing takes about {_calls_needed()}. A check that runs out of calls is resumed by starting it again."
        )
        findings.append(Finding(Problem.QUOTA_LOW, words))
    return findings, account.quota


def prevents_listing(findings: Iterable[Finding]) -> bool:
    """Return whether the findings about the account rule out a listing."""
    return any(finding.problem in (Problem.BAD_CREDENTIALS, Problem.UNREACHABLE) for finding in findings)


def _calls_needed() -> int:
    """Return the calls of a whole listing: of six resource and delivery types, five are usually empty."""
    return 5 + 1 + 2 * EventTicket.objects.exclude(published_at=None).count() // FILES_PER_CALL


def check_delivery(inventory: Inventory) -> list[Finding]:
    """Check that the account delivers PDF files, by fetching one that was listed.

    Never ask for a file that may not exist: the CDN caches the refusal for hours.
    """
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


# -- Comparing ---------------------------------------------------------------------------------------------------


def compare(inventory: Inventory, on_ticket: Callable[[], None] = lambda: None) -> Iterator[Finding]:
    """Yield every difference between the database and the inventory, which must be complete.

    `on_ticket` is called for every ticket that is compared.
    """
    yield from check_delivery(inventory)
    yield from _check_tickets(inventory, on_ticket)
    yield from _check_files(inventory)
    yield from _check_deletions()


def _check_tickets(inventory: Inventory, on_ticket: Callable[[], None]) -> Iterator[Finding]:
    """Yield tickets whose files are missing, or not the ones that were published."""
    # Leave out tickets published since the listing started: it may lack their files, or have an older version.
    tickets = EventTicket.objects.filter(state=EventTicket.State.READY, published_at__lt=inventory.started_at)
    for ticket in in_chunks(tickets):
        on_ticket()
        if ticket.is_at_old_place or ticket.published_suffix != ticket.public_id_suffix:
            place = ticket.pdf_ticket_cloudinary_id
            yield Finding(Problem.OLD_PLACE, "re-issued, but still published at its old place", place, ticket.pk)
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


def _check_files(inventory: Inventory) -> Iterator[Finding]:
    """Yield files that no ticket uses, except files that another deployment has tagged."""
    tag = deployment_tag()
    for batch in _batched(file for file in inventory.in_place() if not _is_of_other_deployment(file, tag)):
        owners = _owners(batch)
        known = _known_ids(batch, owners.values())
        for file in batch:
            if not gateway.TICKET_FILE.fullmatch(file.public_id):
                yield Finding(Problem.FOREIGN, "not named as ticket files are", file.public_id, file=file)
            elif file.public_id not in known and not _changed_since(inventory.started_at, owners.get(file.public_id)):
                problem = _problem_of(file, tag, Problem.OLD_PLACE if file.public_id in owners else Problem.ORPHANED)
                yield Finding(problem, f"{file.size:,} bytes", file.public_id, file=file)
    for batch in _batched(file for file in inventory.misplaced() if not _is_of_other_deployment(file, tag)):
        owners = _owners(batch)
        for file in batch:
            where = f"{file.resource_type}/{file.delivery_type}"
            if _ticket_named_by(file.public_id):
                is_owned = file.public_id in owners
                problem = Problem.WRONG_TYPE if is_owned else _problem_of(file, tag, Problem.WRONG_TYPE)
                yield Finding(problem, where, file.public_id, file=file)
            elif file.public_id.startswith(tuple(kind.folder + "/" for kind in gateway.KINDS)):
                yield Finding(Problem.FOREIGN, where, file.public_id, file=file)


def count_files_of_other_deployments(inventory: Inventory) -> int:
    tag = deployment_tag()
    return sum(
        _is_of_other_deployment(file, tag) for file in itertools.chain(inventory.in_place(), inventory.misplaced())
    )


def _is_of_other_deployment(file: gateway.ListedFile, tag: str) -> bool:
    """Return whether the file was uploaded by another deployment than the one with this tag."""
    return tag not in file.tags and any(other.startswith(TAG_PREFIX) for other in file.tags)


def _problem_of(file: gateway.ListedFile, tag: str, problem: Problem) -> Problem:
    """Return the problem, or UNMARKED for a file that belongs to no ticket and has no deployment's tag."""
    return problem if problem is Problem.OLD_PLACE or tag in file.tags else Problem.UNMARKED


def _changed_since(started_at: datetime, owner: EventTicket | None) -> bool:
    """Return whether the ticket was changed since the listing started: the listed file may have been deleted since."""
    return owner is not None and owner.requested_at >= started_at


def _known_ids(files: Iterable[gateway.ListedFile], owners: Iterable[EventTicket]) -> set[str]:
    """Return the public ids that the tickets use, will use once published, or have queued for deletion."""
    names = [file.public_id for file in files]
    known = set(StoredFileDeletion.objects.filter(name__in=names).values_list("name", flat=True))
    for ticket in owners:
        known |= {ticket.public_id_of(kind) for kind in gateway.KINDS}
        known |= {ticket.qr_code_cloudinary_id, ticket.pdf_ticket_cloudinary_id}
    return known


def _check_deletions() -> Iterator[Finding]:
    for row in StoredFileDeletion.objects.filter(attempts__gte=REPORTED_ATTEMPTS).iterator(BATCH_SIZE):
        detail = f"{row.attempts} attempts since {row.created_at:%Y-%m-%d %H:%M} UTC: {row.reason}"
        yield Finding(Problem.UNDELETABLE, detail, row.name, deletion=row.pk)


def _batched(items: Iterable[Item]) -> Iterator[list[Item]]:
    left = iter(items)
    while batch := list(itertools.islice(left, BATCH_SIZE)):
        yield batch


# -- Repairing ---------------------------------------------------------------------------------------------------


def may_be_wrong_database(repairable: Iterable[Finding], listed: int) -> bool:
    """Return whether the findings have so many orphans that this is probably the wrong database for the storage."""
    orphans = sum(finding.problem in (Problem.ORPHANED, Problem.UNMARKED) for finding in repairable)
    return orphans > max(20, listed // 2)


def repair(findings: Iterable[Finding], workers: int = 1) -> Iterator[RepairResult]:
    """Repair what a program can, with at most `workers` calls at once, and yield each result. Idempotent.

    Tickets are published before misplaced files are deleted, so that no ticket is left without files.
    """
    findings = list(findings)
    broken = {finding.ticket: finding for finding in findings if finding.ticket}
    for batch in _batched(broken.values()):
        yield from _rerender({finding.ticket: finding for finding in batch}, workers)
    for batch in _batched(finding for finding in findings if finding.file is not None):
        yield from _delete_files(batch, workers)
    yield from map(_retry_deletion, [finding for finding in findings if finding.deletion])


def _rerender(broken: dict[int, Finding], workers: int) -> Iterator[RepairResult]:
    requested = requests.request_own_files(EventTicket.objects.filter(pk__in=broken))
    for pk in broken.keys() - requested:
        yield RepairResult(broken[pk])  # deleted or re-issued meanwhile, which takes care of its files
    for pk, attempt in pipeline.publish_each(sorted(requested), max_tickets=workers):
        requested.remove(pk)
        yield RepairResult(broken[pk], "" if attempt.error is None else str(attempt.error))
    for pk in requested:
        yield RepairResult(broken[pk], "another worker is publishing it, or it waits for a rate limit to be lifted")


def _delete_files(findings: Iterable[Finding], workers: int) -> Iterator[RepairResult]:
    """Delete files that no ticket uses. Look the owners up again: a ticket may use the file by now (TOCTOU)."""
    files = {finding: finding.file for finding in findings if finding.file is not None}
    owners = _owners(files.values())
    known = _known_ids(files.values(), owners.values())
    to_delete = []
    for finding, file in files.items():
        is_misplaced = (file.resource_type, file.delivery_type) != ("image", settings.CLOUDINARY_DELIVERY_TYPE)
        if finding.problem is Problem.FOREIGN:
            yield RepairResult(finding, "left to you")
        elif not is_misplaced and file.public_id in known:
            yield RepairResult(finding)
        else:
            to_delete.append(_FileToDelete(finding, file, owners.get(file.public_id) if is_misplaced else None))
    yield from in_parallel(_delete_file, to_delete, workers)


@dataclass(frozen=True, slots=True)
class _FileToDelete:
    """A file to delete. If it has an `owner`, that ticket's file at the right place must be verified first."""

    finding: Finding
    file: gateway.ListedFile
    owner: EventTicket | None


def _owners(files: Iterable[gateway.ListedFile]) -> dict[str, EventTicket]:
    """Return the tickets that the files belong to, by public id. Leave out tickets that were deleted."""
    ids = {file.public_id: found for file in files if (found := _ticket_named_by(file.public_id))}
    tickets = {ticket.ticket_id: ticket for ticket in EventTicket.objects.filter(ticket_id__in=set(ids.values()))}
    return {public_id: tickets[ticket_id] for public_id, ticket_id in ids.items() if ticket_id in tickets}


def _ticket_named_by(public_id: str) -> UUID | None:
    """Return the ticket id in a file's public id. The public id of a raw file, always misplaced, has an extension."""
    found = gateway.TICKET_FILE.fullmatch(public_id.removesuffix(".pdf").removesuffix(".png"))
    return UUID(found["ticket"]) if found else None


def _delete_file(item: _FileToDelete) -> RepairResult:
    """Delete one file, unless its owner still needs it. Runs in a thread, so it must not use the database."""
    finding, file = item.finding, item.file
    try:
        if item.owner is not None and (reason := _reason_to_keep(item.owner, gateway.kind_of(file.public_id))):
            return RepairResult(finding, reason)
        gateway.destroy_stray(file.resource_type, file.delivery_type, file.public_id)
    except gateway.MediaError as error:
        return RepairResult(finding, str(error))
    return RepairResult(finding)


def _reason_to_keep(owner: EventTicket, kind: gateway.FileKind) -> str:
    """Return why a ticket's misplaced file may be its only one, or "" if a replacement was fetched.

    The row alone is not enough: a worker that still has the old delivery type may have written it.
    """
    public_id = getattr(owner, f"{kind.name}_cloudinary_id")
    if owner.state != EventTicket.State.READY or not public_id:
        return "kept until the ticket's new files are published; run this again then"
    try:
        verification.fetch(kind, public_id, getattr(owner, f"{kind.name}_version"))
    except gateway.MediaError as error:
        return f"kept, because its replacement was not found: {error}"
    return ""


def _retry_deletion(finding: Finding) -> RepairResult:
    deletions.DELETIONS.hasten(deletions.DELETIONS.jobs.filter(pk=finding.deletion))
    deletions.delete_due()
    left = StoredFileDeletion.objects.filter(pk=finding.deletion).first()
    return RepairResult(finding, "" if left is None else left.reason)
