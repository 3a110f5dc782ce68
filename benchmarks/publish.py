"""Measure how many tickets are published per second, end to end, compared with a simple implementation.

    python benchmarks/publish.py [--tickets 2000] [--latency 100] [--runs 3] [--workers 2]

Both use the same cloudlet, which responds after the latency, and the same PostgreSQL. Ours: real workers on RabbitMQ,
timed from before the tickets are issued until the last one is ready. The baseline does what the mission document
describes in the simplest way: one ticket after another inside `save()`, QR code by `qrcode`, PDF by ReportLab's
`drawString`, each uploaded by the unmodified SDK, with its pool of one connection.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "backend"))
os.environ.setdefault("TEST_DATABASE", "postgres")

import django
import tests.environment  # noqa: F401 # before Django reads its settings

django.setup()

import cloudinary.uploader  # noqa: E402
import qrcode  # noqa: E402
import urllib3  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from reportlab.lib.pagesizes import A4  # noqa: E402
from reportlab.pdfgen import canvas  # noqa: E402
from tests.brokers import running_rabbitmq  # noqa: E402
from tests.factories import make_event  # noqa: E402
from tests.workers import sending_to, set_faults, start_worker, stop, wait_until  # noqa: E402

from apps.events import issuing  # noqa: E402
from apps.events.issuing import Holder  # noqa: E402
from apps.events.models import Event, EventTicket  # noqa: E402
from apps.storage import gateway  # noqa: E402
from cloudlet.testing import RunningCloudlet, running_cloudlet  # noqa: E402


def baseline(event: Event, number: int) -> float:
    """Return the seconds that the simple implementation takes for `number` tickets."""
    narrow = urllib3.PoolManager(**cloudinary.CERT_KWARGS)  # as the SDK creates it
    ours, cloudinary.uploader._http = cloudinary.uploader._http, narrow
    began = time.perf_counter()
    for n in range(number):
        ticket = EventTicket(event=event, holder_name=f"Guest {n}", next_attempt_at=None)
        ticket.save()
        for kind, content in ((gateway.QR_CODE, _baseline_png(ticket)), (gateway.PDF_TICKET, _baseline_pdf(ticket))):
            answer = cloudinary.uploader.upload(
                io.BytesIO(content),
                public_id=kind.public_id(event.pk, ticket.ticket_id),
                type="authenticated",
                overwrite=True,
                **gateway._account(),
            )
            setattr(ticket, f"{kind.name}_cloudinary_id", answer["public_id"])
            ticket.save()
    took = time.perf_counter() - began
    cloudinary.uploader._http = ours
    return took


def _baseline_png(ticket: EventTicket) -> bytes:
    buffer = io.BytesIO()
    qrcode.make(str(ticket.ticket_id)).save(buffer)
    return buffer.getvalue()


def _baseline_pdf(ticket: EventTicket) -> bytes:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=A4)
    for line, text in enumerate((ticket.event.title, str(ticket.event.starts_at), ticket.holder_name, "1", "", "")):
        page.drawString(72, 750 - 20 * line, text)
    page.save()
    return buffer.getvalue()


def ours(event: Event, number: int) -> float:
    """Return the seconds from before issuing until every ticket is ready. The workers run already."""
    began = time.perf_counter()
    issuing.issue_many(event, [Holder(name=f"Guest {n}") for n in range(number)])
    pending = EventTicket.objects.filter(event=event).exclude(state=EventTicket.State.READY)
    wait_until(lambda: not pending.exists(), 600, "all tickets ready")
    return time.perf_counter() - began


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process and its current children."""
    total = 0.0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for member in (str(pid), *children):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=2000)
    parser.add_argument("--baseline-tickets", type=int, default=40)
    parser.add_argument("--latency", type=int, default=100, help="of every upload, in milliseconds")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    account = settings.CLOUDINARY_ACCOUNT
    with ExitStack() as stack:
        name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
        stack.callback(connection.creation.destroy_test_db, settings.DATABASES["default"]["NAME"], 0)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(
            running_cloudlet(
                cloud_name=account.cloud_name,
                api_key=account.api_key,
                api_secret=account.api_secret,
                options=["--port", str(settings.CLOUDLET_PORT)],
            )
        )
        broker = stack.enter_context(running_rabbitmq(folder))
        stack.enter_context(sending_to(broker))
        print(f"database {name}, {options.workers} bulk workers, all on one machine with {os.cpu_count()} cores")
        workers = [start_worker(broker, "bulk") for _ in range(options.workers)]
        stack.callback(lambda: [stop(worker) for worker in workers])
        ours(make_event(), 200)  # warm up
        figures = _compare(server, [worker.pid for worker in workers], options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _compare(server: RunningCloudlet, worker_pids: list[int], options: argparse.Namespace) -> dict[str, Any]:
    set_faults(server, [{"call": "upload", "kind": "latency", "ms": options.latency}])
    ratios, rates, theirs_rates = [], [], []
    for run in range(options.runs):
        mine = ours(make_event(), options.tickets) / options.tickets
        theirs = baseline(make_event(), options.baseline_tickets) / options.baseline_tickets
        ratios.append(theirs / mine)
        rates.append(1 / mine)
        theirs_rates.append(1 / theirs)
        print(f"run {run + 1}: {1 / mine:7.1f} tickets/s, baseline {1 / theirs:5.2f}, ratio {ratios[-1]:.1f}")
    rate, ratio = statistics.median(rates), statistics.median(ratios)
    print(f"median, {options.latency} ms latency: {rate:.1f} tickets/s, ratio {ratio:.1f}")
    set_faults(server, [])
    watched = (*worker_pids, server.process.pid)
    before = [cpu_seconds(pid) for pid in watched]
    seconds = ours(make_event(), options.tickets)
    spent = [cpu_seconds(pid) - then for pid, then in zip(watched, before, strict=True)]
    workers_ms, cloudlet_ms = (cpu / options.tickets * 1000 for cpu in (sum(spent[:-1]), spent[-1]))
    print(
        f"no latency: {options.tickets / seconds:.1f} tickets/s; CPU per ticket: workers "
        f"{workers_ms:.2f} ms, cloudlet {cloudlet_ms:.2f} ms"
    )
    return {
        "tickets": options.tickets,
        "workers": options.workers,
        "latency ms": options.latency,
        "per second": rate,
        "baseline per second": statistics.median(theirs_rates),
        "times faster": ratio,
        "without latency": {
            "per second": options.tickets / seconds,
            "CPU ms of workers": workers_ms,
            "CPU ms of cloudlet": cloudlet_ms,
        },
    }


if __name__ == "__main__":
    main()
