"""Run Admit on this machine: `make demo`. Start all processes under one supervisor, and stop them on Ctrl-C.

PORT and CLOUDLET_PORT set the ports. With CLOUDINARY_* in backend/.env, files are stored on Cloudinary, and cloudlet is
not started.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import sys
import threading
import time
import types
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from environs import EnvError
from honcho.manager import Manager
from honcho.printer import Message, Printer

BACKEND = Path(__file__).resolve().parent.parent / "backend"
START_TIMEOUT_SECONDS = 60
TICKETS_TIMEOUT_SECONDS = 90


def main() -> int:
    os.chdir(BACKEND)
    sys.path.insert(0, str(BACKEND))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["PYTHONUNBUFFERED"] = "1"
    try:
        django.setup()
        if problem := port_problem():
            say(f"✗ {problem}")
            return 1
        demo = _prepare()
    except (ImproperlyConfigured, EnvError) as error:
        say(f"✗ {error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped before anything was started.")
        return 130
    return supervise(commands(), Announcer(demo))


def supervise(commands: dict[str, list[str]], announcer: Announcer) -> int:
    """Start the commands, by name, and stop all when one ends or a signal arrives. Return the exit code.

    The announcer is started when all processes are.
    """
    signal.signal(signal.SIGHUP, _as_terminate)  # closing the terminal must not leave servers running
    supervisor = Supervisor(DemoPrinter(len(commands), announcer))
    for name, command in commands.items():
        supervisor.add_process(name, f"exec {shlex.join(command)}", cwd=str(BACKEND))
    say(f"  starting {', '.join(commands)} ...")
    supervisor.loop()
    stopped_by_us = supervisor.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    say("Everything is stopped." if stopped_by_us else "✗ The demo stopped, because one of its parts did (see above).")
    return 0 if stopped_by_us else 1


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _as_terminate(_number: int, _frame: types.FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


# -- Before anything starts --------------------------------------------------------------------------------------


def port_problem() -> str:
    """Return a message about a port that is not free, or an empty string if all are."""
    from django.conf import settings

    ports = {"PORT": settings.PORT, "CLOUDLET_PORT": settings.CLOUDLET_PORT}
    purposes = {"PORT": "the web server", "CLOUDLET_PORT": "cloudlet"}
    if not settings.CLOUDINARY_ACCOUNT.is_cloudlet:
        del ports["CLOUDLET_PORT"]
    if len(set(ports.values())) < len(ports):
        other = _with_ports(ports, "CLOUDLET_PORT")
        return f"PORT and CLOUDLET_PORT are both {settings.PORT}, but each server needs its own. Try: {other}"
    for variable, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                continue
            except PermissionError:
                reason = "needs more rights than you have"
            except OSError:
                reason = f"is taken{_by_whom(port)}"
        return f"Port {port}, for {purposes[variable]}, {reason}. Choose another: {_with_ports(ports, variable)}"
    return ""


def _with_ports(ports: dict[str, int], changed: str) -> str:
    """Return the command with another port for one of the servers."""
    usual = {"PORT": 8000, "CLOUDLET_PORT": 9000}
    candidates = (*range(ports[changed] + 1, 65536), *range(1024, ports[changed]))
    other = next(port for port in candidates if port not in ports.values())
    wanted = {**ports, changed: other}
    return " ".join(["make demo", *(f"{name}={port}" for name, port in wanted.items() if port != usual[name])])


def _by_whom(port: int) -> str:
    """Guess which program listens on the port, from the title of its page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as response:
            page = response.read(20_000).decode(errors="replace").lower()
    except (OSError, ValueError):
        return " by another program"
    known = {"admit": "an Admit that is running already", "cloudlet": "a cloudlet that is running already"}
    title = page.partition("<title>")[2].partition("</title>")[0]
    return " by " + next((who for word, who in known.items() if word in title), "another web server")


