"""Serve ``/triggers``, which send notifications of all calls, and ``/v2/notifications``, where clients poll them."""

import asyncio
import secrets
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.errors import bad_request, not_found
from cloudlet.model import Json, now_iso
from cloudlet.network.webhooks import TRIGGER
from cloudlet.services import services_of
from cloudlet.store import Transaction, documents
from cloudlet.web.auth import require_admin
from cloudlet.web.forms import read_form
from cloudlet.web.params import Params

_URI_TYPES = ("webhook", "poll")
_POLL_INTERVAL_SECONDS = 0.05


def list_triggers(call: AdminCall) -> Json:
    event_type = call.params.text("event_type")
    found = documents.list_all(call.store.reader, TRIGGER)
    shown = [trigger for trigger in found if event_type in ("", trigger["event_type"])]
    return {"triggers": shown, "total": len(shown)}


def _validate_uri(call: AdminCall, uri: str, uri_type: str) -> str:
    parts = call.services.webhooks.parse_url(uri)
    schemes = ("poll",) if uri_type == "poll" else ("http", "https")
    if parts is None or parts.scheme not in schemes:
        raise bad_request(f"Invalid uri {uri[:200]} for a {uri_type} trigger")
    return uri


def create(call: AdminCall) -> Json:
    uri_type = call.params.choice("uri_type", _URI_TYPES, "webhook")
    trigger: dict[str, Json] = {
        "id": secrets.token_hex(16),
        "uri": _validate_uri(call, call.params.required("uri"), uri_type),
        "uri_type": uri_type,
        "event_type": call.params.required("event_type"),
        "created_at": now_iso(),
        "updated_at": now_iso(),
    }
    call.store.write(lambda transaction: documents.save(transaction, TRIGGER, trigger["id"], trigger))
    call.services.webhooks.triggers_changed()
    return trigger


def _find(transaction: Transaction, trigger_id: str) -> dict[str, Json]:
    trigger = documents.find(transaction.connection, TRIGGER, trigger_id)
    if trigger is None:
        raise not_found(f"Trigger {trigger_id} not found")
    return trigger


def update(call: AdminCall) -> Json:
    uri = call.params.required("new_uri")

    def job(transaction: Transaction) -> None:
        trigger = _find(transaction, call.path["id"])
        trigger.update(uri=_validate_uri(call, uri, trigger["uri_type"]), updated_at=now_iso())
        documents.save(transaction, TRIGGER, trigger["id"], trigger)

    call.store.write(job)
    call.services.webhooks.triggers_changed()
    return {"message": "Trigger updated"}


def delete(call: AdminCall) -> Json:
    def job(transaction: Transaction) -> None:
        _find(transaction, call.path["id"])
        documents.delete(transaction, TRIGGER, call.path["id"])

    call.store.write(job)
    call.services.webhooks.triggers_changed()
    return {"message": "Trigger deleted"}


def test(call: AdminCall) -> Json:
    """Test a trigger. Triggers of cloudlet have no filters, so all events of their type pass."""
    call.store.write(lambda transaction: _find(transaction, call.path["id"]))
    return {"trigger_id": call.path["id"], "filter_present": False, "filter_result": True}


# ------------------------------------------------------------------------------------------------ polling


async def messages(request: Request) -> Response:
    """Serve ``GET /v2/notifications/{cloud}/messages``, which waits up to ``wait_seconds`` for messages."""
    services = services_of(request)
    require_admin(request, services.settings)
    params = Params.from_pairs(request.query_params.multi_items())
    channel, batch_id = params.text("channel"), params.text("batch_id")
    if bool(channel) == bool(batch_id):
        raise bad_request("Supply exactly one of channel or batch_id")
    address = f"channel:{channel}" if channel else f"batch:{batch_id}"
    limit = params.integer("max_messages", 10, low=1, high=100)
    visibility = params.integer("visibility_timeout", 30, low=1, high=600)
    deadline = time.monotonic() + params.integer("wait_seconds", 20, high=60)
    while True:
        found = services.webhooks.mailbox.claim(address, limit, visibility)
        if found or time.monotonic() >= deadline or await request.is_disconnected():
            return JSONResponse({"messages": found} if found else {})
        await asyncio.sleep(_POLL_INTERVAL_SECONDS)


async def acknowledge(request: Request) -> Response:
    """Serve ``POST /v2/notifications/{cloud}/messages/ack`` with receipt_handles."""
    services = services_of(request)
    require_admin(request, services.settings)
    form = await read_form(request, services.store.stage, services.settings.max_upload_bytes)
    form.discard()
    handles = form.params.items("receipt_handles")
    if not 0 < len(handles) <= 100:
        raise bad_request("receipt_handles must name 1 to 100 messages")
    results = [
        {"receipt_handle": handle, "status": "acked" if services.webhooks.mailbox.acknowledge(handle) else "not_found"}
        for handle in handles
    ]
    return JSONResponse({"results": results})
