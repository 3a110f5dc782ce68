"""Test compose.yaml and the Dockerfile: files exist, settings are documented, commands start."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from django.core.management import call_command

from apps.publishing import pipeline
from apps.storage import gateway, retry
from tests.brokers import running_redis
from tests.environment import free_port
from tests.workers import BACKEND, environment, stop, wait_until

ROOT = BACKEND.parent
COMPOSE = (ROOT / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "admit:local"}
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
SECRETS = re.compile(r"KEY|SECRET|PASS|CLOUDINARY_URL|DATABASE_URL|BROKER_URL")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def image_environment() -> dict[str, str]:
    """Return the variables that the Dockerfile sets."""
    return dict(assignment.split("=", 1) for line in instructions("ENV") for assignment in line.split())


def seconds(duration: str) -> int:
    return sum(int(n) * {"m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([ms])", duration))


# -- Files and settings --------------------------------------------------------------------------------------------


def test_copied_files_are_in_the_build_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    included = {line[1:] for line in ignored if line.startswith("!")}
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert copied == included
    assert all((ROOT / source).exists() for source in copied)
    assert {"*", "backend/.env", "backend/.env.*", "backend/tests"} <= set(ignored)


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/reference/settings.md").read_text()))
    assert set(SERVICES["web"]["environment"]) <= documented
    assert set(image_environment()) <= documented | {"PATH", "PYTHONUNBUFFERED"}


def test_every_variable_of_compose_is_documented() -> None:
    guide = (ROOT / "docs/how-to/deploy-with-containers.md").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    assert {name for name in required if f"\n   {name}=" not in guide} == set()


def test_one_service_builds_the_image_of_all() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["web"]
    assert len(OURS) == 7


def test_images_of_others_have_exact_versions() -> None:
    images = {service["image"] for service in SERVICES.values()} - {"admit:local"}
    images |= {line.split()[0] for line in instructions("FROM")}
    assert len(images) == 3
    for image in images:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?(@sha256:[0-9a-f]{64})?", image), image


def test_ci_uses_the_postgresql_of_the_containers() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    assert workflow["jobs"]["postgresql"]["services"]["postgres"]["image"] == SERVICES["postgres"]["image"]


# -- Security ------------------------------------------------------------------------------------------------------


def test_no_secret_has_a_default() -> None:
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if SECRETS.search(variable):
                given = re.findall(r"\$\{\w+(:[?-])([^}]*)\}", value)
                assert given, f"{name}: {variable}"
                assert all(kind == ":?" or text == "" for kind, text in given), f"{name}: {variable}"


def test_ports_are_published_on_localhost_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_image_runs_without_privileges() -> None:
    assert instructions("USER") == ["admit"]
    for service in OURS.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert "user" not in service


# -- Ports, timeouts, order ----------------------------------------------------------------------------------------


def test_ports_are_consistent() -> None:
    web, cloudlet = OURS["web"], OURS["cloudlet"]
    assert "--port 8000" in web["command"]
    assert instructions("EXPOSE") == ["8000"]
    assert web["ports"][0].endswith(":8000")
    assert "localhost:8000/readyz" in web["healthcheck"]["test"][-1]
    assert "--port 9000" in cloudlet["command"]
    assert cloudlet["ports"][0].endswith(":9000")


def test_image_starts_the_web_server_by_default() -> None:
    assert yaml.safe_load(instructions("CMD")[0]) == shlex.split(OURS["web"]["command"])


def test_stop_grace_period_is_longer_than_a_task() -> None:
    for name in ("interactive", "bulk"):
        longest_seconds = (
            pipeline.TASK_SECONDS + retry.MAX_ELAPSED_SECONDS + gateway.ACQUIRE_TIMEOUT_SECONDS + 35
        )  # the timeouts of a last upload
        assert seconds(OURS[name]["stop_grace_period"]) > longest_seconds


def test_services_wait_for_their_dependencies() -> None:
    for name, service in OURS.items():
        for other, how in service["depends_on"].items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other}"
            else:
                assert (how["condition"], SERVICES[other]["restart"]) == ("service_completed_successfully", "no")


def test_commands_match_the_guide() -> None:
    guide = (ROOT / "docs/how-to/from-one-machine-to-many.md").read_text()
    for name in ("web", "interactive", "bulk", "webhooks", "beat"):
        assert f"`{OURS[name]['command'].removesuffix(' --pidfile=')}`" in guide.replace("nice -n 19 ", ""), name


# -- Commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with running_redis(tmp_path) as url:
        yield url


@contextmanager
def started(
    command: str, broker: str, tmp_path: Path, timeout_seconds: float = 30, **variables: str
) -> Iterator[Callable[[], str]]:
    """Run the command with a database and folders of this test. Yield a function that returns its output so far.

    Terminate it afterwards, and assert that it ends within the timeout.
    """
    # as in the image, PATH begins with the programs of the environment
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables |= {"PATH": path, "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"}
    variables |= {"ADMIT_VAR_DIR": str(tmp_path), "CLOUDLET_SECRET": "secret"}
    output = tmp_path / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=BACKEND,
            env=environment(broker) | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield output.read_text
        os.kill(process.pid, signal.SIGTERM)  # as `docker stop` does, to the first process only
        process.wait(timeout_seconds)
    finally:
        stop(process, signal.SIGKILL if process.poll() is None else signal.SIGTERM)
    assert process.returncode in (0, -signal.SIGTERM), output.read_text()


def test_workers_differ_by_their_queue_only() -> None:
    """A start of one of them therefore tests all."""
    command, check = OURS["interactive"]["command"], OURS["interactive"]["healthcheck"]["test"]
    for name in ("bulk", "webhooks"):
        assert OURS[name]["command"] == command.replace("interactive", name)
        assert OURS[name]["healthcheck"]["test"] == check


@pytest.mark.parametrize(("name", "sign"), [("interactive", r"interactive@.* ready\."), ("beat", "beat: Ticking")])
def test_celery_starts_becomes_healthy_and_terminates(name: str, sign: str, broker: str, tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    kind, check = OURS[name]["healthcheck"]["test"]
    check = check.replace("$$", "$").replace(image_environment()["HEARTBEAT_FILE"], str(file))

    def is_healthy() -> bool:
        return subprocess.run(["sh", "-c", check], check=False, stderr=subprocess.DEVNULL).returncode == 0

    command = f"{OURS[name]['command']} --loglevel DEBUG"
    with started(command, broker, tmp_path, HEARTBEAT_FILE=str(file)) as words:
        assert (kind, is_healthy()) == ("CMD-SHELL", False), "it has not begun"
        wait_until(lambda: re.search(sign, words()) is not None, 90, f"{sign} in the log")
        # Beat sends its first task after 15 seconds. It waits for 15 more if the broker then does not respond in time.
        wait_until(file.exists, 90, f"the heartbeat of {name}")
        assert is_healthy()
        if name == "beat":  # it swallows SIGTERM while it sends tasks: Celery catches all exceptions then
            wait_until(lambda: words().count("beat: Waking up") > 1, 90, "beat has sent all tasks")
    os.utime(file, times=(time.time() - 70,) * 2)
    assert not is_healthy(), "the heartbeat is older than a minute"


@pytest.mark.parametrize(("name", "port", "path"), [("web", 8000, "healthz"), ("cloudlet", 9000, "")])
def test_servers_start_and_terminate(name: str, port: int, path: str, broker: str, tmp_path: Path) -> None:
    free = free_port()
    command = OURS[name]["command"].replace(str(port), str(free)).replace("/var/lib/cloudlet", str(tmp_path / "files"))
    command = command.replace("--workers 2", "--workers 1")  # each takes two seconds of processor time to start
    with started(command, broker, tmp_path):
        wait_until(lambda: _answers(f"http://localhost:{free}/{path}"), 90, f"{name} answers")


def test_starting_server_terminates(broker: str, tmp_path: Path) -> None:
    importing = tmp_path / "importing"
    lines = ("import pathlib, time", f"pathlib.Path({str(importing)!r}).touch()", "time.sleep(600)")
    (tmp_path / "slow.py").write_text("\n".join(lines))
    command = OURS["web"]["command"].replace("8000", str(free_port())).replace("config.wsgi", "slow")
    assert "--workers-kill-timeout 10 " in command

    def end(command: str, timeout_seconds: float) -> None:
        importing.unlink(missing_ok=True)
        with started(command, broker, tmp_path, timeout_seconds, PYTHONPATH=str(tmp_path)):
            wait_until(importing.exists, 90, "a worker imports the application")

    end(command.replace("--workers-kill-timeout 10 ", "--workers-kill-timeout 1 "), timeout_seconds=30)
    # The negative control: granian's workers ignore signals until they serve.
    with pytest.raises(subprocess.TimeoutExpired):
        end(command.replace("--workers-kill-timeout 10 ", ""), timeout_seconds=5)


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=10, retries=False).status in (200, 401)
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.django_db
def test_migrate_service_prepares_the_database(capsys: pytest.CaptureFixture[str]) -> None:
    python, script, command, *options = shlex.split(OURS["migrate"]["command"])
    assert (python, script) == ("python", "manage.py")
    call_command(command, *options)
    assert "No migrations to apply." in capsys.readouterr().out
