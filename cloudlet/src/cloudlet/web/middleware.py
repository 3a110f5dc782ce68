"""Add a request id to each call, turn errors into responses, and record the call in the log."""

import json
import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudlet.errors import ApiError
from cloudlet.web.headers import header_text
from cloudlet.web.paths import CONSOLE_PREFIX, is_delivery
from cloudlet.web.request_log import RequestLog

log = logging.getLogger("cloudlet")


def error_response(error: ApiError, path: str) -> Response:
    """Return the response for an error, with the message in ``X-Cld-Error``. Only API errors have a body, in JSON."""
    headers = {**error.headers, "X-Cld-Error": header_text(error.message)}
    if not is_delivery(path):
        body = json.dumps({"error": {"message": error.message}}, ensure_ascii=False)
        return Response(body, error.status, headers, media_type="application/json")
    headers.setdefault("Cache-Control", "private, no-transform, max-age=0")
    return Response(b"", error.status, headers)


class CallMiddleware:
    """ASGI middleware around all calls except preflights."""

    def __init__(self, app: ASGIApp, calls: RequestLog) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _ResponseRecorder(send, secrets.token_hex(16))
        started = time.perf_counter()
        try:
            await self._app(scope, receive, call.send)
        except ApiError as error:
            call.error = error.message
            await self._refuse(error, scope, receive, call)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            failure = ApiError(500, f"Internal cloudlet error; see its log for request {call.request_id}")
            call.error = failure.message
            await self._refuse(failure, scope, receive, call)
        finally:
            self._record(scope, call, started)

    def _record(self, scope: Scope, call: "_ResponseRecorder", started: float) -> None:
        """Record a call, unless it is one of the console, which shows this log."""
        if scope["path"] != "/" and not scope["path"].startswith(CONSOLE_PREFIX):
            self._calls.record(
                method=scope["method"],
                path=scope["path"],
                status=call.status,
                milliseconds=(time.perf_counter() - started) * 1000,
                request_id=call.request_id,
                error=call.error,
                sent=call.sent,
            )

    @staticmethod
    async def _refuse(error: ApiError, scope: Scope, receive: Receive, call: "_ResponseRecorder") -> None:
        if call.status:
            return
        await error_response(error, scope["path"])(scope, receive, call.send)


class _ResponseRecorder:
    """Sends a response with its request id, and remembers its status, error and size."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0
        self.error = ""
        self.sent = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            self.error = self.error or headers.get("X-Cld-Error", "")
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
        await self._send(message)
