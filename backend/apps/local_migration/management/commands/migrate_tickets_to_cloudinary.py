"""Define `manage.py migrate_tickets_to_cloudinary`, which runs `importer.py` or, with --to-local, `exporter.py`."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.core.cli.progress import Progress
from apps.local_migration import exporter, importer, plans
from apps.local_migration.legacy_files import FileStatus
from apps.local_migration.plans import Outcome, Selection, TicketResult
from apps.local_migration.reports import Report
from apps.local_migration.retry import Retrier
from apps.publishing.outcomes import failures_reported_by_caller
from apps.storage.cli.arguments import add_workers, positive
from apps.storage.cli.causes import Causes, require_storage

SUMMARY = {
    Outcome.IMPORTED: "moved; printed codes stay valid",
    Outcome.RERENDERED: "re-rendered",
    Outcome.EXPORTED: "exported to local storage",
    Outcome.CODE_ACCEPTED: "moved earlier; printed codes accepted now",
    Outcome.LOCAL_DELETED: "local files deleted, their replacements on Cloudinary verified",
    Outcome.LOCAL_GONE: "local files were gone already, their names removed now",
    Outcome.LOCAL_KEPT: "local files kept, because they are not the ones that were moved",
    Outcome.LEFT_ALONE: "on Cloudinary already: left alone",
    Outcome.OVERTAKEN: "changed by another process meanwhile, nothing left to do",
    Outcome.FAILED: "failed; run the command again to retry them",
}


class Command(BaseCommand):
    help = (
        "Move the files of legacy tickets from local storage to Cloudinary. Printed codes stay valid, local files stay "
        "where they are, and an interrupted run continues when you start it again. Printed codes of tickets that were "
        "moved before are accepted, too, while their local pictures are there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--dry-run", action="store_true", help="say what would be done, and write nothing")
        add("--force", action="store_true", help="also re-render files that are on Cloudinary already")
        add("--delete-local", action="store_true", help="delete local files once their replacements are verified")
        add("--to-local", action="store_true", help="export files from Cloudinary to local storage instead")
        add("--event", type=int, metavar="ID", help="only tickets of this event")
        add("--limit", type=positive, metavar="N", help="at most N tickets")
        add_workers(parser)
        add("--report", type=Path, metavar="FILE", help="append one CSV line a ticket to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["to_local"] and (options["force"] or options["delete_local"]):
            raise CommandError("--to-local can't be combined with --force or --delete-local.")
        selection = Selection(options["event"], options["limit"], options["force"], options["delete_local"])
        if options["dry_run"]:
            self._report_plans(selection, options["to_local"])
        else:
            self._run(selection, options)

    def _report_plans(self, selection: Selection, to_local: bool) -> None:
        if to_local:
            self.stdout.write(f"Dry run: {exporter.count(selection)} tickets would be exported to local storage.")
            return
        counts: Counter[str] = Counter()
        for planned in plans.plan(selection):
            counts[planned.intention] += 1
            if planned.warning:
                self.stdout.write(planned.warning)
        left_alone = selection.count_left_alone() + counts.pop(Outcome.LEFT_ALONE.value, 0)
        for intention, number in sorted(counts.items()):
            self.stdout.write(f"{number:>8} {intention}")
        self.stdout.write(f"{left_alone:>8} {SUMMARY[Outcome.LEFT_ALONE]}")
        self.stdout.write("Dry run: nothing was written.")

    def _run(self, selection: Selection, options: dict[str, Any]) -> None:
        to_local = options["to_local"]
        run = exporter.export_all if to_local else importer.import_all
        total = exporter.count(selection) if to_local else selection.count()
        left_alone = 0 if to_local else selection.count_left_alone()
        outcomes: Counter[Outcome] = Counter()
        error_of_run, rejected = "", set[UUID]()
        with (
            _report(options["report"]) as report,
            Progress(total, "ticket", self.stderr) as progress,
            Causes(progress.say) as causes,
            failures_reported_by_caller(),
        ):
            if total:
                require_storage()
            retrier = Retrier(
                lambda seconds: progress.say(f"Cloudinary limits the rate of calls: waiting {seconds:.0f} s.")
            )
            for result in run(selection, options["workers"], retrier):
                outcomes[result.outcome] += 1
                rejected |= _tickets_with_rejected_code(result)
                self._report_result(result, progress, causes, options["verbosity"])
                if report is not None:
                    report.add(*_line(result))
                error_of_run = error_of_run or (result.error if result.stops_run else "")
                progress.step()
        outcomes[Outcome.LEFT_ALONE] += left_alone
        for outcome in Outcome:
            if outcomes[outcome] or (outcome is Outcome.LEFT_ALONE and not to_local):
                self.stdout.write(f"{outcomes[outcome]:>8} {SUMMARY[outcome]}")
        if rejected:
            self.stdout.write(
                f"{len(rejected):>8} tickets were printed with a code that is not valid for entry: "
                "send their holders the new files"
            )
        if error_of_run:
            raise CommandError(f"Stopped early, as the other tickets would fail likewise: {error_of_run}")
        if failed := sum(number for outcome, number in outcomes.items() if not outcome.is_done):
            raise CommandError(f"{failed} of {total} tickets are not done. Run the command again to continue.")

    def _report_result(self, result: TicketResult, progress: Progress, causes: Causes, verbosity: int) -> None:
        if result.plan.warning:
            progress.say(result.plan.warning)
        if not result.outcome.is_done and not result.is_logged:
            causes.report(f"Ticket {result.plan.ticket.ticket_id}", result.error)
        elif verbosity > 1:
            progress.say(f"Ticket {result.plan.ticket.ticket_id}: {SUMMARY[result.outcome]}")


def _tickets_with_rejected_code(result: TicketResult) -> set[UUID]:
    """Return the tickets whose printed code turned out invalid for entry: this one, and others with the same text."""
    local = result.plan.local
    is_new = result.outcome is Outcome.RERENDERED or local.status is FileStatus.SHARED_CODE
    return {result.plan.ticket.ticket_id, *local.conflicts} if local.is_rejected and is_new else set()


def _line(result: TicketResult) -> tuple[object, ...]:
    ticket, local = result.plan.ticket, result.plan.local
    message = result.error or result.plan.warning
    return ticket.ticket_id, ticket.event_id, local.status.value, result.outcome.value, local.name, message


@contextlib.contextmanager
def _report(path: Path | None) -> Iterator[Report | None]:
    if path is None:
        yield None
        return
    try:
        report = Report(path)
    except OSError as error:
        raise CommandError(f"The report can't be written: {error}") from error
    with report:
        yield report
