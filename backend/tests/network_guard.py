"""Find network calls (storage, webhooks, mail, Google) in a request or a transaction, where they are forbidden."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.core.signals import request_finished, request_started
from django.db import connection

from apps.mail import sending
from apps.storage import gateway
from apps.wallets import google_api
from apps.webhooks import http_client


class MisplacedNetworkCallError(AssertionError):
    """The network, or the storage threads, were used while the calling thread had an open request or transaction."""


_elsewhere = threading.local()


@contextmanager
def another_worker() -> Iterator[None]:
    """Suspend the guard, for a test that simulates another process during a request."""
    _elsewhere.on = True
    try:
        yield
    finally:
        _elsewhere.on = False


@contextmanager
def network_guard() -> Iterator[list[str]]:
    """Make such calls fail, and yield the list of them, so that code that catches all errors can't hide one."""
    here = threading.local()
    found: list[str] = []

    def begin(**_: Any) -> None:
        here.in_request = True

    def end(**_: Any) -> None:
        here.in_request = False

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            # Ignore the transaction that wraps the test.
            opened = [block for block in connection.atomic_blocks if not block._from_testcase]
            where = "a transaction" if opened else "a request" if getattr(here, "in_request", False) else ""
            if where and not getattr(_elsewhere, "on", False):
                found.append(f"the network was called in {where}")
                raise MisplacedNetworkCallError(found[-1])
            return function(*args, **kwargs)

        return call

    request_started.connect(begin)
    request_finished.connect(end)
    try:
        with (
            mock.patch.object(gateway._pool, "request", watched(gateway._pool.request)),
            mock.patch.object(gateway._downloads, "request", watched(gateway._downloads.request)),
            mock.patch.object(gateway, "executor", watched(gateway.executor)),
            mock.patch.object(google_api._pool, "request", watched(google_api._pool.request)),
            mock.patch.object(http_client, "post", watched(http_client.post)),
            mock.patch.object(sending, "_send", watched(sending._send)),
        ):
            yield found
    finally:
        request_started.disconnect(begin)
        request_finished.disconnect(end)
