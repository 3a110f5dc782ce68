"""Describe the machine and the versions that figures were measured with. Imports nothing of the project."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = ("Django", "celery", "granian", "cloudinary", "psycopg", "qrcode", "reportlab", "starlette")
SERVERS = {"PostgreSQL": ["psql", "--version"], "RabbitMQ": ["rabbitmqctl", "version"]}


def describe() -> dict[str, object]:
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": _line("/proc/cpuinfo", "model name").partition(":")[2].strip() or platform.machine(),
        "cores": os.cpu_count(),
        "memory GB": round(int(_line("/proc/meminfo", "MemTotal").split()[1]) / 2**20),
        "system": f"Linux {platform.release().split('-')[0]}",
        "load when it began": round(os.getloadavg()[0], 1),
        "versions": {"Python": platform.python_version(), **versions, **_servers()},
    }


def _line(path: str, beginning: str) -> str:
    return next((line for line in Path(path).read_text().splitlines() if line.startswith(beginning)), "x: 0 0")


def _servers() -> dict[str, str]:
    found = {}
    for name, command in SERVERS.items():
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.split()
            found[name] = next((word for word in said if word[0].isdigit()), "?")
    return found
