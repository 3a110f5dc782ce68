"""Logging configuration: one line of text or one JSON object for each record.

All code logs through the standard library; structlog formats the records. The log context (request, task, row) comes
from `context.py`. All records of the process go through one handler, and every field through `redaction.py`.
"""

from __future__ import annotations

import logging
import logging.config
import sys
import textwrap
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from django.conf import settings
from structlog.typing import EventDict

from .redaction import escape, escape_lines, redact, sanitise

FORMATS: Final = ("text", "json")
FIRST_FIELDS: Final = ("time", "level", "logger", "message")
MULTILINE_FIELDS: Final = ("exception", "stack_info")


def logging_config(form: str, level: str) -> dict[str, Any]:
    """Return the value of Django's LOGGING setting. `form` is one of FORMATS; `level` is that of our own loggers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "apps.core.telemetry.logs.formatter", "form": form}},
        "handlers": {"console": {"class": "apps.core.telemetry.logs.SafeHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "apps": {"level": level},
            # One line for each request is useful in a log store, and noise on a developer's terminal.
            "apps.telemetry.middleware": {"level": level if form == "json" else "WARNING"},
            "django.request": {"level": "ERROR"},  # its warnings are about client errors, such as 404
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Apply a logging configuration, and make every line of this process use our formatter. Django calls this.

    Loggers that the configuration does not name lose the handlers that Django, Granian and others gave them, and
    propagate to the root logger. Handlers with another formatter get ours.
    """
    logging.config.dictConfig(config)
    last = SafeHandler()
    last.setLevel(logging.WARNING)
    last.setFormatter(formatter(settings.LOG_FORMAT))
    logging.lastResort = last  # for loggers without any handler
    root = logging.getLogger()
    others = (logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger))
    for logger in (root, *others) if "root" in config else others:
        if logger is not root and logger.name not in config.get("loggers", {}):
            logger.handlers.clear()
            logger.propagate = True
        for handler in logger.handlers:
            if not isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
                handler.setFormatter(last.formatter)
    logging.captureWarnings(True)


def formatter(form: str) -> logging.Formatter:
    """Return the formatter for one of FORMATS."""
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
            _sanitise,
            structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_line,
        ],
    )


class SafeHandler(logging.StreamHandler):  # type: ignore[type-arg] # the kind of stream does not matter
    """A stream handler that does not print the arguments of a record that could not be formatted.

    The standard library prints them to stderr, unredacted.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # overrides logging.Handler's method
        kind = (sys.exc_info()[0] or Exception).__name__
        if kind != "BrokenPipeError":
            place = f"{record.pathname}:{record.lineno}"
            sys.stderr.write(escape(f"{kind}: a line of {record.name} could not be logged; {place}") + "\n")


def _add_time_and_process(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    event["process"] = record.process
    return event


def _sanitise(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Redact secrets, escape unsafe characters, and put the fields in order."""
    if event["logger"].startswith("django.security"):
        # Clients cause these at will, so a traceback for each would flood the log. The message says enough.
        event.pop("exception", None)
    stacks = {name: escape_lines(redact(event.pop(name))) for name in MULTILINE_FIELDS if name in event}
    fields = {**sanitise(event), **stacks}
    known = {name: fields[name] for name in (*FIRST_FIELDS, *settings.LOG_CONTEXT) if name in fields}
    return known | fields


def _as_line(_logger: Any, _method: str, event: EventDict) -> str:
    moment = datetime.fromisoformat(event["time"]).astimezone()
    shown = settings.LOG_LINE_CONTEXT.items()
    about = " ".join(f"{label}={event[name]}" for name, label in shown if name in event)
    line = f"{moment:%Y-%m-%d %H:%M:%S} {event['level'].upper():<7} {event['logger']}: {event['message']}"
    # Indented, so that an exception's text cannot forge a log line.
    stacks = [textwrap.indent(event[name], "    ", lambda _: True) for name in MULTILINE_FIELDS if name in event]
    return "\n".join([f"{line} [{about}]" if about else line, *stacks])
