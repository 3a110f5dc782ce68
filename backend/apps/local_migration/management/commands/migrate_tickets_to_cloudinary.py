"""manage.py migrate_tickets_to_cloudinary: run `importer.py` or, with --to-local, `exporter.py`."""

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
from apps.local_migration.legacy_files import Finding
from apps.local_migration.plans import Outcome, Plan, Result, Selection
from apps.local_migration.reports import Report
from apps.local_migration.retry import Pace
from apps.publishing.outcomes import failures_reported_by_caller
from apps.storage.cli.arguments import add_workers, positive
from apps.storage.cli.causes import Causes, require_storage

SUMMARY = {
    Outcome.MOVED: "moved; what was printed stays valid",
    Outcome.RENEWED: "made anew",
    Outcome.BROUGHT_HOME: "brought to the local storage",
    Outcome.CODE_ACCEPTED: "moved earlier; what was printed is accepted now",
    Outcome.LOCAL_DELETED: "local files deleted, their successors on Cloudinary verified",
    Outcome.LOCAL_GONE: "local files were gone already, which is noted now",
    Outcome.LOCAL_KEPT: "local files kept, as they are not what was moved",
    Outcome.LEFT_ALONE: "on Cloudinary already: left alone",
    Outcome.OVERTAKEN: "changed by somebody else meanwhile, nothing left to do",
    Outcome.FAILED: "failed; run the command again to try those again",
}


class Command(BaseCommand):
    help = (
        "Move tickets from the local storage of old to Cloudinary. Printed codes stay valid, local files stay where "
        "they are, and a run that is cut short is continued by starting it again. What was printed "
        "for tickets that were moved before is accepted, too, while their local pictures are there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--dry-run", action="store_true", help="say what would be done, and write nothing")
        add("--force", action="store_true", help="also make those files anew that are on Cloudinary already")
        add("--delete-local", action="store_true", help="delete local files once their successors are verified")
        add("--to-local", action="store_true", help="the way back: bring files from Cloudinary to the local storage")
        add("--event", type=int, metavar="ID", help="only tickets of this event")
        add("--limit", type=positive, metavar="N", help="at most N tickets")
        add_workers(parser)
        add("--report", type=Path, metavar="FILE", help="append one CSV line a ticket to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["to_local"] and (options["force"] or options["delete_local"]):
            raise CommandError("--to-local goes with neither --force nor --delete-local.")
        selection = Selection(options["event"], options["limit"], options["force"], options["delete_local"])
        if options["dry_run"]:
            self._tell_plans(selection, options["to_local"])
        else:
            self._run(selection, options)

    def _tell_plans(self, selection: Selection, to_local: bool) -> None:
        if to_local:
            self.stdout.write(f"Dry run: {exporter.count(selection)} tickets would be brought to the local storage.")
            return
        told: Counter[str] = Counter()
        for planned in plans.plan(selection):
            told[planned.intention] += 1
            self._warn(planned, self.stdout.write)
        left_alone = selection.passed_over() + told.pop(Outcome.LEFT_ALONE.value, 0)
        for intention, number in sorted(told.items()):
            self.stdout.write(f"{number:>8} {intention}")
        self.stdout.write(f"{left_alone:>8} {SUMMARY[Outcome.LEFT_ALONE]}")
        self.stdout.write("Dry run: nothing was written.")

    def _run(self, selection: Selection, options: dict[str, Any]) -> None:
        to_local = options["to_local"]
        source = exporter if to_local else importer
        total = exporter.count(selection) if to_local else selection.count()
        passed_over = 0 if to_local else selection.passed_over()
        outcomes: Counter[Outcome] = Counter()
        stopped, void = "", set[UUID]()
        with (
            _report(options["report"]) as report,
            Progress(total, "ticket", self.stderr) as progress,
            Causes(progress.say) as causes,
            failures_reported_by_caller(),
        ):
            if total:
                require_storage()
            pace = Pace(lambda seconds: progress.say(f"Cloudinary limits the rate of calls: waiting {seconds:.0f} s."))
            for result in source.move(selection, options["workers"], pace):
                outcomes[result.outcome] += 1
                void |= _printed_in_vain(result)
                self._tell(result, progress, causes, options["verbosity"])
                if report is not None:
                    report.add(*_line(result))
                stopped = stopped or (result.error if result.stops_run else "")
                progress.step()
        outcomes[Outcome.LEFT_ALONE] += passed_over
        for outcome in Outcome:
            if outcomes[outcome] or (outcome is Outcome.LEFT_ALONE and not to_local):
                self.stdout.write(f"{outcomes[outcome]:>8} {SUMMARY[outcome]}")
        if void:
            self.stdout.write(
                f"{len(void):>8} tickets were printed with a code that opens no door: send those out anew"
            )
        if stopped:
            raise CommandError(f"Stopped early, as nothing else would succeed: {stopped}")
        if undone := sum(number for outcome, number in outcomes.items() if not outcome.is_done):
            raise CommandError(f"{undone} of {total} tickets are not done. Run the command again to go on.")

    def _tell(self, result: Result, progress: Progress, causes: Causes, verbosity: int) -> None:
        if result.plan.warning:
            progress.say(result.plan.warning)
        if not result.outcome.is_done and not result.is_logged:
            causes.report(f"Ticket {result.plan.ticket.ticket_id}", result.error)
        elif verbosity > 1:
            progress.say(f"Ticket {result.plan.ticket.ticket_id}: {SUMMARY[result.outcome]}")

    @staticmethod
    def _warn(planned: Plan, write: Any) -> None:
        if planned.warning:
            write(planned.warning)


def _printed_in_vain(result: Result) -> set[UUID]:
    """Return the tickets whose printed code is known now to open no door: this one, and those with the same text."""
    local = result.plan.local
    is_told = result.outcome is Outcome.RENEWED or local.finding is Finding.SHARED_CODE
    return {result.plan.ticket.ticket_id, *local.rivals} if local.opens_nothing and is_told else set()


def _line(result: Result) -> tuple[object, ...]:
    ticket, local = result.plan.ticket, result.plan.local
    message = result.error or result.plan.warning
    return ticket.ticket_id, ticket.event_id, local.finding.value, result.outcome.value, local.name, message


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
