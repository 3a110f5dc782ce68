"""Define `manage.py serve_metrics`, for machines that run workers but no web server."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from apps.core.telemetry.serving import add_processes, may_read_metrics

CLIENT_TIMEOUT_SECONDS = 10  # for a client that sends nothing


class Command(BaseCommand):
    help = (
        "Serve the metrics of this machine's processes on /metrics, for Prometheus. Only machines without an Admit web "
        "server need this: web servers have /metrics themselves."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=9101, help="the port to listen on (default: 9101)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.METRICS_TOKEN:
            raise CommandError("Set METRICS_TOKEN first: it protects the metrics.")
        try:
            server = make_server(options["host"], options["port"], application, _Server, _Handler)
        except OSError as error:
            raise CommandError(f"{options['host']}:{options['port']} can't be listened on: {error}") from error
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.stdout.write(f"Metrics are on http://{options['host']}:{server.server_port}/metrics")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Serve /metrics to requests with the token, and 404 for all others. A WSGI application."""
    if environ["PATH_INFO"] != "/metrics" or not may_read_metrics(environ.get("HTTP_AUTHORIZATION", "")):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Not found\n"]
    registry = CollectorRegistry()
    add_processes(registry)
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [generate_latest(registry)]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a line for every scrape would flood the log."""
