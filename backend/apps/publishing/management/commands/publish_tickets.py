"""Define `manage.py publish_tickets`, which publishes tickets and deletes files without a broker and workers."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.cli.progress import Progress
from apps.events.models import EventTicket
from apps.publishing import deletions, pipeline, sweep
from apps.publishing.outcomes import Attempt, failures_reported_by_caller
from apps.storage.cli.arguments import add_workers, positive
from apps.storage.cli.causes import Causes, cause_of, require_storage
from apps.storage.gateway import MediaError, limiter
from ticketkit import RenderingError

PROBE_AFTER_FAILURES = 25  # failures of storage in a row, after which the command checks whether it is reachable
OVERTAKEN = "claimed by another worker, or changed meanwhile"
LIMITED = "postponed until Cloudinary's rate limit is lifted"


class Command(BaseCommand):
    help = (
        "Make and upload all pending ticket files, and delete those of deleted tickets. Needs no broker and no worker."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N tickets")
        add_workers(parser)
        parser.add_argument("--given-up", action="store_true", help="also retry the tickets that were given up")

    def handle(self, *args: Any, **options: Any) -> None:
        if sweep.pending_pks() or deletions.are_due() or (options["given_up"] and sweep.count_given_up()):
            require_storage()
        if options["given_up"]:
            self.stdout.write(f"{sweep.retry_given_up():>8} that were given up are retried")
        pending = sweep.pending_pks()[: options["limit"]]
        with failures_reported_by_caller():
            outcomes = self._publish(pending, options["workers"])
            deleted, undeleted = _process_outbox()
        if not pending:
            self.stdout.write("No ticket is pending.")
        for outcome, number in sorted((+outcomes).items()):
            self.stdout.write(f"{number:>8} {outcome}")
        self.stdout.write(f"{deleted:>8} files deleted")
        if undeleted:
            self.stdout.write(f"{undeleted:>8} files not deleted yet")
            causes: Counter[str] = Counter()
            for reason, number in deletions.failure_reasons():
                causes[cause_of(reason)] += number
            for cause, number in causes.most_common():
                self.stdout.write(f"{number:>8} files are still there: {cause}")
        if given_up := sweep.count_given_up():
            self.stdout.write(f"{given_up:>8} given up; the back office says why, and --given-up retries them")
        if outcomes["failed"] or outcomes[LIMITED] or undeleted:
            raise CommandError("Not everything was done; the rest will be retried. The lines above say why.")

    def _publish(self, pending: Sequence[int], workers: int) -> Counter[str]:
        """Publish the tickets, and count them by outcome. Raises CommandError if storage becomes unreachable."""
        outcomes: Counter[str] = Counter()
        in_a_row = 0
        with Progress(len(pending), "ticket", self.stderr) as progress, Causes(progress.say) as causes:
            for pk, attempt in pipeline.publish_each(pending, max_tickets=workers):
                outcomes[_outcome(attempt)] += 1
                if isinstance(attempt.error, RenderingError | MediaError):
                    causes.report(f"Ticket {_ticket_id(pk)}", str(attempt.error))
                progress.step()
                in_a_row = in_a_row + 1 if isinstance(attempt.error, MediaError) else 0
                if in_a_row and in_a_row % PROBE_AFTER_FAILURES == 0:
                    require_storage()
        outcomes[LIMITED if limiter.retry_after() > 0 else OVERTAKEN] += len(pending) - outcomes.total()
        return outcomes


def _ticket_id(pk: int) -> object:
    return EventTicket.objects.values_list("ticket_id", flat=True).filter(pk=pk).first() or pk  # deleted meanwhile


def _outcome(attempt: Attempt) -> str:
    if attempt.error is not None:
        return "failed"
    return "published" if attempt.state == EventTicket.State.READY else OVERTAKEN


def _process_outbox() -> tuple[int, int]:
    """Delete all files that are due. Return the numbers of deleted files and of failures, which are due again later."""
    deleted = failed = 0
    while any(batch := deletions.delete_due()):
        deleted, failed = deleted + batch[0], failed + batch[1]
    return deleted, failed
