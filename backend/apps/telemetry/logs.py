"""How the log is written: a line for people, or a JSON object for programs. Settings.py asks for its configuration.

The records of the standard library are all there are; structlog turns them into text. What a line is about (the
request, the task, the ticket) comes from `context.py`, and nothing leaves without having passed `redaction.py`.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from structlog.typing import EventDict

from .redaction import redacted

FORMATS: Final = ("text", "json")
FIRST: Final = ("time", "level", "logger", "message")
CONTEXT: Final = ("request_id", "ticket_id", "event_id", "task", "task_id", "worker")
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
OURS: Final = frozenset({"time", "level", "logger", "process", "task", "worker"})  # nobody else's words are in them
SHORT: Final = {"request_id": "request", "ticket_id": "ticket", "event_id": "event", "task_id": "task"}


def logging_config(form: str, level: str) -> dict[str, Any]:
    """What Django's LOGGING setting is to be. `form` is one of FORMATS; `level` is that of our own loggers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "apps.telemetry.logs.formatter", "form": form}},
        "handlers": {"console": {"class": "apps.telemetry.logs.CarefulHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "apps": {"handlers": ["console"], "level": level, "propagate": False},
            # A line a request is for machines that keep them; a laptop's terminal has better use for its lines.
            "apps.telemetry.middleware": {"level": level if form == "json" else "WARNING"},
            "django.request": {"level": "ERROR"},  # an address that isn't there is nobody's mistake but the visitor's
            "django.security.DisallowedHost": {"handlers": [], "propagate": False},
        },
    }


def formatter(form: str) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _add_time_and_process,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            _redact,
            _in_order,
            structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_line,
        ],
    )


class CarefulHandler(logging.StreamHandler):  # type: ignore[type-arg] # of whatever stream
    """Does not print the arguments of a line that could not be formatted, as the standard library does."""

    def handleError(self, record: logging.LogRecord) -> None:
        kind = (sys.exc_info()[0] or Exception).__name__
        if kind != "BrokenPipeError":
            sys.stderr.write(
                f"{kind}: a line of {record.name} could not be logged; {record.pathname}:{record.lineno}\n"
            )


def _add_time_and_process(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    event["process"] = record.process
    return event


def _redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {name: value if name in OURS else redacted(value) for name, value in event.items()}


def _in_order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    known = [name for name in (*FIRST, *CONTEXT) if name in event]
    return {name: event[name] for name in known} | dict(event)


def _as_line(_logger: Any, _method: str, event: EventDict) -> str:
    moment = datetime.fromisoformat(event["time"]).astimezone()
    about = " ".join(f"{SHORT.get(name, name)}={event[name]}" for name in ("request_id", "ticket_id") if name in event)
    message = CONTROLS.sub(lambda found: repr(found[0])[1:-1], event["message"])  # one line, whoever wrote it
    line = f"{moment:%Y-%m-%d %H:%M:%S} {event['level'].upper():<7} {event['logger']}: {message}"
    return "\n".join(filter(None, [f"{line} [{about}]" if about else line, event.get("exception", "")]))
