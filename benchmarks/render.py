"""Measure how fast tickets are rendered, as a multiple of a simple implementation in the same, interleaved run.

    python benchmarks/render.py [--rounds 60] [--seconds 3] [--json figures.json]

Times are medians of wall-clock time on one core. Milliseconds depend on the machine and its load; read the ratios.
Every ticket has a different holder, id and code, and its time includes signing the code.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.render_baseline import baseline_ticket  # noqa: E402
from benchmarks.render_samples import GIVEN_NAMES, sample_apple_credentials, sample_event, sample_tickets  # noqa: E402
from ticketkit import (  # noqa: E402
    ApplePassTemplate,
    EventTemplate,
    KeyRing,
    SigningKey,
    TicketDetails,
)

BASELINE = "baseline: qrcode and ReportLab"
KEYS = KeyRing(SigningKey(1, bytes(range(32))))
# How many times faster than the baseline each job must be, and should be.
TARGETS = {
    "Latin": ("signed code, PNG and PDF, Latin name", 30, 50),
    "CJK": ("signed code, PNG and PDF, CJK name", 15, 30),
    "Devanagari": ("signed code, PNG and PDF, Devanagari name", 15, 30),
    "pkpass": ("signed code and Apple pass", 10, 15),
}
STARTUP = """
import time
begin = time.perf_counter()
from ticketkit import render_qr_png
render_qr_png("AD1:" + "0" * 131)
print(time.perf_counter() - begin)
"""


def main() -> None:
    options = _options()
    if options.worker:
        print(_tickets_in(options.worker))
        return
    event = sample_event()
    figures = {
        **_medians(options.rounds),
        "template build": _median_of(lambda: EventTemplate(event), 9),
        "import and tables": median(float(_python("-c", STARTUP)) for _ in range(5)),
        "processes": _scaling(options.seconds),
        "bytes": _sizes(),
    }
    _print(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of the interleaved run")
    parser.add_argument("--seconds", type=float, default=3, help="length of each measurement of one and two processes")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _medians(rounds: int) -> dict[str, float]:
    """Return the median seconds per ticket of each job. Each round runs every job some times."""
    baseline = sample_tickets("Latin", KEYS)
    jobs: dict[str, tuple[int, Callable[[], object]]] = {BASELINE: (1, lambda: _baseline(next(baseline)))}
    template = EventTemplate(sample_event())
    for script in GIVEN_NAMES:
        jobs[script] = (10, _renderer(template, sample_tickets(script, KEYS)))
    jobs["pkpass"] = (5, _renderer(ApplePassTemplate(sample_event(), sample_apple_credentials()), baseline))
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (repeats, job) in jobs.items():
            times[name] += [_time(job) for _ in range(repeats)]
    return {name: median(values) for name, values in times.items()}


def _renderer(template: EventTemplate | ApplePassTemplate, tickets: Iterator[TicketDetails]) -> Callable[[], object]:
    return lambda: template.render(next(tickets))


def _baseline(ticket: TicketDetails) -> tuple[bytes, bytes]:
    lines = [
        "Concert Night",
        "2026-06-20 19:30",
        "Teatro Municipal",
        ticket.holder,
        ticket.ticket_type,
        ticket.ticket_id,
    ]
    return baseline_ticket(ticket.code, lines)


def _scaling(seconds: float) -> dict[str, float]:
    """Return the tickets per second of one process, and of two at the same time: medians of three measurements."""
    rates: dict[str, list[float]] = {"one": [], "two": []}
    for _ in range(3):
        rates["one"].append(_throughput(1, seconds))
        rates["two"].append(_throughput(2, seconds))
    return {name: median(values) for name, values in rates.items()}


def _throughput(processes: int, seconds: float) -> float:
    command = [sys.executable, __file__, "--worker", str(seconds)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(float(worker.communicate()[0]) for worker in workers)


def _tickets_in(seconds: float) -> float:
    """Render for some seconds with warm caches, and return the tickets per second."""
    render = _renderer(EventTemplate(sample_event()), sample_tickets("Latin", KEYS))
    for _ in range(200):
        render()
    begin = time.perf_counter()
    made = 0
    while time.perf_counter() - begin < seconds:
        render()
        made += 1
    return made / (time.perf_counter() - begin)


def _sizes() -> dict[str, int]:
    ticket = next(sample_tickets("Latin", KEYS))
    rendered = EventTemplate(sample_event()).render(ticket)
    png, pdf = _baseline(ticket)
    return {"PNG": len(rendered.qr_png), "PDF": len(rendered.pdf), "baseline PNG": len(png), "baseline PDF": len(pdf)}


def _median_of(job: Callable[[], object], repeats: int) -> float:
    return median(_time(job) for _ in range(repeats))


def _time(job: Callable[[], object]) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def _python(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout


def _print(figures: dict[str, Any]) -> None:
    baseline = figures[BASELINE]
    print(f"{BASELINE:<44}{1000 * baseline:9.2f} ms")
    for key, (name, must, aim) in TARGETS.items():
        ratio = baseline / figures[key]
        print(f"{name:<44}{1000 * figures[key]:9.3f} ms{ratio:7.1f} x faster (must {must}, aim {aim})")
    for name, must, aim in (("template build", 150, 60), ("import and tables", 200, 50)):
        print(f"{name:<44}{1000 * figures[name]:9.0f} ms      (must {must}, aim {aim})")
    one, two = figures["processes"]["one"], figures["processes"]["two"]
    print(f"{'two processes against one':<44}{two:9.0f} tickets/s, {two / one:.2f} x {one:.0f} (must 1.9)")
    print("bytes per ticket: " + ", ".join(f"{name} {size:,}" for name, size in figures["bytes"].items()))


if __name__ == "__main__":
    main()
