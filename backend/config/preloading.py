"""Import what requests and tasks need before the first of them. So none waits for it, and forked processes share it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from celery.signals import celeryd_after_setup
from django.conf import settings

import ticketkit
from apps.core.jobs.dispatch import BULK, INTERACTIVE


def load_pages() -> None:
    """Import the pages, the API and the back office, and what draws tickets."""
    import_module(settings.ROOT_URLCONF)
    load_renderer()


def load_renderer() -> None:
    """Import all of ticketkit, which else imports each of its modules at first use."""
    for name in ticketkit.__all__:
        getattr(ticketkit, name)


def connect() -> None:
    """Have workers that make tickets load the renderer before they start processes for tasks."""
    celeryd_after_setup.connect(_load_in_worker, weak=False, dispatch_uid="config.preloading")


def _load_in_worker(instance: Any, **_: object) -> None:
    if {INTERACTIVE, BULK} & set(instance.app.amqp.queues.consume_from):
        load_renderer()
