"""Runs the benchmarks, keeps their figures and writes the page about them: `make bench`.

    python benchmarks/run.py [NAME ...]      all of them take about half an hour; leave the machine alone meanwhile
    python benchmarks/run.py --report        only the page, from the figures that are kept
    python benchmarks/run.py --quick         small, to see that everything runs; nothing in the repository is changed

Figures lie in benchmarks/results/, with the machine, the date and the versions that they were measured with.
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
    "moving": ("moving.py", "--tickets", "10000"),
    "latency": ("api_latency.py", "--seconds", "20"),
    "lanes": ("lanes.py", "--patience", "30"),
    "chaos": ("chaos.py",),
}
QUICK = {
    "render": ("render.py", "--rounds", "3", "--seconds", "0.5"),
    "scanning": ("scanning.py", "--tickets", "2"),
    "cloudlet": ("cloudlet_upload.py", "--uploads", "50", "--rounds", "1"),
    "cost": ("cost.py", "--tickets", "10"),
    "publish": ("publish.py", "--tickets", "100", "--obvious-tickets", "3", "--runs", "1"),
    "moving": ("moving.py", "--tickets", "100"),
    "latency": ("api_latency.py", "--tickets", "500", "--rate", "5", "--seconds", "3", "--rounds", "1"),
    "lanes": ("lanes.py", "--tickets", "500", "--buyers", "2", "--patience", "5"),
    "chaos": ("chaos.py", "--tickets", "50", "--minutes", "0.1"),
}
MOST_SECONDS = 3600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(PROGRAMS)}; all by default")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--quick", action="store_true", help="small, into a folder of its own")
    options = parser.parse_args()
    if unknown := set(options.names) - PROGRAMS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(PROGRAMS)}")
    root = Path(tempfile.mkdtemp(prefix="admit-bench-")) if options.quick else report.ROOT
    programs = QUICK if options.quick else PROGRAMS
    names = [] if options.report else options.names or list(PROGRAMS)
    missed = [name for name in names if not _measure(name, programs[name], root / report.RESULTS)]
    print(f"The page is {report.write(root)}.")
    if missed:
        print(f"Not as wanted: {', '.join(missed)} (see above).")
    return int(bool(missed))


def _measure(name: str, command: tuple[str, ...], results: Path) -> bool:
    """Whether the program got what it wants. Its figures are kept in any case, if it has any."""
    program, *options = command
    print(f"\n== {name}: {' '.join(command)}", flush=True)
    described, began = machine.described(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        run = [sys.executable, str(HERE / program), *options, "--json", str(figures)]
        done = subprocess.run(run, cwd=HERE.parent, timeout=MOST_SECONDS, check=False)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
        if figures.exists():
            kept = {"program": " ".join(command), **described, "figures": json.loads(figures.read_text())}
            results.mkdir(parents=True, exist_ok=True)
            (results / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
