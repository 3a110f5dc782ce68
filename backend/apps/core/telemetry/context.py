"""What the lines of the log and the tasks that are sent have in common: the request, the task, the row at hand."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import Any, Final

from structlog import contextvars

SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


def about(**what: object) -> AbstractContextManager[None]:
    """Say in every line that is logged meanwhile what it is about, such as `request_id`. What is None is left out."""
    return contextvars.bound_contextvars(**{name: str(value) for name, value in what.items() if value is not None})


def current(name: str) -> str | None:
    """What the lines that are logged now say of `name`, None if nothing."""
    value: str | None = contextvars.get_contextvars().get(name)
    return value


def request_id_from(header: str | None) -> str:
    """The request id that somebody sent along, if it is harmless in logs, headers and shells; else a new one.

    Harmless: 8 to 64 letters, digits, dots, dashes and underscores of ASCII, the first a letter or a digit.
    """
    return header if header and SANE_REQUEST_ID.fullmatch(header) else secrets.token_hex(16)


class ContextThreadPool(ThreadPoolExecutor):
    """Threads whose lines say the same as those of whoever gave them the work."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(copy_context().run, function, *args, **kwargs)
