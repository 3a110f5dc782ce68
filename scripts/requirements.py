"""Print backend/requirements.txt: what the backend and ticketkit need, from the pyproject.toml of each.

Ticketkit itself is not among them: pip reads a relative path against the current directory, so that no line would
work from everywhere.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Written by `make lock` from backend/pyproject.toml and ticketkit/pyproject.toml; change those instead.
# `pip install -r` works from any directory. `make setup` installs requirements.lock: exact versions, with hashes.
"""


def main() -> None:
    merged: dict[str, Requirement] = {}
    for project in ("backend", "ticketkit"):
        metadata = tomllib.loads((ROOT / project / "pyproject.toml").read_text("utf-8"))["project"]
        for requirement in map(Requirement, metadata["dependencies"]):
            known = merged.setdefault(canonicalize_name(requirement.name), requirement)
            known.extras |= requirement.extras
            known.specifier &= requirement.specifier
    sys.stdout.write(HEADER + "".join(f"{merged[name]}\n" for name in sorted(merged)))


if __name__ == "__main__":
    main()
