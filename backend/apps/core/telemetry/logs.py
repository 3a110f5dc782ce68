"""How the log is written: a line for people, or a JSON object for programs. Settings.py asks for its configuration.

The records of the standard library are all there are; structlog turns them into text. What a line is about (the
request, the task, a row) comes from `context.py`. All records of the process leave by one handler, and every field
passes `redaction.py` on the way.
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

from .redaction import clean, clean_lines, presentable, redact

FORMATS: Final = ("text", "json")
FIRST: Final = ("time", "level", "logger", "message")
STACKS: Final = ("exception", "stack_info")  # texts of several lines


def logging_config(form: str, level: str) -> dict[str, Any]:
    """What Django's LOGGING setting is to be. `form` is one of FORMATS; `level` is that of our own loggers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "apps.core.telemetry.logs.formatter", "form": form}},
        "handlers": {"console": {"class": "apps.core.telemetry.logs.CarefulHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "apps": {"level": level},
            # A line a request is for machines that keep them; a laptop's terminal has better use for its lines.
            "apps.telemetry.middleware": {"level": level if form == "json" else "WARNING"},
            "django.request": {"level": "ERROR"},  # an address that isn't there is nobody's mistake but the visitor's
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Apply a logging configuration, and have every line of this process formatted here. Django calls this.

    Loggers that the configuration does not name lose the handlers that Django, Granian and others gave them, and write
    by the root logger's. Handlers of the configuration that have another formatter get this one.
    """
    logging.config.dictConfig(config)
    last = CarefulHandler()
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
            _presentable,
            structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_line,
        ],
    )


class CarefulHandler(logging.StreamHandler):  # type: ignore[type-arg] # of whatever stream
    """Does not print the arguments of a line that could not be formatted, as the standard library does."""

    def handleError(self, record: logging.LogRecord) -> None:
        kind = (sys.exc_info()[0] or Exception).__name__
        if kind != "BrokenPipeError":
            place = f"{record.pathname}:{record.lineno}"
            sys.stderr.write(clean(f"{kind}: a line of {record.name} could not be logged; {place}") + "\n")


def _add_time_and_process(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    event["process"] = record.process
    return event


def _presentable(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Leave out secrets and what is no plain text, and put the fields in order."""
    if event["logger"].startswith("django.security"):
        # What a client did is no error of ours: its line says enough, and the client chooses how many there are.
        event.pop("exception", None)
    stacks = {name: clean_lines(redact(event.pop(name))) for name in STACKS if name in event}
    fields = {**presentable(event), **stacks}
    known = {name: fields[name] for name in (*FIRST, *settings.LOG_CONTEXT) if name in fields}
    return known | fields


def _as_line(_logger: Any, _method: str, event: EventDict) -> str:
    moment = datetime.fromisoformat(event["time"]).astimezone()
    shown = settings.LOG_LINE_CONTEXT.items()
    about = " ".join(f"{label}={event[name]}" for name, label in shown if name in event)
    line = f"{moment:%Y-%m-%d %H:%M:%S} {event['level'].upper():<7} {event['logger']}: {event['message']}"
    # Indented, no line of an exception's text can pass for a line of the log.
    stacks = [textwrap.indent(event[name], "    ", lambda _: True) for name in STACKS if name in event]
    return "\n".join([f"{line} [{about}]" if about else line, *stacks])
