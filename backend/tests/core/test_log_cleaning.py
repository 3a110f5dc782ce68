"""Hostile input cannot forge log lines or control a terminal, whichever logger and record field it comes through."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from apps.core.telemetry.logs import SafeHandler, formatter
from apps.core.telemetry.redaction import HIDDEN
from tests.environment import free_port
from tests.workers import BACKEND, start_python, stop, wait_until

pytestmark = pytest.mark.integration

FORGED = "2026-01-01 00:00:00 INFO    root: forged"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ +\S+: ")
# C0, C1 and DEL, line separators, invisible and bidirectional characters, a tag, lone surrogates.
UNSAFE = [
    *map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u00ad\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u202a",
    *"\u202e\u2060\u2066\u2069\ufeff\U000e0041\ud800\udfff",
]  # fmt: skip
SECRET = "hunter2hunter2"
HOSTILE = f"x\n{FORGED}\r\n{FORGED}\u2028{FORGED}\x85\x1b[31m\x9b2J{''.join(UNSAFE)} password={SECRET}"
UNSAFE_IN_LINES = set(UNSAFE) - {"\n"}


@pytest.fixture(params=["text", "json"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[str]]:
    """Open a log file that raises for lone surrogates, as a terminal does."""
    with (tmp_path / "log").open("w+", encoding="utf-8", newline="") as opened:
        yield opened


def logger_to(file: IO[str], form: str) -> logging.Logger:
    handler = SafeHandler(file)
    handler.setFormatter(formatter(form))
    log = logging.Logger("apps.something")  # noqa: LOG001 # not part of this process's logger tree
    log.addHandler(handler)
    return log


def in_message(log: logging.Logger) -> None:
    log.warning(HOSTILE)


def in_argument(log: logging.Logger) -> None:
    log.warning("it said %s", HOSTILE)


def in_exception(log: logging.Logger) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("It failed")


def in_note(log: logging.Logger) -> None:
    error = ValueError("x")
    error.add_note(HOSTILE)
    log.error("It failed", exc_info=error)


def in_cause(log: logging.Logger) -> None:
    try:
        raise KeyError("other") from ValueError(HOSTILE)
    except KeyError:
        log.exception("It failed")


def in_group(log: logging.Logger) -> None:
    log.error("They failed", exc_info=ExceptionGroup(HOSTILE, [ValueError(HOSTILE), OSError(5, HOSTILE, HOSTILE)]))


def in_syntax_error(log: logging.Logger) -> None:
    log.error("It failed", exc_info=SyntaxError(HOSTILE, (HOSTILE, 1, 1, HOSTILE)))


def in_stack(log: logging.Logger) -> None:
    log.handle(log.makeRecord(log.name, logging.ERROR, "x.py", 1, "here", (), None, sinfo=HOSTILE))


def in_names(log: logging.Logger) -> None:
    record = log.makeRecord(HOSTILE, logging.ERROR, HOSTILE, 1, "here", (), None)
    record.levelname = HOSTILE
    log.handle(record)


WAYS: list[Callable[[logging.Logger], None]] = [
    in_message, in_argument, in_exception, in_note, in_cause, in_group, in_syntax_error, in_stack, in_names,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_field_of_a_record_forges_a_line(form: str, file: IO[str], way: Callable[[logging.Logger], None]) -> None:
    log = logger_to(file, form)
    way(log)
    file.seek(0)
    text = file.read()
    assert text.endswith("\n")
    assert not UNSAFE_IN_LINES & set(text)
    assert SECRET not in text
    assert HIDDEN in text
    lines = text.splitlines()
    if form == "json":
        (line,) = lines
        for value in map(str, json.loads(line).values()):
            assert not UNSAFE_IN_LINES & set(value)
        return
    assert [line for line in lines if not line.startswith("    ")] == lines[:1]
    assert LINE.match(lines[0]) or way is in_names


def test_a_traceback_stays_readable(form: str, file: IO[str]) -> None:
    log = logger_to(file, form)
    in_exception(log)
    file.seek(0)
    text = file.read()
    traceback = json.loads(text)["exception"] if form == "json" else textwrap.dedent(text.partition("\n")[2])
    first, frame, source, *_ = traceback.splitlines()
    assert first == "Traceback (most recent call last):"
    assert re.fullmatch(r'  File ".*test_log_cleaning.py", line \d+, in in_exception', frame)
    assert source == "    raise ValueError(HOSTILE)"


# -- Loggers with their own handlers, or with none ----------------------------------------------------------------

NAMES = [
    "root", "apps.x", "django", "django.request", "django.server", "django.security.DisallowedHost", "_granian",
    "granian.access", "celery.worker", "multiprocessing", "kombu", "asyncio", "other", "never.seen.before",
]  # fmt: skip
PROGRAM = f"""
import logging, warnings
from granian.log import LogLevels, configure_logging
configure_logging(LogLevels.info)  # what Granian does before it loads the application
logging.getLogger("other").addHandler(logging.StreamHandler())
import django
django.setup()
hostile = {HOSTILE!r}
names = {NAMES!r}
for name in names:
    logging.getLogger(name).error("%s", hostile)
    try:
        raise ValueError(hostile)
    except ValueError:
        logging.getLogger(name).exception("It failed")
