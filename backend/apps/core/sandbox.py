"""Parse untrusted uploads in a separate process with limits on memory and CPU time.

`run` starts a module as a process, and that module calls `serve`. The process gets an empty environment, hence no
secrets.
"""

from __future__ import annotations

import logging
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger("apps.events.confined")

TIMEOUT_SECONDS = 60  # wall clock, for a busy machine; the limit of CPU time is the caller's and shorter
EXIT_REFUSED = 3  # exit status; stderr then holds a message for the user
_BACKEND = Path(__file__).parents[2]


class RefusedError(ValueError):
    """The content is not acceptable. The message tells the user what is wrong and what to do."""


class ExhaustedError(Exception):
    """Reading the content exceeded the limit of memory or time, or crashed the process."""


def run(module: str, content: bytes, *arguments: str, memory_bytes: int, cpu_seconds: int) -> bytes:
    """Return the output of `module` for the content.

    Raises RefusedError if the module does not accept the content, and ExhaustedError if it exceeds a limit or crashes.
    """
    # No warnings: stderr is the message for the user.
    command = [sys.executable, "-W", "ignore", "-m", module, str(memory_bytes), str(cpu_seconds), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 # our own module; the content goes through stdin
            command, input=content, capture_output=True, timeout=TIMEOUT_SECONDS, cwd=_BACKEND, env={}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ExhaustedError(f"{module} took longer than {TIMEOUT_SECONDS} s") from error
    if done.returncode == EXIT_REFUSED:
        raise RefusedError(done.stderr.decode())
    if done.returncode:
        reason = f"{module} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-300:]!r}"
        logger.warning("An upload could not be read. %s", reason)
        raise ExhaustedError(reason)
    return done.stdout


def serve(read: Callable[..., bytes]) -> None:
    """Set the limits of this process, which `run` started, and write `read(stdin)` to stdout.

    If `read` raises RefusedError, write its message to stderr and exit with EXIT_REFUSED.
    """
    memory, seconds, *arguments = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        output = read(sys.stdin.buffer.read(), *arguments)
    except RefusedError as error:
        sys.stderr.write(str(error))
        sys.exit(EXIT_REFUSED)
    sys.stdout.buffer.write(output)
