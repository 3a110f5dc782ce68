"""Run the benchmarks, store their figures and write the page about them: `make bench`.

    python benchmarks/run.py [NAME ...]      all take about half an hour; leave the machine idle meanwhile
    python benchmarks/run.py --report        only write the page, from the stored figures
    python benchmarks/run.py --quick         a small run to see that everything works; changes no file of the repository

Figures are stored in benchmarks/results/, with the machine, the date and the versions of the run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import report

HERE = Path(__file__).resolve().parent
PROGRAMS = {
    "render": ("render.py", "--rounds", "40"),
    "scanning": ("scanning.py",),
    "cloudlet": ("cloudlet_upload.py", "--uploads", "1000"),
    "cost": ("cost.py",),
    "publish": ("publish.py",),
    "migration": ("migration.py", "--tickets", "10000"),
    "latency": ("api_latency.py", "--seconds", "20"),
    "queues": ("queues.py", "--timeout-seconds", "30"),
    "chaos": ("chaos.py",),
}
QUICK = {
    "render": ("render.py", "--rounds", "3", "--seconds", "0.5"),
    "scanning": ("scanning.py", "--tickets", "2"),
    "cloudlet": ("cloudlet_upload.py", "--uploads", "50", "--rounds", "1"),
    "cost": ("cost.py", "--tickets", "10"),
    "publish": ("publish.py", "--tickets", "100", "--baseline-tickets", "3", "--runs", "1"),
    "migration": ("migration.py", "--tickets", "100"),
    "latency": ("api_latency.py", "--tickets", "500", "--rate", "5", "--seconds", "3", "--rounds", "1"),
    "queues": ("queues.py", "--tickets", "500", "--buyers", "2", "--timeout-seconds", "5"),
    "chaos": ("chaos.py", "--tickets", "50", "--minutes", "0.1"),
}
TIMEOUT_SECONDS = 3600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(PROGRAMS)}; all by default")
    parser.add_argument("--report", action="store_true", help="only write the page")
    parser.add_argument("--quick", action="store_true", help="a small run, into a temporary folder")
    options = parser.parse_args()
    if unknown := set(options.names) - PROGRAMS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(PROGRAMS)}")
    root = Path(tempfile.mkdtemp(prefix="admit-bench-")) if options.quick else report.ROOT
    programs = QUICK if options.quick else PROGRAMS
    names = [] if options.report else options.names or list(PROGRAMS)
    failed = [name for name in names if not _measure(name, programs[name], root / report.RESULTS)]
    print(f"Wrote {report.write(root)}.")
    if failed:
        print(f"Failed, or below the target: {', '.join(failed)} (see above).")
    return int(bool(failed))


def _measure(name: str, command: tuple[str, ...], results: Path) -> bool:
    """Run the program, store its figures if it wrote any, and return whether it reached its target."""
    program, *options = command
    print(f"\n== {name}: {' '.join(command)}", flush=True)
    described, began = machine.describe(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        run = [sys.executable, str(HERE / program), *options, "--json", str(figures)]
        done = subprocess.run(run, cwd=HERE.parent, timeout=TIMEOUT_SECONDS, check=False)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
        if figures.exists():
            stored = {"program": " ".join(command), **described, "figures": json.loads(figures.read_text())}
            results.mkdir(parents=True, exist_ok=True)
            (results / f"{name}.json").write_text(json.dumps(stored, indent=1) + "\n")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
