"""The door: checking codes, letting people in, and the keys for doing it offline."""

from __future__ import annotations

import base64

from django.http import HttpRequest
from django.urls import register_converter
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from ninja import Router
from ninja.decorators import decorate_view

from apps.checkin import admission
from apps.checkin.admission import Verdict
from apps.events.codes import keyring
from apps.events.models import Event
from apps.events.permissions import checks_tickets, may_check

from .authentication import SignedInRequest
from .errors import ApiError, declared
from .present import verdict_out
from .schemas import KeysOut, ScanIn, VerdictOut
from .throttling import PerPerson

router = Router(tags=["Door"])


class ScannedText:
    """The rest of an address, whatever it is: Django's own `path` stops at the line end that some scanners add."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ScannedText, "scanned")


def _event_at_the_door(request: SignedInRequest, event_id: int | None) -> Event | None:
    """The event that the asker checks tickets for, if one is named. Raises ApiError 403 or 404."""
    if not checks_tickets(request.auth):
        raise ApiError(403, "Only organisers and door staff can check tickets.")
    if event_id is None:
        return None
    event = Event.objects.filter(pk=event_id).first()
    if event is None or not may_check(request.auth, event):
        raise ApiError(404, "There is no such event, or you don't check tickets for it.")
    return event


@router.get(
    "verify/{scanned:code}",
    response={200: VerdictOut, **declared(401, 403, 404, 422, 429)},
    operation_id="verify_code",
    summary="What a code is worth",
    throttle=PerPerson("door"),
)
def verify(request: SignedInRequest, code: str, event: int | None = None) -> VerdictOut:
    """The verdict on a scanned code; nothing changes. For organisers and door staff, on tickets of their own events.

    Percent-encode the whole code, `/` included: it contains `/ : % + $ * .` and spaces. Where a proxy on the way
    rewrites addresses, use the same question as a POST, which carries the code in its body.

    `event` is the id of the event at whose door this is; tickets of other events get the verdict `wrong_event`.
    """
    at_the_door = _event_at_the_door(request, event)
    found = admission.check(code, request.auth, at_the_door)
    if found.verdict is Verdict.UNKNOWN and code.endswith("/"):
        # Every other address here ends with a slash; of codes, only links that were printed on old tickets do.
        found = admission.check(code.removesuffix("/"), request.auth, at_the_door)
    return verdict_out(found)


@router.post(
    "verify/",
    response={200: VerdictOut, **declared(400, 401, 403, 404, 422, 429)},
    operation_id="verify_scan",
    summary="What a code is worth, asked with a body",
    throttle=PerPerson("door"),
)
def verify_scan(request: SignedInRequest, scan: ScanIn) -> VerdictOut:
    """As `GET /api/events/verify/{code}`, but the code is in no address, log or proxy's cache. Changes nothing."""
    return verdict_out(admission.check(scan.code, request.auth, _event_at_the_door(request, scan.event)))


@router.post(
    "admit/",
    response={200: VerdictOut, **declared(400, 401, 403, 404, 422, 429)},
    operation_id="admit",
    summary="Let the holder in",
    throttle=PerPerson("door"),
)
def admit(request: SignedInRequest, scan: ScanIn) -> VerdictOut:
    """Use the ticket up. Of any number of simultaneous scans exactly one gets `valid`; open the door for that one.

    All others get `used`, with the time. If an answer is lost on the way, ask again: `used_at` of a few seconds ago
    is your own first try.
    """
    return verdict_out(admission.admit(scan.code, request.auth, _event_at_the_door(request, scan.event)))


@router.get(
    "keys/",
    response={200: KeysOut, 304: None},
    auth=None,
    operation_id="list_keys",
    summary="Public keys, to verify codes offline",
)
@decorate_view(conditional_page, cache_control(public=True, max_age=3600))
def keys(request: HttpRequest) -> KeysOut:
    """Every key whose codes are accepted. Fetch them before the event; a new key is announced here before it signs.

    A code is `AD1:` followed by the Base45 form (RFC 9285) of 87 bytes:

    | offset | bytes | field |
    |---|---|---|
    | 0 | 1 | format, 1 |
    | 1 | 1 | key id |
    | 2 | 4 | event id, big-endian |
    | 6 | 16 | ticket id (UUID) |
    | 22 | 1 | generation of the code |
    | 23 | 64 | Ed25519 signature over `admit ticket code 1`, a zero byte, and the 23 bytes before |

    A genuine code proves that the ticket was issued. Whether it was used, or re-issued since, only the server knows.
    """
    public_keys = keyring().public_keys().items()
    return KeysOut(keys={str(key_id): base64.b64encode(key).decode() for key_id, key in public_keys})
