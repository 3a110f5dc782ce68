"""Read an upload in a process of its own, with limits of memory and time.

The process gets no environment, so no secret either: `run` starts a module, whose last lines call `serve`.
"""

from __future__ import annotations

import logging
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger("apps.events.confined")

WAIT_SECONDS = 60  # for a process that waits for its turn on a busy machine; it may compute for less
REFUSED = 3  # exit status; the text on stderr is for people
_BACKEND = Path(__file__).parents[2]


class RefusedError(ValueError):
    """The content is not what was asked for. The text says what is wrong and what to do."""


class ExhaustedError(Exception):
    """The content needs more memory or time than it may have, or breaks the program that reads it."""


def run(module: str, content: bytes, *arguments: str, memory_bytes: int, cpu_seconds: int) -> bytes:
    """Return what `module` makes of the content. Raises RefusedError, ExhaustedError."""
    # Its stderr is shown to people, so no library may warn there.
    command = [sys.executable, "-W", "ignore", "-m", module, str(memory_bytes), str(cpu_seconds), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 # our own module; the content goes through stdin
            command, input=content, capture_output=True, timeout=WAIT_SECONDS, cwd=_BACKEND, env={}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ExhaustedError(f"{module} took longer than {WAIT_SECONDS} s") from error
    if done.returncode == REFUSED:
        raise RefusedError(done.stderr.decode())
    if done.returncode:
        reason = f"{module} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-300:]!r}"
        logger.warning("An upload could not be read. %s", reason)
        raise ExhaustedError(reason)
    return done.stdout


def serve(read: Callable[..., bytes]) -> None:
    """Run as the process that `run` started: set the limits, then write what `read` makes of stdin to stdout."""
    memory, seconds, *arguments = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = read(sys.stdin.buffer.read(), *arguments)
    except RefusedError as error:
        sys.stderr.write(str(error))
        sys.exit(REFUSED)
    sys.stdout.buffer.write(answer)
