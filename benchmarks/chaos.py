"""Is anything lost when everything goes wrong at once? The long form of backend/tests/system/test_chaos.py.

    python benchmarks/chaos.py [--tickets 5000] [--minutes 3] [--seed N] [--broker rabbitmq|redis] [--json FILE]
    python benchmarks/chaos.py --without-sweep
    python benchmarks/chaos.py --without-lease

Four processes sell tickets on PostgreSQL; three workers with Celery's own process pool make their files. Meanwhile
cloudlet refuses a tenth of the uploads, cuts a twentieth off after the file was written, is slow, and is away for 30
seconds; workers, or their children, are killed with SIGKILL; the broker is killed and started again; people delete,
re-issue, re-render and rename tickets and edit the event. Leases and retries are short, so that minutes hold what
takes hours otherwise.

When nothing is owed any more: every ticket that was sold and not deleted must be there and ready, its files must be
those of its row, show what is true today and carry its code, and the doctor must find nothing. Exit code 0 if so.

The negative controls take away what the promise rests on, and must find losses; exit code 0 if they do. Without the
sweep there is no beat. Without the lease a worker's claim never runs out, as a plain `in progress` flag wouldn't.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from harness import parser, say, system, write  # first: it reads the settings
from tests.system.chaos.run import Chaos

EXAMPLES = 10


def main() -> int:
    options = _parser().parse_args()
    seconds = options.minutes * 60
    broken = options.without_sweep or options.without_lease
    say(f"seed {options.seed}: {options.tickets} tickets, {seconds:.0f} s of trouble, {options.broker}")
    with system(options.broker) as servers, options.log.open("wb") as log:
        began = time.monotonic()
        chaos = Chaos(
            servers.cloudlet,
            servers.broker,
            options.seed,
            tickets=options.tickets,
            issuers=4,
            workers=3,
            pool="prefork",
            seconds=seconds,
            kills=int(seconds / 6),
            restarts=max(1, int(seconds / 60)),
            edits=int(seconds / 15),
            changes=int(seconds / 9),
            some=max(4, options.tickets // 500),
            outage_seconds=min(30.0, seconds / 4),
            lease_seconds=20,
            has_sweep=not options.without_sweep,
            has_lease=not options.without_lease,
            log=log,
            tell=lambda line: say(f"{time.monotonic() - began:6.1f} s  {line}"),
        )
        findings = chaos.run(patience=90 if broken else 1800)
    figures = {
        "seed": options.seed,
        "broker": options.broker,
        "control": "without sweep" if options.without_sweep else "without lease" if options.without_lease else "",
        "done": dict(chaos.report),
        "uploads": dict(chaos.uploads),
        "seconds": round(time.monotonic() - began, 1),
        "findings": len(findings),
    }
    _tell(figures, findings)
    write(options.json, figures)
    return int(bool(findings) != broken)


def _parser():  # type: ignore[no-untyped-def] # argparse's
    made = parser(__doc__)
    made.add_argument("--tickets", type=int, default=5000)
    made.add_argument("--minutes", type=float, default=3, help="of trouble")
    made.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 # no secret
    made.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq", help="started for this run")
    made.add_argument("--log", type=Path, default=Path(os.devnull), help="where the processes complain")
    controls = made.add_mutually_exclusive_group()
    controls.add_argument("--without-sweep", action="store_true", help="negative control")
    controls.add_argument("--without-lease", action="store_true", help="negative control")
    return made


def _tell(figures: dict, findings: list[str]) -> None:  # type: ignore[type-arg]
    say(f"seed {figures['seed']}, {figures['seconds']} s")
    say("done:    " + ", ".join(f"{number} {deed}" for deed, number in sorted(figures["done"].items())))
    say("uploads: " + ", ".join(f"{number} {outcome}" for outcome, number in figures["uploads"].items()))
    say(f"{len(findings)} things are wrong")
    for finding in findings[:EXAMPLES]:
        say(f"  {finding}")
    if len(findings) > EXAMPLES:
        say(f"  ... and {len(findings) - EXAMPLES} more")


if __name__ == "__main__":
    sys.exit(main())
