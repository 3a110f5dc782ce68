"""For monitors: /healthz, /readyz and /metrics."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from apps.core.telemetry.serving import add_processes, may_read_metrics

from . import readiness
from .collectors import Database, Wallets


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked, so that a broken neighbour never has it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether to send requests here: 200, or 503 with the reasons. `impaired` says what is amiss besides."""
    reasons = readiness.unready()
    impaired = [] if reasons else readiness.impaired()
    answer = {"ready": not reasons, "reasons": reasons, "impaired": impaired}
    return JsonResponse(answer, status=503 if reasons else 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What the database and the broker know, the same from whichever machine, and what the processes of this one
    counted. Needs METRICS_TOKEN."""
    if not may_read_metrics(request.headers.get("Authorization", "")):
        raise Http404
    registry = CollectorRegistry()
    registry.register(Database())
    registry.register(Wallets())
    add_processes(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
