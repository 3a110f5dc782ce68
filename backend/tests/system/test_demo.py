"""Test the demo data, and that the launcher starts and stops all processes of the demo."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from io import StringIO
from pathlib import Path
from typing import IO, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from honcho.printer import Message

from apps.accounts.models import User
from apps.demo.content import LOCAL_PASSWORD, make_demo
from apps.events.models import Event, EventImage, EventTicket
from tests.environment import free_port

LAUNCHER = Path(__file__).resolve().parents[3] / "scripts" / "demo.py"
START_TIMEOUT_SECONDS = 120


def _imported() -> Any:
    """Import the launcher, which is a script outside the packages."""
    spec = spec_from_file_location("demo_script", LAUNCHER)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo_script = _imported()


# -- Demo data ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_make_demo_is_idempotent() -> None:
    first, again = make_demo(), make_demo()

    assert [ticket.pk for ticket in first.tickets] == [ticket.pk for ticket in again.tickets]
    assert Event.objects.count() == 1
    assert set(EventImage.objects.values_list("kind", flat=True)) == {"cover", "logo"}
    assert {"Amélie Laurent", "ليلى حدّاد", "王小明", "प्रिया शर्मा"} == set(
        EventTicket.objects.values_list("holder_name", flat=True)
    )


@pytest.mark.django_db
def test_demo_users_can_sign_in_and_see_their_tickets() -> None:
    for sign_in in make_demo().sign_ins:
        client = Client()
        form = {"login": sign_in.email, "password": sign_in.password}
        page = client.post(reverse("account_login"), form, follow=True).content.decode()

        assert ("Lanterns on the River" in page) == (sign_in.role != "door staff")
        back_office = client.get(reverse("admin:events_eventticket_changelist"))
        assert back_office.status_code == (200 if sign_in.role == "organiser" else 302)


@pytest.mark.django_db
def test_passwords_of_a_public_demo_are_random_and_shown_once(settings: Any) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org"
    first, again = make_demo(), make_demo()

    passwords = {sign_in.password for sign_in in first.sign_ins}
    assert len(passwords) == len(first.sign_ins)
    assert LOCAL_PASSWORD not in passwords
    assert {sign_in.password for sign_in in again.sign_ins} == {""}
    assert all(User.objects.get(email=sign_in.email).check_password(sign_in.password) for sign_in in first.sign_ins)


@pytest.mark.django_db
def test_command_prints_the_sign_ins_and_the_tickets() -> None:
    output = StringIO()
    call_command("make_demo", stdout=output)

    assert re.search(rf"organiser +organiser@example.org +{LOCAL_PASSWORD}", output.getvalue())
    for ticket in EventTicket.objects.all():
        assert ticket.get_absolute_url() in output.getvalue()


# -- The launcher ------------------------------------------------------------------------------------------------


class Demo:
    """A launcher process with its own ports and folder."""

    def __init__(
        self, folder: Path, stdout: IO[bytes] | None = None, command: Sequence[str] = (), **environment: str
    ) -> None:
        self.port, self.cloudlet_port = free_port(), free_port()
        self.marker = f"ADMIT_VAR_DIR={folder}"
        self.log = folder / "demo.log"
        ports = {"PORT": str(self.port), "CLOUDLET_PORT": str(self.cloudlet_port)}
        own = {"ADMIT_VAR_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "EMAIL_URL": ""}
        own |= {**ports, **environment}
        output = stdout if stdout is not None else self.log.open("wb")
        self.process = subprocess.Popen(
            command or [sys.executable, str(LAUNCHER)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own},
        )
        if stdout is None:
            output.close()

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while words not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.2)

    def end(self) -> int:
        return self.process.wait(timeout=30)

    def processes(self) -> dict[int, str]:
        """Return all processes of this demo, including the launcher: command lines by process id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.marker.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # the process ended
                continue
        return {pid: command for pid, command in found.items() if command}

    def wait_until_all_are_gone(self) -> None:
        deadline = time.monotonic() + 10
        while self.processes():
            assert time.monotonic() < deadline, self.processes()
            time.sleep(0.1)

    def clean_up(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def demo(django_db_setup: None, tmp_path: Path) -> Iterator[Demo]:
    """Run the launcher, on SQLite with a database in which the tables of sessions are still to be made."""
    if connection.vendor == "sqlite":
        tests, own = sqlite3.connect(connection.settings_dict["NAME"]), sqlite3.connect(tmp_path / "db.sqlite3")
        with closing(tests), closing(own):
            tests.backup(own)
            own.executescript("DROP TABLE django_session; DELETE FROM django_migrations WHERE app = 'sessions';")
    demo = Demo(tmp_path)
    yield demo
    demo.clean_up()


def test_launcher_starts_shows_urls_and_stops_completely(demo: Demo) -> None:
    demo.wait_for("Ctrl-C stops everything.")
    assert "tickets ready: 5 of 5" in demo.output
    addresses = re.findall(r"http://localhost:\d+/\S*", demo.output)
    for address in dict.fromkeys(addresses):
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 # http, this machine
            assert answer.status == 200, address
    assert any("/tickets/" in address for address in addresses)
    assert f"organiser         organiser@example.org   {LOCAL_PASSWORD}" in demo.output
    assert "127.0.0.1" not in demo.output
    pasted = re.findall(r"^    (cd .*|export .*|.*test_ticket_service.*)$", demo.output, re.MULTILINE)
    assert len(pasted) == 3
    assert f"export PORT={demo.port} CLOUDLET_PORT={demo.cloudlet_port} ADMIT_VAR_DIR=" in pasted[1]
    subprocess.run(["/bin/sh", "-ec", "\n".join(pasted)], check=True, timeout=60)

    form = json.dumps({"email": "new@example.org", "password": "a long enough passphrase"}).encode()
    sign_up = f"http://localhost:{demo.port}/_allauth/app/v1/auth/signup"
    request = urllib.request.Request(sign_up, form, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310 # http, this machine
    answer.value.close()
    assert answer.value.code == 401, "the address was not to be confirmed"
    demo.wait_for("To: new@example.org")

    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.output
    assert "Everything is stopped." in demo.output
    demo.wait_until_all_are_gone()


# -- Refusals, before anything starts ----------------------------------------------------------------------------


def test_invalid_port_is_refused_in_one_line(tmp_path: Path) -> None:
    reasons = {"99999": "less than or equal to 65535", "abc": "Not a valid integer"}
    code = f"import demo, os; [os.environ.update(PORT=port) or print(demo.main()) for port in {list(reasons)}]"
    demo = Demo(tmp_path, command=[sys.executable, "-c", code], PYTHONPATH=str(LAUNCHER.parent))
    assert demo.end() == 0
    lines = demo.output.splitlines()
    assert lines[1::2] == ["1", "1"], "the exit codes"
    for line, reason in zip(lines[::2], reasons.values(), strict=True):
        assert line.startswith("✗ ")
        assert "PORT" in line
        assert reason in line


def test_port_in_use_is_reported(settings: Any) -> None:
    settings.PORT = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.CLOUDLET_PORT = port = listener.getsockname()[1]
        assert demo_script.port_problem() == (
            f"Port {port}, for cloudlet, is taken by another program. "
            f"Choose another: make demo PORT={settings.PORT} CLOUDLET_PORT={port + 1}"
        )


def test_same_port_for_both_servers_is_refused(settings: Any) -> None:
    settings.PORT = settings.CLOUDLET_PORT = 8311
    assert demo_script.port_problem() == (
        "PORT and CLOUDLET_PORT are both 8311, but each server needs its own. "
        "Try: make demo PORT=8311 CLOUDLET_PORT=8312"
    )


def test_other_web_server_on_the_port_is_reported(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "cloudlet").mkdir()  # the listing contains the name
    listing = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    settings.PORT = free_port()
    with ThreadingHTTPServer(("127.0.0.1", 0), listing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        settings.CLOUDLET_PORT = server.server_port
        try:
            assert "is taken by another web server" in demo_script.port_problem()
        finally:
            server.shutdown()
            thread.join()


def test_cloudlet_is_not_started_with_an_account(settings: Any) -> None:
    assert list(demo_script.commands()) == ["cloudlet", "web", "worker"]
    settings.CLOUDINARY_ACCOUNT = replace(settings.CLOUDINARY_ACCOUNT, is_cloudlet=False)
    settings.PORT = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.CLOUDLET_PORT = listener.getsockname()[1]
        assert demo_script.port_problem() == ""
    assert list(demo_script.commands()) == ["web", "worker"]


# -- The supervisor, with small programs instead of servers ------------------------------------------------------

SUPERVISED = """
import sys, threading
import demo
first = [sys.executable, "-uc", "import time; print('first runs'); time.sleep({seconds})"]
second = [sys.executable, "-uc", "import time\\nfor n in range(6000): print('second runs'); time.sleep(0.1)"]
announcer = threading.Thread(daemon=True, target=lambda: demo.say("announced"))
announcer.cancelled = threading.Event()
sys.exit(demo.supervise({{"first": first, "second": second}}, announcer))
"""


@contextmanager
def supervised(folder: Path, seconds: float = 600, **options: Any) -> Iterator[Demo]:
    code = SUPERVISED.format(seconds=seconds)
    demo = Demo(folder, command=[sys.executable, "-c", code], PYTHONPATH=str(LAUNCHER.parent), **options)
    try:
        yield demo
    finally:
        demo.clean_up()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_every_process(number: signal.Signals, tmp_path: Path) -> None:
    with supervised(tmp_path) as demo:
        demo.wait_for("first runs")
        demo.process.send_signal(number)
        assert demo.end() == 0, demo.output
        assert "Everything is stopped." in demo.output
        assert "stopped by itself" not in demo.output
        demo.wait_until_all_are_gone()


def test_signal_before_all_have_started_is_obeyed_then(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(demo_script.os, "kill", lambda _pid, number: killed.append(number))
    printer = demo_script.DemoPrinter(2, demo_script.Announcer(None))
    supervisor = demo_script.Supervisor(printer)
    for name in ("first", "second"):
        supervisor.add_process(name, "true")
    started = partial(Message, "line", time=datetime.now(UTC), name="system", colour=None)
    printer.write(started("first started (pid=1)\n"))
    supervisor.terminate()
    assert killed == []
    printer.write(started("second started (pid=2)\n"))
    assert killed == [signal.SIGTERM]


def test_launcher_stops_the_rest_when_a_process_dies(tmp_path: Path) -> None:
    with supervised(tmp_path, seconds=0.2) as demo:
        assert demo.end() == 1
        assert "✗ first stopped by itself, with exit code 0. Stopping the rest." in demo.output
        demo.wait_until_all_are_gone()


def test_launcher_stops_when_its_output_is_closed(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as output, open(writer, "wb") as end, supervised(tmp_path, stdout=end) as demo:
        output.readline()
        output.close()
        demo.process.wait(timeout=60)
        demo.wait_until_all_are_gone()