cut_off = logging.getLogger("cut.off")  # its lines go to logging.lastResort
cut_off.propagate = False
cut_off.warning("%s", hostile)
cut_off.info("too unimportant")
warnings.warn(hostile)
"""


@pytest.mark.parametrize(
    ("form", "debug"),
    [
        ("text", "0"),
        ("json", "1"),
        pytest.param("text", "1", marks=pytest.mark.soak),
        pytest.param("json", "0", marks=pytest.mark.soak),
    ],
)
def test_every_logger_of_a_process_writes_clean_lines(form: str, debug: str) -> None:
    env = {"LOG_FORMAT": form, "DEBUG": debug, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=BACKEND, env=os.environ | env, capture_output=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert done.stdout == b""
    text = done.stderr.decode()
    assert SECRET not in text
    assert not UNSAFE_IN_LINES & set(text)
    if form == "text":
        lines = [line for line in text.splitlines() if not line.startswith("    ")]
        assert all(map(LINE.match, lines)), lines
        names = [line.split()[3].rstrip(":") for line in lines]
    else:
        names = [json.loads(line)["logger"] for line in text.splitlines()]
    assert sorted(names) == sorted([*NAMES, *NAMES, "cut.off", "py.warnings"]), "each once"


@pytest.mark.parametrize("form", ["text", pytest.param("json", marks=pytest.mark.soak)])
def test_invalid_host_header_is_one_log_line(form: str, tmp_path: Path) -> None:
    port = free_port()
    arguments = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers-kill-timeout", "3"]
    variables = {"LOG_FORMAT": form}
    with (tmp_path / "log").open("wb") as log:
        server = start_python(
            "memory://", "granian", *arguments, "config.wsgi:application", stdout=log, stderr=log, variables=variables
        )
        try:
            wait_until(lambda: _status(port, "localhost") == 200, 60, "the server answers")
            assert _status(port, f"evil.example?password={SECRET}") == 400
        finally:
            stop(server)
    text = (tmp_path / "log").read_text()
    (line,) = [line for line in text.splitlines() if "django.security" in line]
    assert "Invalid HTTP_HOST header" in line
    assert "Traceback" not in text
    assert SECRET not in text
    assert json.loads(line) if form == "json" else LINE.search(line)


def _status(port: int, host: str) -> int:
    """Return the status of /healthz, 0 while no server listens."""
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}/healthz", headers={"Host": host}), timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:  # Python 3.14 warns of one that is left open
            return error.code
    except OSError:
        return 0
