"""Writes docs/reference/benchmarks.md and its pictures from the figures in benchmarks/results/."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charts import Bar, bars

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("benchmarks") / "results"
PAGE = Path("docs") / "reference" / "benchmarks.md"
PICTURES = Path("docs") / "images" / "benchmarks"

HEAD = """# Benchmarks

<!-- Made by `make bench` (benchmarks/report.py) from benchmarks/results/. Edit those programs, not this page. -->

Each figure stands beside its peer, which was measured in the same run on the same machine: read the ratios, the rest
depends on the machine. `make bench` runs all programs and writes this page; `make bench BENCH="render publish"` runs
some, and `make bench BENCH=--report` none. Everything, storage and broker included, shares the cores of one machine.
"""
Figures = dict[str, Any]
Section = Callable[[Figures, Callable[[str, str], str]], Iterator[str]]


def write(root: Path = ROOT) -> Path:
    """The page and its pictures below `root`, for the programs that there are figures of. Answers where the page is."""
    for folder in (root / PICTURES, (root / PAGE).parent):
        folder.mkdir(parents=True, exist_ok=True)
    (root / PAGE).write_text(page(lambda name, svg: (root / PICTURES / f"{name}.svg").write_text(svg), root))
    return root / PAGE


def page(keep: Callable[[str, str], object], root: Path = ROOT) -> str:
    """The page's text. `keep` is given the name and the content of every picture."""
    parts = [HEAD]
    for name, (title, section) in SECTIONS.items():
        path = root / RESULTS / f"{name}.json"
        if not path.exists():
            continue
        kept = json.loads(path.read_text())

        def picture(caption: str, svg: str, name: str = name) -> str:
            keep(name, svg)
            return f"![{caption}](../images/benchmarks/{name}.svg)\n"

        parts += [f"\n## {title}\n", *section(kept["figures"], picture), _measured(kept)]
    return "\n".join(parts).rstrip() + "\n"


def _measured(kept: Figures) -> str:
    wanted = {"Python", "PostgreSQL", "RabbitMQ", "Django", "celery", "granian", "cloudinary"}
    versions = ", ".join(f"{name} {version}" for name, version in kept["versions"].items() if name in wanted)
    machine = f"{kept['cores']} cores of {kept['processor']}, {kept['memory GB']} GB, {kept['system']}"
    busy = kept["load when it began"]
    load = f", load {busy} when it began" if busy > kept["cores"] / 2 else ""
    return f"`benchmarks/{kept['program']}`, {kept['date']}: {machine}{load}; {versions}.\n"


