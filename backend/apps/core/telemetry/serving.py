"""Access control for /metrics, and the metrics of this machine's processes."""

from __future__ import annotations

import hmac

from django.conf import settings
from prometheus_client import CollectorRegistry

from . import metrics, process_files


def may_read_metrics(authorization: str) -> bool:
    """Return whether the header is `Bearer` and METRICS_TOKEN; always False if that setting is empty."""
    token = settings.METRICS_TOKEN
    return bool(token) and hmac.compare_digest(authorization.removeprefix("Bearer ").encode(), token.encode())


def add_processes(registry: CollectorRegistry) -> None:
    """Add the metrics of all processes of this machine to the registry."""
    metrics.initialise_series()
    process_files.register(registry)
