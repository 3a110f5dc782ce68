"""Check that nothing is lost under combined failures: the long form of backend/tests/system/test_chaos.py.

    python benchmarks/chaos.py [--tickets 5000] [--minutes 3] [--seed N] [--broker rabbitmq|redis] [--json FILE]
    python benchmarks/chaos.py --without-sweep
    python benchmarks/chaos.py --without-lease

Four processes sell tickets on PostgreSQL; three workers with Celery's prefork pool make their files. Meanwhile cloudlet
rejects a tenth of the uploads, drops a twentieth of the connections after the file was written, is slow, and is down
for 30 seconds; workers, or their children, are killed with SIGKILL; the broker is killed and restarted; people delete,
re-issue, re-render and rename tickets and edit the event. Leases and retry delays are short, so that minutes cover what
otherwise takes hours.

Once no work is pending, every ticket that was sold and not deleted must exist and be ready, its files must be those
that its row names, show current values and contain its code, and the storage check must find no problem. Then the exit
code is 0.

The negative controls remove a safeguard and must find losses; then the exit code is 0. Without the sweep there is no
beat. Without the lease a worker's claim never expires, as with a plain `in progress` flag.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from harness import argument_parser, say, system, write  # first: it sets up Django
from tests.system.chaos.run import Chaos

EXAMPLES = 10


def main() -> int:
    options = _parser().parse_args()
    seconds = options.minutes * 60
    broken = options.without_sweep or options.without_lease
    say(f"seed {options.seed}: {options.tickets} tickets, {seconds:.0f} s of failures, {options.broker}")
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
        findings = chaos.run(timeout_seconds=90 if broken else 1800)
    figures = {
        "seed": options.seed,
        "broker": options.broker,
        "control": "without sweep" if options.without_sweep else "without lease" if options.without_lease else "",
        "done": dict(chaos.report),
        "uploads": dict(chaos.uploads),
        "seconds": round(time.monotonic() - began, 1),
        "findings": len(findings),
    }
    _print_figures(figures, findings)
    write(options.json, figures)
    return int(bool(findings) != broken)


def _parser():  # type: ignore[no-untyped-def] # argparse's
    parser = argument_parser(__doc__)
    parser.add_argument("--tickets", type=int, default=5000)
    parser.add_argument("--minutes", type=float, default=3, help="of failures")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 # not a secret
    parser.add_argument("--broker", choices=["rabbitmq", "redis"], default="rabbitmq", help="started for this run")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="file for the processes' output")
    controls = parser.add_mutually_exclusive_group()
    controls.add_argument("--without-sweep", action="store_true", help="negative control")
    controls.add_argument("--without-lease", action="store_true", help="negative control")
    return parser


def _print_figures(figures: dict, findings: list[str]) -> None:  # type: ignore[type-arg]
    say(f"seed {figures['seed']}, {figures['seconds']} s")
    say("done:    " + ", ".join(f"{number} {action}" for action, number in sorted(figures["done"].items())))
    say("uploads: " + ", ".join(f"{number} {outcome}" for outcome, number in figures["uploads"].items()))
    say(f"{len(findings)} problems found")
    for finding in findings[:EXAMPLES]:
        say(f"  {finding}")
    if len(findings) > EXAMPLES:
        say(f"  ... and {len(findings) - EXAMPLES} more")


if __name__ == "__main__":
    sys.exit(main())
