"""Celery signal receivers: pass the request id on to tasks, set their log context, and measure them."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import Any

from celery import signals
from celery.utils.log import get_multiprocessing_logger

from . import metrics
from .context import context_value, log_context

_UID = "apps.core.telemetry"


def connect() -> None:
    """Connect the receivers. Called by `ready()`."""
    for signal, receiver in (
        (signals.setup_logging, _keep_our_logging),
        (signals.before_task_publish, _add_request_id),
        (signals.task_prerun, _start),
        (signals.task_postrun, _finish),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"{_UID}.{receiver.__name__}")


def _keep_our_logging(loglevel: Any = None, **_: Any) -> None:
    """Keep settings.LOGGING in workers and beat. Their --loglevel sets the root logger's level only."""
    pool = get_multiprocessing_logger()  # reports dead processes, and has no handler unless Celery sets up logging
    if pool is not None:
        pool.propagate = True
        pool.setLevel(logging.ERROR)
    if loglevel is not None:
        logging.getLogger().setLevel(loglevel)


def _add_request_id(headers: dict[str, Any], **_: Any) -> None:
    if request_id := context_value("request_id"):
        headers["request_id"] = request_id


def _start(task: Any, task_id: str, **_: Any) -> None:
    context = ExitStack()
    request_id = getattr(task.request, "request_id", None)  # Celery sets custom headers as attributes
    context.enter_context(
        log_context(request_id=request_id, task_id=task_id, task=task.name, worker=task.request.hostname)
    )
    task.request.telemetry = context, time.perf_counter()


def _finish(task: Any, state: str | None = None, **_: Any) -> None:
    context, began = task.request.telemetry
    metrics.task_seconds.labels(task.name, (state or "unknown").lower()).observe(time.perf_counter() - began)
    context.close()