def table(*rows: tuple[object, ...]) -> str:
    """A Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _render(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    names = {"Latin": "Latin name", "CJK": "Chinese name", "Devanagari": "Hindi name", "pkpass": "Apple pass"}
    baseline = f["baseline D: qrcode and ReportLab"]
    rows = [Bar("qrcode and ReportLab", baseline * 1000, ms(baseline), is_ours=False)]
    rows += [Bar(text, f[key] * 1000, f"{ms(f[key])}, {baseline / f[key]:.0f} times") for key, text in names.items()]
    yield "Signed code, PNG and PDF of one ticket, on one core; the peer draws a QR code and six lines of text.\n"
    yield picture("Milliseconds a ticket", bars("Milliseconds a ticket", rows))
    one, two, sizes = f["processes"]["one"], f["processes"]["two"], f["bytes"]
    yield table(
        ("", "ours", "peer"),
        ("PNG", f"{sizes['PNG']:,} bytes", f"{sizes['baseline PNG']:,} bytes"),
        ("PDF", f"{sizes['PDF']:,} bytes, with a cover", f"{sizes['baseline PDF']:,} bytes, without"),
        ("tickets a second, one process", f"{one:.0f}", f"{1 / baseline:.0f}"),
        ("tickets a second, two processes", f"{two:.0f} ({two / one:.2f} times)", ""),
    )


def _scanning(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    yield "Share of damaged codes that zxing-cpp reads, over eight steps from slight to severe damage of each kind.\n"
    rows = [(name, f"{rate['ours']:.0%}", f"{rate['baseline']:.0%}") for name, rate in f.items()]
    yield table(("damage", "ours", "qrcode, resized and compressed by a CDN"), *rows)


def _cloudlet(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    yield "Uploads of a 1 KB PNG by the official SDK; the peer is a bare endpoint that only reads the form.\n"
    ours, bare = f["cloudlet"], f["bare"]
    yield table(
        ("", "cloudlet", "bare endpoint"),
        ("one call", f"{ours['call ms']:.2f} ms", f"{bare['call ms']:.2f} ms"),
        (
            "uploads a second, 16 threads",
            f"{ours['uploads a second']:.0f} ({f['ratio']:.2f} of the peer)",
            f"{bare['uploads a second']:.0f}",
        ),
        ("start to first answer", f"{f['start s']:.2f} s", ""),
        ("peak memory, 100 MB up and down", f"{f['peak MB']:.0f} MB", ""),
    )


def _publish(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    yield (
        f"Tickets issued, rendered, uploaded and written down, end to end: PostgreSQL, RabbitMQ, {f['workers']} bulk "
        f"workers, storage {f['latency ms']} ms away. The peer makes one after another inside `save()`, over the SDK's "
        "own connection pool.\n"
    )
    ours, theirs, free = f["a second"], f["obvious a second"], f["without latency"]
    rows = [
        Bar("ours", ours, f"{ours:.0f}, {f['times faster']:.0f} times"),
        Bar("one after another", theirs, f"{theirs:.1f}", is_ours=False),
    ]
    yield picture("Tickets a second", bars("Tickets a second, end to end", rows))
    yield (
        f"Without latency: {free['a second']:.0f} a second, {free['CPU ms of workers']:.1f} ms of the workers' CPU a "
        f"ticket and {free['CPU ms of cloudlet']:.1f} ms of cloudlet's.\n"
    )


def _moving(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    ours, theirs = f["ours"], f["obvious"]
    yield (
        f"Tickets of the local storage moved to Cloudinary, {f['latency_ms']} ms away, {f['workers']} at once. Ours "
        "fetches both files back and scans the code before the row counts on them; the peer, a plain loop, verifies "
        "nothing.\n"
    )
    rows = [
        Bar("ours", ours["a second"], f"{ours['a second']:.0f}, {f['times faster']:.0f} times"),
        Bar("the obvious loop", theirs["a second"], f"{theirs['a second']:.1f}", is_ours=False),
    ]
    yield picture("Tickets moved a second", bars("Tickets moved a second", rows))
    yield table(
        ("", "ours", "the obvious loop"),
        ("CPU a ticket", f"{ours['cpu ms']:.1f} ms", f"{theirs['cpu ms']:.1f} ms"),
        ("peak memory", f"{ours['peak MB']:.0f} MB", f"{theirs['peak MB']:.0f} MB"),
    )


def _latency(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    yield (
        f"`GET /api/events/ticket/{{id}}/` by its holder, {f['requests a second']:.0f} times a second in an open loop, "
        f"while {f['tickets']:,} tickets of a crowd are in the queue and {f['bulk workers']} bulk workers make them on "
        "the same machine. [from-one-machine-to-many.md](../how-to/from-one-machine-to-many.md) says how to give those "
        "the priority of idle time, or `nice -n 19`; the peer is workers that are as important as everybody else.\n"
    )
    texts = {
        "idle": "workers in idle time only",
        "nice": "workers at nice -n 19",
        "ordinary": "workers like everybody else",
    }
    rows = {"no crowd": f["alone"]} | {text: f["during"][key] for key, text in texts.items() if key in f["during"]}
    bars_ = [Bar(text, row["p99"], f"{row['p99']:.1f} ms", text != texts["ordinary"]) for text, row in rows.items()]
    twice = 2 * f["alone"]["p99"]
    yield picture("99th percentile", bars("99th percentile, milliseconds", bars_, mark=(twice, "twice alone")))
    yield table(
        ("", "p50", "p95", "p99", "p99 against no crowd", "tickets a second"),
        *(
            (
                text,
                *(f"{row[share]:.1f} ms" for share in ("p50", "p95", "p99")),
                f"{row.get('p99 against alone', 1)} times",
                row.get("published a second", 0),
            )
            for text, row in rows.items()
        ),
    )


def _lanes(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    yield (
        f"How long one buyer after another waits for a ticket with {f['tickets']:,} tickets of a crowd in the queue. "
        "The peer has as many workers and one queue for all.\n"
    )
    yield table(
        ("", "median", "worst", "gave up waiting"),
        *(
            (
                name,
                f"{row['median s']:.1f} s",
                f"{row['worst s']:.1f} s",
                f"{row['not within patience']}, with {row['tickets left']:,} tickets still to make",
            )
            for name, row in ((name, f[name]) for name in ("lanes", "one queue"))
        ),
    )


def _cost(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    steps = f["a ticket"]
    columns = list(next(iter(steps.values())))
    yield "What one ticket costs on Cloudinary, as cloudlet counts it; the event has a cover.\n"
    rows = [(step, *(f"{value:,.0f}" for value in costs.values())) for step, costs in steps.items()]
    yield table(("", *columns), *rows)
    (name, spent), *_ = [(key, value) for key, value in f.items() if key.startswith("credits")]
    yield f"{name.capitalize()}: " + ", ".join(f"{part} {value:.1f}" for part, value in spent.items()) + ".\n"
    yield (
        "One credit is 1,000 transformations, 1 GB stored for a month, or 1 GB delivered; every upload counts as a "
        "transformation. The picture of the page is what the back office shows.\n"
    )


def _chaos(f: Figures, picture: Callable[[str, str], str]) -> Iterator[str]:
    yield (
        "Sellers, workers, storage and broker in processes of their own; a tenth of the uploads refused, a twentieth "
        "cut off after the file was written, an outage, workers and broker killed, people who change their minds. "
        "Afterwards every ticket and every file is looked at, by the doctor too.\n"
    )
    yield table(("", "number"), *sorted(f["done"].items()), *((f"uploads {k}", v) for k, v in f["uploads"].items()))
    yield f"Found wrong afterwards: **{f['findings']}**. Seed {f['seed']}, {f['broker']}, {f['seconds']:.0f} s.\n"


SECTIONS: dict[str, tuple[str, Section]] = {
    "render": ("Rendering", _render),
    "publish": ("Publishing, end to end", _publish),
    "latency": ("The API while a crowd's tickets are made", _latency),
    "lanes": ("A buyer behind a crowd", _lanes),
    "moving": ("Moving to Cloudinary", _moving),
    "cost": ("Cost", _cost),
    "chaos": ("Everything goes wrong at once", _chaos),
    "scanning": ("Scanning damaged codes", _scanning),
    "cloudlet": ("cloudlet", _cloudlet),
}
