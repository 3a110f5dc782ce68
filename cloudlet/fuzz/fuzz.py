"""Fuzz the parsers that read untrusted input, guided by coverage.

    pip install atheris
    python fuzz/fuzz.py url --seconds 60

The targets are those of targets.py: transformation, url, multipart, picture and pumped. Ends with 0 when nothing was
found in that time. Otherwise libFuzzer prints the traceback and leaves the input in `crash-*`: run the same command
with that file appended to see it again, and add its bytes to the corpus with the fix. `--grow` adds inputs that reach
new code to the corpus.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloudlet", "python_multipart", "targets"]):
    from targets import TARGETS, bounded_target, read_corpus, write_corpus

MAX_KEPT_BYTES = 200  # people read the corpus too


def fuzz(name: str, folder: Path, arguments: list[str]) -> None:
    """Run libFuzzer, which ends the process."""
    with bounded_target(name, folder) as target:
        atheris.Setup([sys.argv[0], "-max_len=2048", "-timeout=20", *arguments], target)
        atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--grow", action="store_true", help="add short inputs that reach new code to the corpus")
    parser.add_argument("input", nargs="*", help="files to run once instead of fuzzing")
    arguments = parser.parse_args()
    name = arguments.target
    with tempfile.TemporaryDirectory(prefix="cloudlet-fuzz-") as folder:
        data, corpus = Path(folder, "data"), Path(folder, "corpus")
        corpus.mkdir()
        for number, kept in enumerate(read_corpus(name)):
            (corpus / str(number)).write_bytes(kept)
        options = arguments.input or [f"-max_total_time={arguments.seconds}", str(corpus)]
        child = os.fork()
        if child == 0:
            fuzz(name, data, options)
        _, status = os.waitpid(child, 0)
        if arguments.grow:
            found = {path.read_bytes() for path in corpus.iterdir() if path.stat().st_size <= MAX_KEPT_BYTES}
            write_corpus(name, found.union(read_corpus(name)))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
