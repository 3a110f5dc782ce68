"""Run real brokers for tests, each on a free port with its own folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .environment import free_port

START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker, which can be killed and started again under the same URL."""

    url: str
    _server: _Server

    def kill(self) -> None:
        self._server.stop(signal.SIGKILL)

    def start(self) -> None:
        self._server.start()


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Run a Redis server. Yield its URL."""
    with redis(folder) as broker:
        yield broker.url


@contextlib.contextmanager
def running_rabbitmq(folder: Path) -> Iterator[str]:
    """Run a RabbitMQ server. Yield its URL."""
    with rabbitmq(folder) as broker:
        yield broker.url


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Broker]:
    """Run a Redis server without persistence: killing it loses its messages."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _running(_Server([_path_of("redis-server"), *options], port, {})) as server:
        yield Broker(f"redis://127.0.0.1:{port}/0", server)


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[Broker]:
    """Run a RabbitMQ server, without Debian's wrapper, which supports only one node on a machine."""
    _path_of("rabbitmq-server")
    port = free_port()
    config, plugins = folder / "rabbitmq.conf", folder / "enabled_plugins"
    config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    plugins.write_text("[].")
    environment = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"admit-test-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",  # no busy waiting
    }
    with _running(_Server(["/usr/lib/rabbitmq/bin/rabbitmq-server"], port, environment)) as server:
        yield Broker(f"amqp://guest:guest@127.0.0.1:{port}//", server)


def _path_of(command: str) -> str:
    path = shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        raise RuntimeError(f"{command} is not installed. Run `scripts/need-debian {command}`, as `make test` does.")
    return path


@contextlib.contextmanager
def _running(server: _Server) -> Iterator[_Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGTERM)


class _Server:
    """A process, with its children, that listens on a port."""

    def __init__(self, command: list[str], port: int, environment: dict[str, str]) -> None:
        self._command = command
        self._port = port
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | self._environment
        self._process = subprocess.Popen(
            self._command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._wait_for(self._process)

    def stop(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        os.killpg(process.pid, how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with exit code {process.returncode}")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{process.args!r} did not listen within {START_SECONDS} s")
