"""Touch a file while a worker or beat works, for health checks that look at its age.

A worker touches it every two seconds while it is connected to the broker and its main loop runs. Beat touches it after
each task that the broker took. Neither tells whether tasks get on: the backlog's metrics do.
"""

from __future__ import annotations

from pathlib import Path

from celery.signals import after_task_publish, beat_init, celeryd_init, heartbeat_sent
from django.conf import settings

_UID = "config.heartbeat"


def connect() -> None:
    """Have workers and beat, once they start, touch settings.HEARTBEAT_FILE."""
    celeryd_init.connect(_start_in_worker, weak=False, dispatch_uid=_UID)
    beat_init.connect(_start_in_beat, weak=False, dispatch_uid=_UID)


def _start_in_worker(**_: object) -> None:
    if settings.HEARTBEAT_FILE:
        heartbeat_sent.connect(_touch, weak=False, dispatch_uid=_UID)


def _start_in_beat(**_: object) -> None:
    if settings.HEARTBEAT_FILE:
        after_task_publish.connect(_touch, weak=False, dispatch_uid=_UID)


def _touch(**_: object) -> None:
    Path(settings.HEARTBEAT_FILE).touch()
