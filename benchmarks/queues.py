"""Measure how long a buyer waits for a ticket while a mass issue is queued: with separate queues, and with one queue.

    python benchmarks/queues.py [--tickets 20000] [--buyers 10] [--timeout-seconds 60] [--json FILE]

Separate queues: one interactive worker, and one bulk worker per core. The peer has a single queue and as many workers
as both together; the buyers' tickets join the bulk queue. A time is from the commit until the ticket is ready.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from unittest import mock

import bulk_load
from harness import argument_parser, say, system, write  # first: it sets up Django
from priorities import Priority
from tests.factories import make_ticket

from apps.core.jobs import dispatch
from apps.events.models import EventTicket


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--tickets", type=int, default=20_000, help="of the mass issue")
    parser.add_argument("--buyers", type=int, default=10, help="one after another")
    parser.add_argument("--timeout-seconds", type=float, default=60, help="the longest that a buyer waits")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    figures: dict[str, object] = {"tickets": options.tickets}
    with system() as servers:
        for name, is_single in (("separate queues", False), ("single queue", True)):
            event = bulk_load.issue(options.tickets)
            with contextlib.ExitStack() as stack:
                stack.enter_context(bulk_load.working(servers, "bulk", cores + is_single, Priority.NICE))
                if is_single:
                    stack.enter_context(mock.patch.object(dispatch, "INTERACTIVE", dispatch.BULK))
                else:
                    stack.enter_context(bulk_load.working(servers, "interactive"))
                bulk_load.wait_until_started(event)
                waits = list(_buy(options.buyers, options.timeout_seconds))
                left = options.tickets - bulk_load.ready(event)
            bulk_load.discard(event)
            timeouts = sum(wait >= options.timeout_seconds for wait in waits)
            figures[name] = {
                "median s": round(statistics.median(waits), 2),
                "worst s": round(max(waits), 2),
                "timeouts": timeouts,
                "tickets left": left,
            }
            times = f"median {statistics.median(waits):6.2f} s, worst {max(waits):6.2f} s"
            say(f"{name:15} {times}, {timeouts} of {len(waits)} timed out; {left} bulk tickets left")
    write(options.json, figures)
    return 0


def _buy(buyers: int, timeout_seconds: float) -> Iterator[float]:
    """Yield the seconds that each buyer waited. Stop after the first timeout."""
    for _ in range(buyers):
        ticket = make_ticket()
        began = time.monotonic()
        row = EventTicket.objects.filter(pk=ticket.pk, state=EventTicket.State.READY)
        while not (is_ready := row.exists()) and time.monotonic() - began < timeout_seconds:
            time.sleep(0.02)
        yield time.monotonic() - began
        if not is_ready:
            return


if __name__ == "__main__":
    sys.exit(main())
