"""Find missing packages and say how to install them. Imports only the standard library."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv"  # where `make setup` installs

# Import name -> display name, which is the name on PyPI but for upper case.
REQUIRED = {
    "django": "Django",
    "environs": "environs",
    "celery": "celery",
    "cloudinary": "cloudinary",
    "PIL": "Pillow",
    "cryptography": "cryptography",
    "pypdfium2": "pypdfium2",
    "zxingcpp": "zxing-cpp",
    "uharfbuzz": "uharfbuzz",
    "isal": "isal",
    "fontTools": "fonttools",
    "babel": "Babel",
    "ticketkit": "ticketkit",
}
# Named by the mission document; tests and benchmarks compare tickets with what these draw, and nothing else needs them.
OPTIONAL = {"qrcode": "qrcode", "reportlab": "ReportLab"}


def missing_packages(venv: Path = VENV) -> list[str]:
    """Return one line for each package that is not installed, with the command that installs it.

    If `make setup` has made a virtual environment and another Python runs, return one line that names its Python.
    """
    missing = {module: name for module, name in REQUIRED.items() if importlib.util.find_spec(module) is None}
    python = venv / "bin" / "python"
    if missing and python.exists() and Path(sys.prefix).resolve() != venv.resolve():
        command = f"{os.path.relpath(python)} {sys.argv[0]}"
        return [f"⚠️ This Python lacks {len(missing)} packages that are in {venv.name}. Run it as: {command}"]
    return [_line(name) for name in missing.values()]


def missing_optional_packages() -> list[str]:
    """Return one line for every optional package that is not installed, saying how to install it."""
    return [_line(name) for module, name in OPTIONAL.items() if importlib.util.find_spec(module) is None]


def _line(name: str) -> str:
    # Its directory: the package index may have nothing of that name, or something else.
    target = f"--editable {os.path.relpath(ROOT / name)}" if name == "ticketkit" else name.lower()
    return f"⚠️ {name} not installed. Install with: pip install {target}"
