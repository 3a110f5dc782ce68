"""How long one buyer waits for a ticket while a crowd's are in the queue, with lanes of their own and in one queue.

    python benchmarks/lanes.py [--tickets 20000] [--buyers 10] [--patience 60] [--json FILE]

With lanes: one interactive worker and one bulk worker a core. The peer, a single queue: as many workers as both
together, on the bulk queue, to which the buyers' tickets go as well. A time is from the commit to the ticket ready.
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
from harness import parser, say, system, write  # first: it reads the settings
from priorities import Priority
from tests.factories import make_ticket

from apps.core.jobs import dispatch
from apps.events.models import EventTicket


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--tickets", type=int, default=20_000, help="in the queue when the buyers come")
    made.add_argument("--buyers", type=int, default=10, help="one after another")
    made.add_argument("--patience", type=float, default=60, help="seconds after which a buyer is counted as waiting")
    options = made.parse_args()
    cores = os.cpu_count() or 1
    figures: dict[str, object] = {"tickets": options.tickets}
    with system() as servers:
        for name, one_queue in (("lanes", False), ("one queue", True)):
            event = bulk_load.issue(options.tickets)
            with contextlib.ExitStack() as stack:
                stack.enter_context(bulk_load.working(servers, "bulk", cores + one_queue, Priority.NICE))
                if one_queue:
                    stack.enter_context(mock.patch.object(dispatch, "INTERACTIVE", dispatch.BULK))
                else:
                    stack.enter_context(bulk_load.working(servers, "interactive"))
                bulk_load.under_way(event)
                waits = list(_buy(options.buyers, options.patience))
                left = options.tickets - bulk_load.ready(event)
            bulk_load.forget(event)
            late = sum(wait >= options.patience for wait in waits)
            figures[name] = {
                "median s": round(statistics.median(waits), 2),
                "worst s": round(max(waits), 2),
                "not within patience": late,
                "tickets left": left,
            }
            times = f"median {statistics.median(waits):6.2f} s, worst {max(waits):6.2f} s"
            say(f"{name:10} {times}, {late} of {len(waits)} gave up; {left} of the crowd's tickets still to make")
    write(options.json, figures)
    return 0


def _buy(buyers: int, patience: float) -> Iterator[float]:
    """Seconds that each buyer waited; the first who loses patience ends it."""
    for _ in range(buyers):
        ticket = make_ticket()
        began = time.monotonic()
        row = EventTicket.objects.filter(pk=ticket.pk, state=EventTicket.State.READY)
        while not (is_ready := row.exists()) and time.monotonic() - began < patience:
            time.sleep(0.02)
        yield time.monotonic() - began
        if not is_ready:
            return


if __name__ == "__main__":
    sys.exit(main())
