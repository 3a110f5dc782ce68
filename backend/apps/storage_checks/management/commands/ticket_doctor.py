"""Define `manage.py ticket_doctor`, which runs a storage check and, with --fix, repairs the findings."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.events.models import EventTicket
from apps.publishing import outcomes, sweep
from apps.storage import gateway
from apps.storage.cli.arguments import add_workers
from apps.storage.cli.causes import Causes
from apps.storage_checks import comparison, runs
from apps.storage_checks.comparison import Finding
from apps.storage_checks.inventory import Inventory
from apps.storage_checks.problems import MANUAL, MEANING, NOTICES, Problem
from apps.storage_checks.runs import EXAMPLES_PER_PROBLEM, Recorder


class Command(BaseCommand):
    help = (
        "Compare tickets with the files on Cloudinary, both ways. The exit code is 0 if they agree. "
        "When the hourly quota of Admin API calls runs out, start the command again later to continue."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--fix", action="store_true", help="repair what a program can repair; safe to repeat")
        add(
            "--delete-many",
            action="store_true",
            help="with --fix: also delete when most of the files belong to no ticket",
        )
        add(
            "--delete-unmarked",
            action="store_true",
            help="with --fix: also delete files of no ticket that have no deployment's tag",
        )
        add("--wait", action="store_true", help="when the quota runs out, wait for the next hour instead of ending")
        add_workers(parser)
        add(
            "--inventory",
            type=Path,
            metavar="FILE",
            help="the file that keeps the listing (default: in the var folder)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with runs.recording(runs.start()) as record:
                wrong = self._check(record, options)
        except (runs.AlreadyRunningError, runs.SupersededError) as error:
            raise CommandError(str(error)) from error
        if wrong:
            raise CommandError(_summary(wrong, fixed=options["fix"]))
        self.stdout.write("✅ Database and storage agree.")

    def _check(self, record: Recorder, options: dict[str, Any]) -> list[Finding]:
        """Run the check and, with --fix, the repairs. Print and record the findings. Return the remaining ones."""
        findings, quota = comparison.check_account()
        record.account(findings, quota)
        if comparison.prevents_listing(findings):
            record.finish(findings)
            raise CommandError(" ".join(map(str, findings)))
        self._print(findings)
        path = options["inventory"] or runs.inventory_path()
        with Inventory(path) as inventory:
            self._list(inventory, options["wait"], record)
            found = list(comparison.compare(inventory, record.compared))
            others = comparison.count_files_of_other_deployments(inventory)
            listed = len(inventory) - others
        self._print(found)
        self._print_counts(found, listed, others, quota)
        record.keep(findings + found)
        if options["fix"]:
            before = len(found)
            found = self._fix(found, listed, options)
            record.finish(findings + found, repaired=before - len(found))
        else:
            record.finish(findings + found)
        return [finding for finding in findings + found if finding.problem not in NOTICES]

    def _list(self, inventory: Inventory, wait: bool, record: Recorder) -> None:
        while True:
            try:
                return inventory.list_remaining(record.listed)
            except gateway.MediaError as error:
                if not error.is_rate_limit or error.retry_after is None:
                    raise CommandError(f"{error} The listing so far is kept; start the command again.") from error
                words = f"This hour's Admin API calls are used up; {len(inventory)} files are listed so far."
                again = datetime.fromtimestamp(time.time() + error.retry_after, UTC)
                if not wait:
                    words = f"{words} Start the command again after {again:%H:%M} UTC to continue."
                    record.stop(words)
                    raise CommandError(words) from error
                self.stdout.write(f"{words} Waiting until {again:%H:%M} UTC.")
                time.sleep(error.retry_after + 1)

    def _print(self, findings: list[Finding]) -> None:
        by_problem: dict[Problem, list[Finding]] = {}
        for finding in findings:
            by_problem.setdefault(finding.problem, []).append(finding)
        for problem, these in by_problem.items():
            mark = "⚠️" if problem in NOTICES else "❌"
            self.stdout.write(f"{mark} {len(these)} × {problem.value}: {MEANING[problem]}")
            for finding in these[:EXAMPLES_PER_PROBLEM]:
                self.stdout.write(f"     {finding}")
            if (more := len(these) - EXAMPLES_PER_PROBLEM) > 0:
                self.stdout.write(f"     … and {more} more")

    def _print_counts(self, findings: list[Finding], listed: int, others: int, quota: gateway.Quota | None) -> None:
        counts = Counter(finding.problem for finding in findings)
        ready = EventTicket.objects.filter(state=EventTicket.State.READY).count()
        summary = ", ".join(f"{counts[p]} {p.value}" for p in Problem if p not in MANUAL)
        self.stdout.write(
            f"{ready} tickets ready, {len(sweep.pending_pks())} pending, {listed} files listed: {summary}"
        )
        if others:
            self.stdout.write(f"{others} files of other deployments in this account are left out.")
        if quota is not None:
            self.stdout.write(f"Admin API: {quota.left} of {quota.allowed} calls were left before the listing.")

    def _fix(self, findings: list[Finding], listed: int, options: dict[str, Any]) -> list[Finding]:
        """Repair the findings. Return the remaining ones."""
        manual = set(MANUAL).difference([Problem.UNMARKED] if options["delete_unmarked"] else [])
        left = [finding for finding in findings if finding.problem in manual]
        repaired = 0
        repairable = [finding for finding in findings if finding.problem not in manual]
        if comparison.may_be_wrong_database(repairable, listed) and not options["delete_many"]:
            raise CommandError(
                "Most of the files belong to no ticket of this database. If it is a copy of another deployment's "
                "database, or an old one, --fix would delete files that are needed. Nothing was changed; "
                "use --delete-many to delete them all the same."
            )
        with Causes(self.stdout.write) as causes, outcomes.failures_reported_by_caller():
            for result in comparison.repair(repairable, options["workers"]):
                if result.error:
                    left.append(result.finding)
                    causes.report(f"Not repaired: {result.finding}", result.error)
                else:
                    repaired += 1
        self.stdout.write(f"{repaired} repairs made.")
        return left


def _summary(wrong: list[Finding], *, fixed: bool) -> str:
    """Return how many problems there are, and how to fix them."""
    number = len(wrong)
    words = [f"{number} problem{'' if number == 1 else 's'} found."]
    manual = sum(finding.problem in MANUAL for finding in wrong)
    if repairable := number - manual:
        words.append(
            f"{repairable} could not be repaired now; the lines above say why. Start the command again later."
            if fixed
            else f"ticket_doctor --fix repairs {repairable} of them."
        )
    if manual:
        words.append(f"{manual} must be fixed by hand: the lines above say how.")
    return " ".join(words)
