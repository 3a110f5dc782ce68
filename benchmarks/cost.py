"""Measure what a ticket costs on Cloudinary during its life: bytes, calls, transformations, credits.

    python benchmarks/cost.py [--tickets 200] [--json FILE]

Each ticket is issued, opened in the app (the QR code, the PDF and a picture of its page, 520 pixels wide, are fetched
once each), re-rendered, opened once more, and deleted. cloudlet counts: calls from its log, bytes sent and derived
files from its usage.

One credit is 1,000 transformations, 1 GB of storage for a month or 1 GB of bandwidth. Cloudinary counts every uploaded
picture or PDF as a transformation, and every derived file when it is made; delivering it again is free of
transformations. Uploads use no bandwidth, and authenticated calls of the Upload API have no quota.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import urllib3
from harness import System, argument_parser, say, system, write  # first: it sets up Django
from tests.factories import make_event, make_picture
from tests.storage_calls import StorageCalls

from apps.events import event_images, issuing
from apps.events.models import Event, EventImage, EventTicket
from apps.publishing import deletions, pipeline, requests
from apps.storage import gateway

GB = 2**30
SUMMARY_TICKETS = 10_000


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--tickets", type=int, default=200)
    options = parser.parse_args()
    number = options.tickets
    with system("redis") as servers, StorageCalls(servers.cloudlet).watching() as calls:
        event = make_event()
        event_images.save_event_image(event, EventImage.Kind.COVER, make_picture(1600, 800))
        steps = _measure_steps(servers, calls, event, number)
    figures = {"tickets": number, "per ticket": steps, f"credits for {SUMMARY_TICKETS:,} tickets": _credits(steps)}
    _print_figures(figures, steps)
    write(options.json, figures)
    return 0


def _measure_steps(servers: System, calls: StorageCalls, event: Event, number: int) -> dict[str, dict[str, float]]:
    """Return the average cost per ticket of each step of its life."""
    issued = [issuing.Holder(name=f"Guest {n}") for n in range(number)]
    steps: dict[str, Any] = {
        "issued": lambda: pipeline.publish_many([t.pk for t in issuing.issue_many(event, issued)], seconds=3600),
        "opened": lambda: _open(event),
        "re-rendered": lambda: _rerender(event),
        "opened again": lambda: _open(event),
        "deleted": lambda: (event.tickets.all().delete(), deletions.delete_due(limit=10 * number)),
    }
    costs = {}
    before = _usage(servers)
    for name, do in steps.items():
        calls.counts.clear()
        do()
        calls.fetch()
        after = _usage(servers)
        costs[name] = {
            "uploads": calls.total("upload") / number,
            "deletions": calls.total("destroy") / number,
            "deliveries": calls.total("delivery") / number,
            "derived": max(0, after["derived"] - before["derived"]) / number,
            "bytes stored": (after["storage"] - before["storage"]) / number,
            "bytes sent": _bytes_sent(before, after) / number if "opened" in name else 0.0,
        }
        before = after
    assert not calls.missed, "cloudlet dropped calls from its log before they were counted"
    assert after["resources"] == 0, "files were left on storage"
    return costs


def _open(event: Event) -> None:
    """Fetch the files of each ticket once, like an app with a cache."""
    urls = []
    for ticket in event.tickets.all():
        assert ticket.state == EventTicket.State.READY
        pdf = (gateway.PDF_TICKET, ticket.pdf_ticket_cloudinary_id, ticket.pdf_ticket_version)
        urls += [
            gateway.delivery_url(gateway.QR_CODE, ticket.qr_code_cloudinary_id, ticket.qr_code_version),
            gateway.delivery_url(*pdf),
            gateway.delivery_url(*pdf, transformation="w_520", page=True),
        ]
    pool = urllib3.PoolManager(maxsize=gateway.limiter.maximum, timeout=60, retries=False)
    for answer in gateway.executor().map(lambda url: pool.request("GET", url), urls):
        assert answer.status == 200, answer.headers


def _rerender(event: Event) -> None:
    requests.rerender_many(event.tickets.all())
    pipeline.publish_many(list(event.tickets.values_list("pk", flat=True)), seconds=3600)


def _usage(servers: System) -> dict[str, int]:
    server = servers.cloudlet
    answer = urllib3.request(
        "GET",
        f"{server.url}/v1_1/{server.cloud_name}/usage",
        headers=urllib3.make_headers(basic_auth=f"{server.api_key}:{server.api_secret}"),
        timeout=20,
    ).json()
    return {
        "storage": answer["storage"]["usage"],
        "bandwidth": answer["bandwidth"]["usage"],
        "derived": answer["derived_resources"],
        "resources": answer["resources"],
    }


def _bytes_sent(before: dict[str, int], after: dict[str, int]) -> int:
    return after["bandwidth"] - before["bandwidth"]


def _credits(steps: dict[str, dict[str, float]]) -> dict[str, float]:
    total = Counter[str]()
    for step in steps.values():
        total.update(step)
    stored = sum(step["bytes stored"] for name, step in steps.items() if name in ("issued", "opened"))
    credits_ = {
        "transformations": SUMMARY_TICKETS * (total["uploads"] + total["derived"]) / 1000,
        "storage for a month": SUMMARY_TICKETS * stored / GB,
        "bandwidth": SUMMARY_TICKETS * total["bytes sent"] / GB,
    }
    return {name: round(value, 2) for name, value in credits_.items()} | {"total": round(sum(credits_.values()), 2)}


def _print_figures(figures: dict[str, Any], steps: dict[str, dict[str, float]]) -> None:
    columns = list(steps["issued"])
    say(f"{'per ticket':14}" + "".join(f"{column:>14}" for column in columns))
    for name, step in steps.items():
        say(f"{name:14}" + "".join(f"{step[column]:14,.1f}" for column in columns))
    key = f"credits for {SUMMARY_TICKETS:,} tickets"
    say(f"{key}: " + ", ".join(f"{name} {value}" for name, value in figures[key].items()))


if __name__ == "__main__":
    sys.exit(main())