def _prepare():  # type: ignore[no-untyped-def] # Demo: its module can be imported only when Django is set up
    from django.core.management import call_command

    from apps.demo.content import make_demo
    from apps.publishing import requests

    call_command("migrate", interactive=False, verbosity=0)
    say("✓ database is up to date")
    call_command("collectstatic", interactive=False, verbosity=0)
    demo = make_demo()
    say(f"✓ demo event: {demo.event}, {len(demo.tickets)} tickets")
    for ticket in demo.tickets:
        if ticket.state == ticket.State.FAILED:  # in an earlier run; do not wait for its next attempt
            requests.rerender(ticket)
    return demo


def commands() -> dict[str, list[str]]:
    """Return the command lines of the processes, by name."""
    from django.conf import settings

    python, account = [sys.executable, "-m"], settings.CLOUDINARY_ACCOUNT
    lines: dict[str, list[str]] = {}
    if account.is_cloudlet:
        lines["cloudlet"] = [*python, "cloudlet", "--host", "127.0.0.1", "--port", str(settings.CLOUDLET_PORT)]
        lines["cloudlet"] += ["--data", str(settings.VAR_DIR / "cloudlet"), "--cloud", account.cloud_name]
        lines["cloudlet"] += ["--key", account.api_key]  # its API secret is in its data folder
    lines["web"] = [*python, "granian", "--interface", "wsgi", "config.wsgi:application", "--host", "127.0.0.1"]
    lines["web"] += ["--port", str(settings.PORT), "--blocking-threads", "4", "--log-level", "warning"]
    lines["web"] += ["--workers-kill-timeout", "3"]  # Ctrl-C may come before it is ready
    # Threads: the work mostly waits for storage. The filesystem broker has no broadcasts, hence --without-*.
    # Celery's warning about running as root does not matter on a machine for trying things out.
    unwarned = [sys.executable, "-W", "ignore:You're running the worker", "-m"]
    lines["worker"] = [
        *unwarned,
        "celery",
        "-A",
        "config",
        "--quiet",
        "worker",
        "-B",
        "-Q",
        "interactive,bulk,webhooks",
        "-l",
        "WARNING",
    ]
    lines["worker"] += ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    lines["worker"] += ["--without-heartbeat"]
    return lines


# -- While it runs -----------------------------------------------------------------------------------------------


class Supervisor(Manager):
    """honcho's manager, which can also be stopped while it starts processes."""

    def __init__(self, printer: DemoPrinter) -> None:
        super().__init__(printer=printer)
        self._demo_printer = printer

    def terminate(self) -> None:
        """Stop all processes once all have started: honcho fails on a process whose id it does not know yet."""
        if self._demo_printer.to_start:
            self._demo_printer.stop_when_started = True
        else:
            super().terminate()


class DemoPrinter(Printer):
    """Print the processes' lines, replace honcho's own messages, and start the announcer."""

    def __init__(self, processes: int, announcer: Announcer) -> None:
        super().__init__(sys.stdout)
        self.to_start = processes
        self.stop_when_started = False
        self._announcer = announcer
        self._stopping = False

    def write(self, message: Message) -> None:
        try:
            self._write(message)
        except BrokenPipeError:  # the reader has gone, as after `make demo | head`
            sys.stdout = self.output = open(os.devnull, "w")  # noqa: SIM115 # open until the process ends
            os.kill(os.getpid(), signal.SIGTERM)

    def _write(self, message: Message) -> None:
        if message.colour is not None:
            # Show every URL as people type it.
            super().write(message._replace(data=message.data.replace(b"127.0.0.1:", b"localhost:")))
            return
        # Only the supervisor itself writes without a colour.
        if " started " in message.data:
            self.to_start -= 1
            if not self.to_start and self.stop_when_started:
                os.kill(os.getpid(), signal.SIGTERM)
            elif not self.to_start:  # all forks are done: forking while a thread runs could copy a held lock
                self._announcer.start()
        elif (stopped := re.match(r"(\w+) stopped \(rc=(-?\d+)\)", message.data)) and not self._stopping:
            self._stop(f"✗ {stopped[1]} stopped by itself, with exit code {stopped[2]}. Stopping the rest.")
        elif " received" in message.data and not self._stopping:
            self._stop("\nStopping ...")

    def _stop(self, line: str) -> None:
        self._stopping = True
        self._announcer.cancelled.set()
        say(line)


