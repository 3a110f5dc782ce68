"""Apply the fault plan to calls. The middleware runs inside the call log, which therefore shows all faults."""

import asyncio
import email.utils
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudlet.errors import ApiError
from cloudlet.faults.plan import FaultPlan
from cloudlet.faults.rules import Kind, Rule
from cloudlet.server.http_protocol import abort_connection
from cloudlet.web.paths import upload_action

_SLICE_SECONDS = 0.05
_BLOCKED = (".pdf", ".zip")


def call_names(method: str, path: str) -> tuple[str, ...]:
    """Return the names by which rules match a call. Console and control endpoints have none."""
    action = upload_action(path)
    if action is not None and method == "POST":
        return action, "upload_api"
    parts = path.strip("/").split("/")
    if parts[0] == "v1_1":
        return (parts[2] if len(parts) > 2 else "", "admin_api")
    if len(parts) > 2 and parts[0] != "_cloudlet":
        return ("delivery",)
    return ()


class FaultMiddleware:
    """ASGI middleware that applies the faults which the plan draws for each call."""

    def __init__(self, app: ASGIApp, plan: FaultPlan) -> None:
        self._app = app
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = call_names(scope["method"], scope["path"]) if self._plan.rules and scope["type"] == "http" else ()
        faults = self._plan.draw(names) if names else []
        dropped_after = False
        for rule, delay in faults:
            if delay:
                await asyncio.sleep(delay)
            elif rule.kind is Kind.DROP_BEFORE:
                await abort_connection(scope)
                return
            elif rule.kind is Kind.SLOW:
                send = _throttle(send, rule.bytes_per_second)
            elif rule.kind is Kind.DROP_AFTER:
                dropped_after = True
            else:
                _refuse(rule, scope["path"])
        await self._app(scope, receive, _discard if dropped_after else send)
        if dropped_after:
            await abort_connection(scope)


async def _discard(_: Message) -> None:
    """Discard a response that the client must not receive."""


def _refuse(rule: Rule, path: str) -> None:
    if rule.kind is Kind.BLOCK_PDF:
        if path.endswith(_BLOCKED):
            raise ApiError(401, rule.message or "deny or ACL failure")
    elif rule.kind is Kind.RATE_LIMIT:
        reset = email.utils.formatdate(time.time() + rule.reset, usegmt=True)
        headers = {
            "X-FeatureRateLimit-Limit": "500",
            "X-FeatureRateLimit-Remaining": "0",
            "X-FeatureRateLimit-Reset": reset,
        }
        text = rule.message or f"Rate Limit Exceeded. Limit of 500 api operations reached. Try again on {reset}"
        raise ApiError(rule.response_status, text, headers)
    elif rule.kind is Kind.ERROR:
        raise ApiError(rule.response_status, rule.message or "Injected fault")


def _throttle(send: Send, bytes_per_second: int) -> Send:
    """Return a ``send`` that sends bodies in small slices at the given rate."""
    slice_bytes = max(1, int(bytes_per_second * _SLICE_SECONDS))

    async def trickle(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or len(body) <= slice_bytes:
            await send(message)
            return
        for start in range(0, len(body), slice_bytes):
            more = message.get("more_body", False) or start + slice_bytes < len(body)
            await send({**message, "body": body[start : start + slice_bytes], "more_body": more})
            await asyncio.sleep(_SLICE_SECONDS)

    return trickle
