"""Celery's part: tasks take the id of the request that sent them along, say who they are in the log, and are timed."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import Any

from celery import signals
from celery.utils.log import get_multiprocessing_logger

from . import metrics
from .context import about, current

_UID = "apps.core.telemetry"


def connect() -> None:
    for signal, receiver in (
        (signals.setup_logging, _keep_our_logging),
        (signals.before_task_publish, _send_along),
        (signals.task_prerun, _begin),
        (signals.task_postrun, _end),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"{_UID}.{receiver.__name__}")


def _keep_our_logging(loglevel: Any = None, **_: Any) -> None:
    """Workers and beat write what settings.LOGGING says; their --loglevel counts for Celery's own lines."""
    pool = get_multiprocessing_logger()  # tells of processes that died; it has no handler but what Celery gives it
    if pool is not None:
        pool.propagate = True
        pool.setLevel(logging.ERROR)
    if loglevel is not None:
        logging.getLogger().setLevel(loglevel)


def _send_along(headers: dict[str, Any], **_: Any) -> None:
    if request_id := current("request_id"):
        headers["request_id"] = request_id


def _begin(task: Any, task_id: str, **_: Any) -> None:
    context = ExitStack()
    request_id = getattr(task.request, "request_id", None)  # as a header of ours arrives
    context.enter_context(about(request_id=request_id, task_id=task_id, task=task.name, worker=task.request.hostname))
    task.request.telemetry = context, time.perf_counter()


def _end(task: Any, state: str | None = None, **_: Any) -> None:
    context, began = task.request.telemetry
    metrics.task_seconds.labels(task.name, (state or "unknown").lower()).observe(time.perf_counter() - began)
    context.close()
