"""Every call to storage has a timeout; uploads and deletions invalidate the CDN; rate limits are respected."""

from __future__ import annotations

import dataclasses
import email.utils
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from apps.storage import gateway
from apps.storage.concurrency_limit import AdaptiveLimit
from apps.storage.http_pool import ObservedPool, encoded_form
from cloudlet.testing import RunningCloudlet
from ticketkit import render_qr_png

CALLS: dict[str, Callable[[], object]] = {
    "upload": lambda: gateway.upload(gateway.QR_CODE, "tickets/qr_codes/1/ticket_x", b"png"),
    "destroy": lambda: gateway.destroy(gateway.QR_CODE, "tickets/qr_codes/1/ticket_x"),
    "destroy_stray": lambda: gateway.destroy_stray("raw", "upload", "tickets/pdf/1/ticket_x.pdf"),
    "fetch": lambda: gateway.fetch(gateway.PDF_TICKET, "tickets/pdf/1/ticket_x"),
    "list_files": lambda: gateway.list_files("tickets/"),
    "ask_account": gateway.ask_account,
}


@pytest.fixture
def silent_storage(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Replace storage by a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        settings.CLOUDINARY_ACCOUNT = dataclasses.replace(
            settings.CLOUDINARY_ACCOUNT, upload_prefix=f"http://{host}", cname=host, is_cloudlet=False
        )
        monkeypatch.setattr(gateway, "TIMEOUT", urllib3.Timeout(connect=0.3, read=0.3))
        yield host


@pytest.mark.integration
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_calls_time_out_if_storage_does_not_respond(silent_storage: str, call: Callable[[], object]) -> None:
    began = time.monotonic()
    with pytest.raises(gateway.MediaError) as caught:
        call()
    assert 0.3 <= time.monotonic() - began < 5
    assert caught.value.status is None
    assert caught.value.is_temporary
    assert f"Nothing answers on http://{silent_storage}." in str(caught.value)


def sent_by(call: Callable[[], object]) -> list[dict[str, Any]]:
    """Return the form fields of each request that the call sends."""
    with mock.patch.object(gateway._pool, "request", side_effect=gateway._pool.request) as request:
        call()
    return [dict(made.kwargs["fields"]) for made in request.call_args_list]


def test_upload_overwrites_the_public_id_and_invalidates_the_cdn(cloudlet: RunningCloudlet) -> None:
    public_id = gateway.QR_CODE.public_id(7, "11111111-2222-3333-4444-555555555555")
    (fields,) = sent_by(lambda: gateway.upload(gateway.QR_CODE, public_id, render_qr_png("somebody's")))
    assert (fields["public_id"], fields["type"]) == (public_id, "authenticated")
    assert (fields["overwrite"], fields["invalidate"], fields["unique_filename"]) == ("1", "1", "0")


def test_deletion_invalidates_the_cdn(cloudlet: RunningCloudlet) -> None:
    public_id = gateway.QR_CODE.public_id(7, "never-was")
    first, second = sent_by(lambda: gateway.destroy(gateway.QR_CODE, public_id))
    assert (first["public_id"], first["invalidate"], first["type"]) == (public_id, "1", "authenticated")
    assert (second["public_id"], second["invalidate"], second["type"]) == (public_id, "1", "upload")


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


# The value of `X-FeatureRateLimit-Reset`, that of `Date`, and the expected wait in seconds.
LIMITS: dict[str, tuple[Callable[[], str], Callable[[], str], float | None]] = {
    "by the service's clock": (lambda: http_date(-440), lambda: http_date(-500), 60),
    "without a time": (lambda: http_date(60), str, 60),
    "with an invalid time": (lambda: http_date(60), lambda: "yesterday", 60),
    "in an unnamed zone": (lambda: http_date(60).replace("GMT", "-0000"), lambda: http_date(0), 60),
    "in the past": (lambda: http_date(-60), lambda: http_date(0), 0),
    "in a thousand years": (lambda: "Fri, 31 Dec 9999 23:59:59 GMT", str, 24 * 3600),
    "seconds instead of a date": (lambda: "60", str, None),
    "an invalid day": (lambda: "Mon, 32 Foo 2027 25:61:61 GMT", str, None),
    "an invalid zone": (lambda: "Fri, 01 Jan 2027 00:00:00 +99999999999999", str, None),
    "nothing": (str, str, None),
}


@pytest.mark.parametrize(("reset", "date", "seconds"), LIMITS.values(), ids=LIMITS.keys())
def test_rate_limit_pauses_calls_whatever_its_headers_say(
    reset: Callable[[], str], date: Callable[[], str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = AdaptiveLimit(2)
    monkeypatch.setattr(gateway, "limiter", limiter)
    given = {"Date": date(), "X-FeatureRateLimit-Reset": reset()}
    headers = {name: value for name, value in given.items() if value}
    answer = urllib3.HTTPResponse(b'{"error": {"message": "Rate limit exceeded"}}', headers, 420)
    with (
        mock.patch.object(urllib3.PoolManager, "urlopen", return_value=answer),
        pytest.raises(gateway.MediaError) as caught,
    ):
        gateway.destroy(gateway.QR_CODE, "tickets/qr_codes/1/ticket_x")
    assert caught.value.is_rate_limit
    assert caught.value.retry_after == (None if seconds is None else pytest.approx(seconds, abs=3))
    assert limiter.retry_after() > 0 or seconds == 0


@given(
    st.text() | st.from_regex(r"(\w{3}, )?-?\d{1,12} \w{3} \d{1,12} [\d:]{0,20}( GMT| [+-]\d{1,20})?", fullmatch=True)
)
def test_rate_limit_headers_are_parsed_without_errors(header: str) -> None:
    pool = ObservedPool()
    for headers in ({"Date": header}, {"Date": http_date(0)}):
        headers |= {"X-FeatureRateLimit-Reset": header, "X-FeatureRateLimit-Limit": "5"}
        pool.last.response = urllib3.HTTPResponse(b"", headers | {"X-FeatureRateLimit-Remaining": "4"}, 420)
        assert 0 <= (pool.retry_after() or 0) <= 24 * 3600
        pool.quota()
        pool.clock_skew()


FORMS: dict[str, Any] = {
    "an upload": [
        ("public_id", "tickets/qr_codes/1/x"),
        ("overwrite", "1"),
        ("file", ("ticket.png", b"\x89PNG\r\n--")),
    ],
    "numbers, lists, other scripts": [
        ("timestamp", 1700000000),
        ("tags[]", "音楽"),
        ("empty", ""),
        ("raw", b"\x00\xff"),
    ],
    "a file of unknown type": [("file", ("file", b""))],
}


@pytest.mark.parametrize("fields", FORMS.values(), ids=FORMS.keys())
def test_forms_are_encoded_byte_for_byte_as_by_urllib3(fields: Any) -> None:
    assert encoded_form(fields, "0123abcd") == urllib3.encode_multipart_formdata(fields, "0123abcd")


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {"a": "b"},
        [('a"b', "c")],
        [("file", ("tïcket.png", b""))],
        [("a", ("n", b"", "image/png"))],
        [("a", None)],
    ],
)
def test_unusual_forms_are_left_to_urllib3(fields: Any) -> None:
    assert encoded_form(fields, "0123abcd") is None
