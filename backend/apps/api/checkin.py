"""Check-in: verify codes, admit holders, and publish the keys for offline verification."""

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
from .schemas import KeysOut, ScanIn, VerdictOut
from .serializers import verdict_out
from .throttling import PerPerson

router = Router(tags=["Check-in"])


class ScannedText:
    """A path converter for the rest of the URL. Django's `path` does not match the line end that scanners add."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ScannedText, "scanned")


def _requested_event(request: SignedInRequest, event_id: int | None) -> Event | None:
    """Return the event that the user checks tickets for, or None if the request names none.

    Raises ApiError 403 if the user checks no tickets at all, and 404 if they check none of this event.
    """
    if not checks_tickets(request.auth):
        raise ApiError(403, "Only organisers and door staff can check tickets.")
    if event_id is None:
        return None
    event = Event.objects.filter(pk=event_id).first()
    if event is None or not may_check(request.auth, event):
        raise ApiError(404, "This event does not exist, or you don't check tickets for it.")
    return event


@router.get(
    "verify/{scanned:code}",
    response={200: VerdictOut, **declared(401, 403, 404, 422, 429)},
    operation_id="verify_code",
    summary="Check a code",
    throttle=PerPerson("door"),
)
def verify(request: SignedInRequest, code: str, event: int | None = None) -> VerdictOut:
    """Return the verdict on a scanned code without admitting anyone. For organisers and door staff of the event.

    Percent-encode the whole code, `/` included: it contains `/ : % + $ * .` and spaces. If a proxy rewrites URLs, send
    the code in the body of a POST instead.

    `event` is the id of the event that is being checked in. Tickets of other events get the verdict `wrong_event`.
    """
    requested = _requested_event(request, event)
    result = admission.check(code, request.auth, requested)
    if result.verdict is Verdict.UNKNOWN and code.endswith("/"):
        # Clients may add the trailing slash of all other URLs. Among codes, only links on legacy tickets end with one.
        result = admission.check(code.removesuffix("/"), request.auth, requested)
    return verdict_out(result)


@router.post(
    "verify/",
    response={200: VerdictOut, **declared(400, 401, 403, 404, 422, 429)},
    operation_id="verify_scan",
    summary="Check a code sent in the body",
    throttle=PerPerson("door"),
)
def verify_scan(request: SignedInRequest, scan: ScanIn) -> VerdictOut:
    """Do the same as `GET /api/events/verify/{code}`, but keep the code out of URLs, logs and proxy caches."""
    return verdict_out(admission.check(scan.code, request.auth, _requested_event(request, scan.event)))


@router.post(
    "admit/",
    response={200: VerdictOut, **declared(400, 401, 403, 404, 422, 429)},
    operation_id="admit",
    summary="Admit the holder",
    throttle=PerPerson("door"),
)
def admit(request: SignedInRequest, scan: ScanIn) -> VerdictOut:
    """Mark the ticket as used. Of any number of concurrent scans, exactly one gets `valid`: admit only that one.

    All other scans get `used`, with the time of the first. If the response is lost, repeat the request: a `used_at` of
    a few seconds ago means that your own first request succeeded.
    """
    return verdict_out(admission.admit(scan.code, request.auth, _requested_event(request, scan.event)))


@router.get(
    "keys/",
    response={200: KeysOut, 304: None},
    auth=None,
    operation_id="list_keys",
    summary="List the public keys for offline verification",
)
@decorate_view(conditional_page, cache_control(public=True, max_age=3600))
def keys(request: HttpRequest) -> KeysOut:
    """Return every key whose codes are accepted. Fetch them before the event; new keys appear before they sign codes.

    A code is `AD1:` followed by the Base45 form (RFC 9285) of 87 bytes:

    | offset | bytes | field |
    |---|---|---|
    | 0 | 1 | format, 1 |
    | 1 | 1 | key id |
    | 2 | 4 | event id, big-endian |
    | 6 | 16 | ticket id (UUID) |
    | 22 | 1 | generation of the code |
    | 23 | 64 | Ed25519 signature over `admit ticket code 1`, a zero byte, and the 23 bytes before |

    A valid signature proves that the ticket was issued. Only the server knows whether it was used or re-issued since.
    """
    public_keys = keyring().public_keys().items()
    return KeysOut(keys={str(key_id): base64.b64encode(key).decode() for key_id, key in public_keys})
