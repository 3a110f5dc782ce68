"""manage.py publish_tickets: does here and now what workers would do, with no broker and no worker."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.cli.progress import Progress
from apps.events.models import EventTicket
from apps.publishing import deletions, pipeline, sweep
from apps.publishing.outcomes import Attempt, failures_told_by_caller
from apps.storage.cli.arguments import add_workers, positive
from apps.storage.cli.causes import Causes, cause_of, require_storage
from apps.storage.gateway import MediaError, limiter
from ticketkit import RenderingError

HOPELESS = 25  # failures of storage in a row, after which it is asked whether it is still there
OVERTAKEN = "in another worker's hands, or changed meanwhile"
LIMITED = "put off until Cloudinary's rate limit is lifted"


class Command(BaseCommand):
    help = "Make and upload every ticket file that is owed, and delete what has to go. Needs no broker and no worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N tickets")
        add_workers(parser)
        parser.add_argument(
            "--given-up", action="store_true", help="also try again what failed for good and waits for a person"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if sweep.pending_pks() or deletions.are_due() or (options["given_up"] and sweep.given_up()):
            require_storage()
        if options["given_up"]:
            self.stdout.write(f"{sweep.take_up_given_up():>8} that were given up are tried again")
        owed = sweep.pending_pks()[: options["limit"]]
        with failures_told_by_caller():
            outcomes = self._publish(owed, options["workers"])
            deleted, undeleted = _empty_outbox()
        if not owed:
            self.stdout.write("Nothing is owed.")
        for outcome, number in sorted((+outcomes).items()):
            self.stdout.write(f"{number:>8} {outcome}")
        self.stdout.write(f"{deleted:>8} files deleted")
        if undeleted:
            self.stdout.write(f"{undeleted:>8} files not deleted yet")
            causes: Counter[str] = Counter()
            for reason, number in deletions.reasons():
                causes[cause_of(reason)] += number
            for cause, number in causes.most_common():
                self.stdout.write(f"{number:>8} files are still there: {cause}")
        if waiting := sweep.given_up():
            self.stdout.write(f"{waiting:>8} given up; the admin says why, and --given-up tries them again")
        if outcomes["failed"] or outcomes[LIMITED] or undeleted:
            raise CommandError("Not everything was done; what is left is tried again. The lines above say why.")

    def _publish(self, owed: Sequence[int], workers: int) -> Counter[str]:
        """Make the files; answer how many tickets came to which end. Raises CommandError when storage went away."""
        outcomes: Counter[str] = Counter()
        in_a_row = 0
        with Progress(len(owed), "ticket", self.stderr) as progress, Causes(progress.say) as causes:
            for pk, attempt in pipeline.publish_each(owed, at_once=workers):
                outcomes[_outcome(attempt)] += 1
                if isinstance(attempt.error, RenderingError | MediaError):
                    causes.report(f"Ticket {_ticket_id(pk)}", str(attempt.error))
                progress.step()
                in_a_row = in_a_row + 1 if isinstance(attempt.error, MediaError) else 0
                if in_a_row and in_a_row % HOPELESS == 0:
                    require_storage()
        outcomes[LIMITED if limiter.retry_after() > 0 else OVERTAKEN] += len(owed) - outcomes.total()
        return outcomes


def _ticket_id(pk: int) -> object:
    return EventTicket.objects.values_list("ticket_id", flat=True).filter(pk=pk).first() or pk  # deleted meanwhile


def _outcome(attempt: Attempt) -> str:
    if attempt.error is not None:
        return "failed"
    return "published" if attempt.state == EventTicket.State.READY else OVERTAKEN


def _empty_outbox() -> tuple[int, int]:
    """How many files are gone, and how many are still to go. What failed is not due again for a while."""
    gone = failed = 0
    while any(batch := deletions.delete_due()):
        gone, failed = gone + batch[0], failed + batch[1]
    return gone, failed
