"""The log context: the request, task and row that log lines and sent tasks belong to."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import Any, Final

from structlog import contextvars

SAFE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


def log_context(**fields: object) -> AbstractContextManager[None]:
    """Add fields, such as `request_id`, to every line that is logged within the context. Fields of None are omitted."""
    return contextvars.bound_contextvars(**{name: str(value) for name, value in fields.items() if value is not None})


def context_value(name: str) -> str | None:
    """Return a field of the current log context, or None if it is not set."""
    value: str | None = contextvars.get_contextvars().get(name)
    return value


def request_id_from(header: str | None) -> str:
    """Return the client's request id if it is safe in logs, headers and shells, or else a new random one.

    Safe are 8 to 64 ASCII letters, digits, dots, hyphens and underscores, beginning with a letter or a digit.
    """
    return header if header and SAFE_REQUEST_ID.fullmatch(header) else secrets.token_hex(16)


class ContextThreadPool(ThreadPoolExecutor):
    """A thread pool whose threads run with the log context of the code that submitted the work."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(copy_context().run, function, *args, **kwargs)
