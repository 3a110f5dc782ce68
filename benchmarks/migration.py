"""Measure speed and memory of the migration to Cloudinary, compared with a simple loop in the same run.

    python benchmarks/migration.py [--tickets 2000] [--latency 100] [--workers 64] [--json figures.json]

Both migrate tickets with local files to a cloudlet that responds to every call after `--latency` milliseconds. The
simple loop takes one ticket after the other: a picture with qrcode, a PDF with ReportLab, two uploads over the SDK's
own connection pool, save the row. It verifies nothing; our time includes fetching both files back and scanning the
code. The loop's rate does not depend on the number of tickets, so it migrates a fiftieth of them. Each runs in its own
process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "backend")]

from cloudlet.testing import RunningCloudlet, running_cloudlet  # noqa: E402

BASELINE_SHARE = 50


def main() -> None:
    options = _options()
    if options.worker:
        print(json.dumps(WORKERS[options.worker](options.tickets, options.workers)))
        return
    figures: dict[str, Any] = {"tickets": options.tickets, "latency ms": options.latency, "workers": options.workers}
    for name, number in (("baseline", max(20, options.tickets // BASELINE_SHARE)), ("ours", options.tickets)):
        with tempfile.TemporaryDirectory() as folder, _cloudlet(folder, options.latency) as server:
            figures[name] = _in_a_process(name, number, options.workers, folder, server)
    figures["times faster"] = figures["ours"]["per second"] / figures["baseline"]["per second"]
    print(f"{'':12}{'tickets':>9}{'per second':>12}{'CPU ms each':>13}{'peak MB':>9}")
    for name in ("baseline", "ours"):
        row = figures[name]
        numbers = f"{row['tickets']:>9}{row['per second']:>12.1f}{row['cpu ms']:>13.1f}{row['peak MB']:>9.0f}"
        print(f"{name:12}{numbers}")
    print(f"{figures['times faster']:.1f} times the simple loop, verification included (target: 20)")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


@contextmanager
def _cloudlet(folder: str, latency: int) -> Iterator[RunningCloudlet]:
    fault = ["--fault", f"*:latency,ms={latency}"] if latency else []
    with running_cloudlet(cloud_name="bench", data=Path(folder) / "cloudlet", options=fault) as server:
        yield server


def _in_a_process(name: str, tickets: int, workers: int, folder: str, server: RunningCloudlet) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CLOUDINARY")}
    environment |= {
        "ADMIT_ENV_FILE": os.devnull,
        "ADMIT_VAR_DIR": folder,
        "SECRET_KEY": "benchmark-" * 5,
        "LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "CLOUDINARY_CLOUD_NAME": server.cloud_name,
        "CLOUDINARY_API_KEY": server.api_key,
        "CLOUDINARY_API_SECRET": server.api_secret,
        "CLOUDINARY_UPLOAD_PREFIX": server.url,
    }
    command = [sys.executable, __file__, "--worker", name, "--tickets", str(tickets), "--workers", str(workers)]
    figures: dict[str, Any] = json.loads(subprocess.check_output(command, env=environment, text=True))
    return figures


def _fill(tickets: int) -> None:
    """Create a database with tickets from before Cloudinary, and their local files."""
    import uuid

    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.utils import timezone

    from apps.accounts.models import Organiser
    from apps.events.models import Event, EventTicket
    from ticketkit import render_qr_png

    call_command("migrate", verbosity=0)
    organiser = Organiser.objects.create(name="Night Shift Concerts")
    event = Event.objects.create(organiser=organiser, title="Concert Night", starts_at=timezone.now(), venue="Old Mill")
    folder = Path(settings.MEDIA_ROOT) / "qr_codes"
    folder.mkdir(parents=True)
    rows = []
    for number in range(tickets):
        ticket_id = uuid.uuid4()
        (folder / f"ticket_{ticket_id}.png").write_bytes(render_qr_png(str(ticket_id)))
        name = f"qr_codes/ticket_{ticket_id}.png"
        old: dict[str, Any] = {"next_attempt_at": None, "qr_code": name}
        rows.append(EventTicket(ticket_id=ticket_id, event=event, holder_name=f"Guest {number}", **old))
    EventTicket.objects.bulk_create(rows, batch_size=500)


def _measured(tickets: int, began: float, cpu: float) -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "tickets": tickets,
        "per second": tickets / (time.perf_counter() - began),
        "cpu ms": 1000 * (time.process_time() - cpu) / tickets,
        "peak MB": used.ru_maxrss / 1024,
    }


def _ours(tickets: int, workers: int) -> dict[str, Any]:
    _fill(tickets)
    from apps.local_migration.importer import import_all
    from apps.local_migration.plans import Outcome, Selection

    began, cpu = time.perf_counter(), time.process_time()
    imported = sum(result.outcome is Outcome.IMPORTED for result in import_all(Selection(), workers))
    assert imported == tickets, f"only {imported} of {tickets} tickets were imported"
    return _measured(tickets, began, cpu)


def _baseline(tickets: int, workers: int) -> dict[str, Any]:
    _fill(tickets)
    import cloudinary
    import cloudinary.uploader
    from django.conf import settings

    from apps.events.models import EventTicket
    from benchmarks.render_baseline import baseline_ticket

    account = settings.CLOUDINARY_ACCOUNT
    cloudinary.uploader._http = cloudinary.utils.get_http_connector(cloudinary.config(), cloudinary.CERT_KWARGS)
    keys = {"cloud_name": account.cloud_name, "api_key": account.api_key, "api_secret": account.api_secret}
    cloudinary.config(**keys, upload_prefix=account.upload_prefix)
    began, cpu = time.perf_counter(), time.process_time()
    for ticket in EventTicket.objects.all():
        png, pdf = baseline_ticket(str(ticket.ticket_id), [ticket.event.title, ticket.holder_name])
        location = f"{ticket.event_id}/ticket_{ticket.ticket_id}"
        stored = [
            cloudinary.uploader.upload(content, public_id=f"tickets/{folder}/{location}", overwrite=True)
            for folder, content in (("qr_codes", png), ("pdf", pdf))
        ]
        ticket.qr_code_cloudinary_id, ticket.pdf_ticket_cloudinary_id = (answer["public_id"] for answer in stored)
        ticket.save()
    return _measured(tickets, began, cpu)


WORKERS = {"ours": _ours, "baseline": _baseline}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=2000)
    parser.add_argument("--latency", type=int, default=100, help="of every call to storage, in milliseconds")
    parser.add_argument("--workers", type=int, default=64, help="concurrent calls; the default is that of the command")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
