"""Measure the API's latency while the tickets of a mass issue are made on the same machine, and while none are.

    python benchmarks/api_latency.py [--tickets 20000] [--rate 40] [--seconds 30] [--rounds 3] [--json FILE]

Granian, one bulk worker per core and PostgreSQL run as in docs/how-to/deploy.md, all on this machine. An open loop
requests `GET /api/events/ticket/{id}/` at a constant rate; a latency counts from the moment when its request was due.
Each round measures without bulk work, and then with a full queue and the bulk workers at normal priority (the peer), at
`nice -n 19`, and in a control group for idle time, as docs/how-to/from-one-machine-to-many.md recommends.
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
from harness import System, argument_parser, say, system, write  # first: it sets up Django
from open_loop import Latencies, measure
from priorities import Priority, idle_group
from tests.environment import free_port
from tests.factories import PASSWORD, make_event, make_user
from tests.workers import stop, wait_until

from apps.events import issuing

CORES = os.cpu_count() or 1
OWN_TICKETS = 50
MAX_RATIO = 2.0


def main() -> int:
    options = _options()
    with system() as servers, idle_group() as group, _web(servers) as base:
        if group is None:
            say("Creating a control group needs root, so the idle priority is not measured.")
        priorities = [priority for priority in Priority if priority is not Priority.IDLE or group is not None]
        urls, headers = _sign_in_holder(servers, base)
        measure(urls, headers, options.rate, 5)  # warm up
        alone = Latencies([])
        during = dict.fromkeys(priorities, Latencies([]))
        rates: dict[Priority, list[float]] = {priority: [] for priority in priorities}
        for round_ in range(options.rounds):
            alone += measure(urls, headers, options.rate, options.seconds)
            for priority in priorities:
                found, rate = _measure_bulk(servers, options, (urls, headers), priority, group)
                during[priority] += found
                rates[priority].append(rate)
            say(f"round {round_ + 1} done")
    figures = {
        "tickets": options.tickets,
        "requests per second": options.rate,
        "bulk workers": CORES,
        "alone": alone.figures(),
        "during": {
            priority: {
                **latencies.figures(),
                "p99 ratio": round(latencies.quantile(0.99) / alone.quantile(0.99), 2),
                "published per second": round(statistics.median(rates[priority]), 1),
            }
            for priority, latencies in during.items()
        },
    }
    _print_figures(figures)
    write(options.json, figures)
    best = min(row["p99 ratio"] for row in figures["during"].values())
    return int(best > MAX_RATIO)


def _measure_bulk(
    servers: System,
    options: argparse.Namespace,
    request: tuple[list[str], dict[str, str]],
    priority: Priority,
    group: Path | None,
) -> tuple[Latencies, float]:
    """Return the latencies while bulk tickets are made, and how many of those are made per second."""
    event = bulk_load.issue(options.tickets)
    with bulk_load.working(servers, "bulk", CORES, priority, group):
        bulk_load.wait_until_started(event)
        before, began = bulk_load.ready(event), time.monotonic()
        found = measure(*request, options.rate, options.seconds, lambda: not bulk_load.is_done(event))
        rate = (bulk_load.ready(event) - before) / (time.monotonic() - began)
    bulk_load.discard(event)
    return found, rate


def _options() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--tickets", type=int, default=20_000, help="in the queue when a measurement begins")
    parser.add_argument("--rate", type=float, default=40, help="requests per second")
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


@contextmanager
def _web(servers: System) -> Iterator[str]:
    """Start the web server as in docs/how-to/deploy.md, on a free port, and yield its URL."""
    port = free_port()
    command = f"--interface wsgi --host 127.0.0.1 --port {port} --workers 2 --blocking-threads 1"
    command += " --workers-kill-timeout 10 --log-level warning config.wsgi:application"
    process = bulk_load.start(servers, "granian", *command.split())
    base = f"http://localhost:{port}"
    try:
        wait_until(lambda: _answers(f"{base}/readyz"), 180, "the web server to respond")
        yield base
    finally:
        stop(process)


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=5, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _sign_in_holder(servers: System, base: str) -> tuple[list[str], dict[str, str]]:
    """Return the URLs of a holder's tickets, whose files are ready, and the headers of a signed-in app."""
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


def _print_figures(figures: dict) -> None:  # type: ignore[type-arg]
    for name, row in {"alone": figures["alone"], **figures["during"]}.items():
        line = f"{name:10} p50 {row['p50']:7.2f} ms   p95 {row['p95']:7.2f} ms   p99 {row['p99']:7.2f} ms"
        if name != "alone":
            line += f"   {row['p99 ratio']:6.2f} times alone, {row['published a second']:.0f} tickets/s"
        say(line)
    say(f"target: at most {MAX_RATIO} times")


if __name__ == "__main__":
    sys.exit(main())
