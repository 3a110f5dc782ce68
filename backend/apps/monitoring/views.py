"""Views for monitoring systems: /healthz, /readyz and /metrics."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from apps.core.telemetry.serving import add_processes, may_read_metrics

from . import readiness
from .collectors import DatabaseCollector, WalletCollector


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """Return 200. Check nothing else, so that the outage of a dependency does not restart the process."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Return 200 if this process can serve requests, else 503 with the reasons. `impaired` lists other problems."""
    reasons = readiness.unready()
    impaired = [] if reasons else readiness.impaired()
    content = {"ready": not reasons, "reasons": reasons, "impaired": impaired}
    return JsonResponse(content, status=503 if reasons else 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of the database and the broker, and of the processes of this machine.

    The request needs METRICS_TOKEN. The former metrics are the same on every machine.
    """
    if not may_read_metrics(request.headers.get("Authorization", "")):
        raise Http404
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    registry.register(WalletCollector())
    add_processes(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