class Announcer(threading.Thread):
    """Wait until everything responds and the demo's tickets are ready, and then print the URLs."""

    def __init__(self, demo) -> None:  # type: ignore[no-untyped-def]
        super().__init__(daemon=True)
        self.demo = demo
        self.cancelled = threading.Event()

    def run(self) -> None:
        from django.conf import settings
        from django.db import connection

        account = settings.CLOUDINARY_ACCOUNT
        try:
            if account.is_cloudlet:
                self._wait_for("cloudlet", f"{account.upload_prefix}/")
            self._wait_for("web", f"http://localhost:{settings.PORT}/")
            self._wait_for_tickets()
        finally:
            connection.close()
        if not self.cancelled.is_set():
            say(self._overview())

    def _wait_for(self, name: str, url: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.cancelled.wait(0.2):
            if _responds(url):
                say(f"✓ {name} responds on {url}")
                return
            if time.monotonic() > deadline:
                say(
                    f"✗ {name} does not respond on {url} after {START_TIMEOUT_SECONDS} s. It may still start; "
                    "Ctrl-C stops everything."
                )
                return

    def _wait_for_tickets(self) -> None:
        deadline = time.monotonic() + TICKETS_TIMEOUT_SECONDS
        shown = ""
        while not self.cancelled.wait(0.3):
            states = Counter(self.demo.event.tickets.values_list("state", flat=True))
            line = f"  tickets ready: {states['ready']} of {states.total()}"
            if line != shown:
                say(line)
                shown = line
            if states["ready"] == states.total():
                return
            if time.monotonic() > deadline:
                for reason in self.demo.event.tickets.filter(state="failed").values_list("reason", flat=True):
                    say(f"✗ {reason}")
                say("  Some tickets are not ready yet. They are tried again while the demo runs.")
                return

    def _overview(self) -> str:
        from django.conf import settings

        base, account = f"http://localhost:{settings.PORT}", settings.CLOUDINARY_ACCOUNT
        storage = f"{account.upload_prefix}/" if account.is_cloudlet else f"Cloudinary, cloud “{account.cloud_name}”"
        ticket = self.demo.tickets[0]
        rows = [
            ("Tickets", f"{base}/"),
            ("One ticket", f"{base}{ticket.get_absolute_url()}"),
            ("", f"(sign in as its holder, {ticket.holder_email})"),
            ("Back office", f"{base}/admin/"),
            ("API", f"{base}/api/docs"),
            ("Files", storage),
        ]
        lines = ["", "─" * 78, "  Admit is running.", ""]
        lines += [f"  {name:<18}{url}" for name, url in rows]
        lines += ["", f"  {'Sign in as':<18}{'e-mail':<24}password"]
        for sign_in in self.demo.sign_ins:
            password = sign_in.password or "(as shown when it was made)"
            lines.append(f"  {sign_in.role:<18}{sign_in.email:<24}{password:<18}{sign_in.name}")
        lines += ["", "  Door staff use the API. Sent mail is printed in this terminal."]
        lines += ["", "  Commands, in a second terminal:", *(f"    {line}" for line in second_terminal())]
        return "\n".join([*lines, "", "  Ctrl-C stops everything.", "─" * 78])


def second_terminal() -> list[str]:
    """Return commands to paste that use this demo's ports and folders."""
    usual = {"PORT": "8000", "CLOUDLET_PORT": "9000", "ADMIT_VAR_DIR": "", "ADMIT_ENV_FILE": ""}
    other = [
        f"{name}={shlex.quote(os.environ[name])}" for name in usual if os.environ.get(name, usual[name]) != usual[name]
    ]
    python = Path(sys.executable)
    if python.is_relative_to(BACKEND.parent):
        python = Path(os.path.relpath(python, BACKEND))
    return [
        f"cd {shlex.quote(str(BACKEND))}",
        *([f"export {' '.join(other)}"] if other else []),
        f"{python} test_ticket_service.py           # self-test",
        f"{python} manage.py ticket_doctor          # check that database and storage agree",
        f"{python} manage.py publish_tickets        # make all pending files now",
        f"{python} manage.py createsuperuser        # an operator account",
    ]


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 # http, this machine
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
