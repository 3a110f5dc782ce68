"""Who may read /metrics, and the part of it that is the same wherever it is served: this machine's processes."""

from __future__ import annotations

import hmac

from django.conf import settings
from prometheus_client import CollectorRegistry

from . import metrics, process_files


def may_read_metrics(authorization: str) -> bool:
    """Whether the header is `Bearer` and METRICS_TOKEN; never when there is no such token."""
    token = settings.METRICS_TOKEN
    return bool(token) and hmac.compare_digest(authorization.removeprefix("Bearer ").encode(), token.encode())


def add_processes(registry: CollectorRegistry) -> None:
    """Have the registry tell what the processes of this machine counted."""
    metrics.initialise_series()
    process_files.register(registry)
