"""How long a holder's app waits for a ticket while a crowd's tickets are made on the same machine, and when none are.

    python benchmarks/api_latency.py [--tickets 20000] [--rate 40] [--seconds 30] [--rounds 3] [--json FILE]

Granian, one bulk worker a core and PostgreSQL run as docs/how-to/deploy.md starts them, all on this machine. An open
loop asks for `GET /api/events/ticket/{id}/` at a constant rate; a latency counts from the moment when its request was
due. Each round measures without a crowd, then with the queue full of its tickets and the bulk workers at the priority
of everybody else, which is the peer, at `nice -n 19`, and in a control group that gets idle time only, which is what
docs/how-to/from-one-machine-to-many.md advises.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bulk_load
import urllib3
from harness import System, parser, say, system, write  # first: it reads the settings
from open_loop import Latencies, measure
from priorities import Priority, idle_group
from tests.environment import free_port
from tests.factories import PASSWORD, make_event, make_user
from tests.workers import stop, wait_until

from apps.events import issuing

CORES = os.cpu_count() or 1
OWN_TICKETS = 50
WANTED = 2.0


def main() -> int:
    options = _options()
    with system() as servers, idle_group() as group, _web(servers) as base:
        if group is None:
            say("No control group can be made here (that takes root), so the idle priority is not measured.")
        priorities = [priority for priority in Priority if priority is not Priority.IDLE or group is not None]
        urls, headers = _a_holder(servers, base)
        measure(urls, headers, options.rate, 5)  # until everybody is awake
        alone = Latencies([])
        during = dict.fromkeys(priorities, Latencies([]))
        rates: dict[Priority, list[float]] = {priority: [] for priority in priorities}
        for round_ in range(options.rounds):
            alone += measure(urls, headers, options.rate, options.seconds)
            for priority in priorities:
                found, rate = _measure_crowd(servers, options, (urls, headers), priority, group)
                during[priority] += found
                rates[priority].append(rate)
            say(f"round {round_ + 1} done")
    figures = {
        "tickets": options.tickets,
        "requests a second": options.rate,
        "bulk workers": CORES,
        "alone": alone.figures(),
        "during": {
            priority: {
                **latencies.figures(),
                "p99 against alone": round(latencies.quantile(0.99) / alone.quantile(0.99), 2),
                "published a second": round(statistics.median(rates[priority]), 1),
            }
            for priority, latencies in during.items()
        },
    }
    _tell(figures)
    write(options.json, figures)
    best = min(row["p99 against alone"] for row in figures["during"].values())
    return int(best > WANTED)


def _measure_crowd(
    servers: System,
    options: argparse.Namespace,
    request: tuple[list[str], dict[str, str]],
    priority: Priority,
    group: Path | None,
) -> tuple[Latencies, float]:
    """Latencies while the crowd's tickets are made, and how many of them are made in a second."""
    event = bulk_load.issue(options.tickets)
    with bulk_load.working(servers, "bulk", CORES, priority, group):
        bulk_load.under_way(event)
        before, began = bulk_load.ready(event), time.monotonic()
        found = measure(*request, options.rate, options.seconds, lambda: not bulk_load.is_done(event))
        rate = (bulk_load.ready(event) - before) / (time.monotonic() - began)
    bulk_load.forget(event)
    return found, rate


def _options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--tickets", type=int, default=20_000, help="in the queue when a measurement begins")
    made.add_argument("--rate", type=float, default=40, help="requests a second")
    made.add_argument("--seconds", type=float, default=30, help="of each measurement")
    made.add_argument("--rounds", type=int, default=3)
    return made.parse_args()


@contextmanager
def _web(servers: System) -> Iterator[str]:
    """The web server's address. The command is the one in docs/how-to/deploy.md, but for the port."""
    port = free_port()
    command = f"--interface wsgi --host 127.0.0.1 --port {port} --workers 2 --blocking-threads 1"
    command += " --workers-kill-timeout 10 --log-level warning config.wsgi:application"
    process = bulk_load.start(servers, "granian", *command.split())
    base = f"http://localhost:{port}"
    try:
        wait_until(lambda: _answers(f"{base}/readyz"), 180, "the web server's answer")
        yield base
    finally:
        stop(process)


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=5, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _a_holder(servers: System, base: str) -> tuple[list[str], dict[str, str]]:
    """The addresses of a holder's tickets, which are ready, and what signs their app in."""
    user = make_user("holder@example.org")
    own = issuing.issue_many(make_event(), [issuing.Holder("Ada Lovelace", user.email, user=user)] * OWN_TICKETS)
    with bulk_load.working(servers, "bulk"):
        wait_until(lambda: bulk_load.is_done(own[0].event), 120, "the holder's tickets ready")
    sign_in = urllib3.request(
        "POST",
        f"{base}/_allauth/app/v1/auth/login",
        json={"email": user.email, "password": PASSWORD},
        timeout=30,
        retries=False,
    )
    assert sign_in.status == 200, sign_in.data
    headers = {"X-Session-Token": json.loads(sign_in.data)["meta"]["session_token"]}
    return [f"{base}/api/events/ticket/{ticket.ticket_id}/" for ticket in own], headers


def _tell(figures: dict) -> None:  # type: ignore[type-arg]
    for name, row in {"alone": figures["alone"], **figures["during"]}.items():
        line = f"{name:10} p50 {row['p50']:7.2f} ms   p95 {row['p95']:7.2f} ms   p99 {row['p99']:7.2f} ms"
        if name != "alone":
            line += f"   {row['p99 against alone']:6.2f} times alone, {row['published a second']:.0f} tickets/s"
        say(line)
    say(f"wanted: at most {WANTED} times")


if __name__ == "__main__":
    sys.exit(main())
