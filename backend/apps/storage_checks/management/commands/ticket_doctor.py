"""manage.py ticket_doctor: proves that database and storage agree, or says where they don't."""

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
from apps.storage_checks import doctor, examinations
from apps.storage_checks.doctor import Finding
from apps.storage_checks.examinations import Recorder
from apps.storage_checks.inventory import Inventory
from apps.storage_checks.problems import BY_PEOPLE, MEANING, NOTICES, Problem

EXAMPLES = 10


class Command(BaseCommand):
    help = (
        "Compare tickets with what is on Cloudinary, both ways, by listing. Exit code 0 when all is well. "
        "When the hourly quota of Admin API calls runs out, start it again later: it goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--fix", action="store_true", help="repair what a program can repair; safe to do again")
        add(
            "--delete-many",
            action="store_true",
            help="with --fix: also when most of what is there belongs to no ticket",
        )
        add(
            "--delete-unmarked",
            action="store_true",
            help="with --fix: also files of no ticket that don't say which deployment they belong to",
        )
        add("--wait", action="store_true", help="wait for the next hour when the quota runs out, instead of ending")
        add_workers(parser)
        add("--inventory", type=Path, metavar="FILE", help="where the listing is kept (default: in the var folder)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            examination = examinations.begin()
            with examinations.recording(examination) as record:
                wrong = self._examine(record, options)
        except (examinations.UnderWayError, examinations.SupersededError) as error:
            raise CommandError(str(error)) from error
        if wrong:
            raise CommandError(_verdict(wrong, fixed=options["fix"]))
        self.stdout.write("✅ Database and storage agree.")

    def _examine(self, record: Recorder, options: dict[str, Any]) -> list[Finding]:
        """What is wrong, after the repairs if any were asked for; it is told, and kept for the admin's page."""
        findings, quota = doctor.examine_account()
        record.account(findings, quota)
        if doctor.prevents_listing(findings):
            record.finish(findings)
            raise CommandError(" ".join(map(str, findings)))
        self._tell(findings)
        path = options["inventory"] or examinations.inventory_path()
        with Inventory(path) as inventory:
            self._take(inventory, options["wait"], record)
            found = list(doctor.examine(inventory, record.compared))
            others = doctor.files_of_others(inventory)
            listed = len(inventory) - others
        self._tell(found)
        self._summarise(found, listed, others, quota)
        record.keep(findings + found)
        if options["fix"]:
            before = len(found)
            found = self._fix(found, listed, options)
            record.finish(findings + found, repaired=before - len(found))
        else:
            record.finish(findings + found)
        return [finding for finding in findings + found if finding.problem not in NOTICES]

    def _take(self, inventory: Inventory, wait: bool, record: Recorder) -> None:
        while True:
            try:
                return inventory.take(record.listed)
            except gateway.MediaError as error:
                if not error.is_rate_limit or error.retry_after is None:
                    raise CommandError(f"{error} What was listed is kept; start it again.") from error
                words = f"This hour's Admin API calls are used up; {len(inventory)} files are listed so far."
                again = datetime.fromtimestamp(time.time() + error.retry_after, UTC)
                if not wait:
                    words = f"{words} Start it again after {again:%H:%M} UTC to go on."
                    record.stop(words)
                    raise CommandError(words) from error
                self.stdout.write(f"{words} Waiting until {again:%H:%M} UTC.")
                time.sleep(error.retry_after + 1)

    def _tell(self, findings: list[Finding]) -> None:
        by_problem: dict[Problem, list[Finding]] = {}
        for finding in findings:
            by_problem.setdefault(finding.problem, []).append(finding)
        for problem, these in by_problem.items():
            mark = "⚠️" if problem in NOTICES else "❌"
            self.stdout.write(f"{mark} {len(these)} × {problem.value}: {MEANING[problem]}")
            for finding in these[:EXAMPLES]:
                self.stdout.write(f"     {finding}")
            if len(these) > EXAMPLES:
                self.stdout.write(f"     … and {len(these) - EXAMPLES} more")

    def _summarise(self, findings: list[Finding], listed: int, others: int, quota: gateway.Quota | None) -> None:
        counts = Counter(finding.problem for finding in findings)
        ready = EventTicket.objects.filter(state=EventTicket.State.READY).count()
        summary = ", ".join(f"{counts[p]} {p.value}" for p in Problem if p not in BY_PEOPLE)
        self.stdout.write(f"{ready} tickets ready, {len(sweep.pending_pks())} owed, {listed} files listed: {summary}")
        if others:
            self.stdout.write(f"{others} files of other deployments in this account are left out.")
        if quota is not None:
            self.stdout.write(f"Admin API: {quota.left} of {quota.allowed} calls were left before the listing.")

    def _fix(self, findings: list[Finding], listed: int, options: dict[str, Any]) -> list[Finding]:
        """Repair, and answer what is still wrong."""
        by_people = set(BY_PEOPLE).difference([Problem.UNMARKED] if options["delete_unmarked"] else [])
        left = [finding for finding in findings if finding.problem in by_people]
        repaired = 0
        repairable = [finding for finding in findings if finding.problem not in by_people]
        if doctor.may_be_another_deployments(repairable, listed) and not options["delete_many"]:
            raise CommandError(
                "Most of what is there belongs to no ticket of this database. If this is a copy of another "
                "deployment's database, or an older one, this would delete files that are needed. Nothing was changed; "
                "with --delete-many it is."
            )
        with Causes(self.stdout.write) as causes, outcomes.failures_reported_by_caller():
            for done in doctor.repair(repairable, options["workers"]):
                if done.error:
                    left.append(done.finding)
                    causes.report(f"Not repaired: {done.finding}", done.error)
                else:
                    repaired += 1
        self.stdout.write(f"{repaired} repairs made.")
        return left


def _verdict(wrong: list[Finding], *, fixed: bool) -> str:
    """How many things are wrong, and who can put them right."""
    number = len(wrong)
    words = ["1 thing is not as it should be." if number == 1 else f"{number} things are not as they should be."]
    by_people = sum(finding.problem in BY_PEOPLE for finding in wrong)
    if repairable := number - by_people:
        words.append(
            f"{repairable} of them could not be repaired now; the lines above say why. Start it again later."
            if fixed
            else f"ticket_doctor --fix repairs {repairable} of them."
        )
    if by_people:
        words.append(f"{by_people} only you can put right: the lines above say how.")
    return " ".join(words)
