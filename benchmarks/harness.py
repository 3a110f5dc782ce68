"""Start PostgreSQL, cloudlet and a broker for a benchmark of the whole system, and write its figures.

Import this module first: it sets up Django.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "backend")]
os.environ.setdefault("TEST_DATABASE", "postgres")
os.environ.setdefault("LOG_LEVEL", "ERROR")

import django  # noqa: E402
import tests.environment  # noqa: E402, F401 # before Django reads its settings

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from tests import brokers  # noqa: E402
from tests.workers import sending_to  # noqa: E402

from cloudlet.testing import RunningCloudlet, running_cloudlet  # noqa: E402


@dataclass(frozen=True, slots=True)
class System:
    """The servers of one benchmark. They are stopped when it ends."""

    cloudlet: RunningCloudlet
    broker: brokers.Broker
    folder: Path


@contextlib.contextmanager
def system(broker: str = "rabbitmq") -> Iterator[System]:
    """Start the servers. PostgreSQL is the server of `TEST_POSTGRES_URL`, by default one on this machine."""
    account = settings.CLOUDINARY_ACCOUNT
    options = ["--port", str(settings.CLOUDLET_PORT)]
    credentials = {"cloud_name": account.cloud_name, "api_key": account.api_key, "api_secret": account.api_secret}
    connection.settings_dict["TEST"]["NAME"] = f"admit_bench_{os.getpid()}"
    with contextlib.ExitStack() as stack:
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        stack.callback(connection.creation.destroy_test_db, settings.DATABASES["default"]["NAME"], 0)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="admit-bench-")))
        cloudlet = stack.enter_context(running_cloudlet(**credentials, options=options))
        server = stack.enter_context(getattr(brokers, broker)(folder))
        stack.enter_context(sending_to(server.url))
        yield System(cloudlet, server, folder)


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    return parser


def say(line: str) -> None:
    print(line, flush=True)


def write(path: Path | None, figures: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")
