"""Properties of every URL under /api/: error shape, methods, headers, authentication and rate limits."""

from __future__ import annotations

import re
import time
from typing import Any, cast
from unittest import mock
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.test.client import RequestFactory

from apps.accounts.models import User
from apps.api.errors import STANDARD, ErrorOut
from apps.api.middleware import ApiMiddleware
from apps.events.models import EventTicket
from apps.publishing import requests
from tests.factories import make_event, make_organiser, make_ticket, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


@pytest.fixture
def hanna(client: Client) -> User:
    """Sign Hanna in."""
    user = make_user("hanna@example.org")
    client.force_login(user)
    return user


@pytest.fixture
def ticket(hanna: User) -> EventTicket:
    """Create a ticket that Hanna holds, for an event that she manages."""
    return make_ticket(event=make_event(organiser=make_organiser(manager=hanna)), holder=hanna)


def detail(ticket: EventTicket) -> str:
    return f"/api/events/ticket/{ticket.ticket_id}/"


def check_error(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check the response against the documented shape and return its `error`."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"].startswith("application/json")
    assert answer["Cache-Control"] in ("private, no-store", "private, no-cache")
    ErrorOut.model_validate(answer.json())
    error: dict[str, Any] = answer.json()["error"]
    assert error.keys() == {"code", "message", "details"}
    assert error["code"] == code
    assert len(error["message"]) > 15, "a sentence for people"
    return error


# -- Errors ------------------------------------------------------------------------------------------------------


def test_signed_out_requests_get_401(client: Client, ticket: EventTicket) -> None:
    client.logout()
    answer = client.get(detail(ticket))
    check_error(answer, 401, "not_signed_in")
    assert answer["WWW-Authenticate"].startswith("X-Session-Token")
    check_error(client.post("/api/events/admit/"), 401, "not_signed_in")


def test_missing_tickets_and_those_of_others_get_the_same_404(client: Client, hanna: User) -> None:
    missing, theirs = client.get(f"/api/events/ticket/{uuid4()}/"), client.get(detail(make_ticket()))
    assert check_error(missing, 404, "not_found") == check_error(theirs, 404, "not_found")


@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/events/", "/api/events/x/tickets/", "/api/%00/\n"])
def test_unknown_urls_get_404(client: Client, path: str) -> None:
    check_error(client.get(path), 404, "not_found")


@pytest.mark.parametrize("event_id", [2**63 - 1, 2**63, 10**22, "9" * 5000])
@pytest.mark.parametrize("rest", ["cover/abc/", "tickets/"])
def test_event_ids_out_of_range_get_404(client: Client, hanna: User, event_id: int | str, rest: str) -> None:
    check_error(client.get(f"/api/events/{event_id}/{rest}"), 404, "not_found")


@pytest.mark.parametrize("ticket_id", ["1", "ticket-123", "%00", "{x}", "A" * 3000, "🎫", "%F0%9F"])
def test_a_ticket_id_that_is_no_uuid_gets_422(client: Client, hanna: User, ticket_id: str) -> None:
    error = check_error(client.get(f"/api/events/ticket/{ticket_id}/"), 422, "invalid")
    assert error["details"] == [{"field": "path.ticket_id", "message": mock.ANY}]
    assert "valid UUID" in error["details"][0]["message"]


def test_an_unexpected_exception_is_logged_but_not_revealed(
    client: Client, ticket: EventTicket, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    client.raise_request_exception = False
    for debug in (False, True):
        settings.DEBUG = debug
        caplog.clear()
        with (
            mock.patch.object(requests, "rerender", side_effect=RuntimeError(f"secret {settings.SECRET_KEY}")),
            caplog.at_level("ERROR", "apps.api"),
        ):
            answer = client.generic("POST", f"/api/events/regenerate/{ticket.ticket_id}/")
        check_error(answer, 500, "internal_error")
        assert "secret" in caplog.text
        assert b"secret" not in answer.content
        assert b"Traceback" not in answer.content


def test_errors_outside_the_views_have_the_same_shape(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["tickets.example.org"]
    check_error(Client().get("/api/events/tickets/", headers={"Host": "evil.example"}), 400, "bad_request")


@pytest.mark.parametrize("status", [413, 418, 500, 503])
def test_errors_of_other_middleware_have_the_same_shape(status: int) -> None:
    broken = ApiMiddleware(lambda request: HttpResponse("<h1>Oops</h1>", status=status, headers={"Retry-After": "7"}))
    answer = cast(HttpResponse, broken(RequestFactory().get("/api/events/tickets/")))
    error = ErrorOut.model_validate_json(answer.content).error
    assert (answer.status_code, error.code) == (status, STANDARD[status][0] if status in STANDARD else "error")
    assert answer["Retry-After"] == "7"


def test_a_body_that_is_too_large_is_refused(client: Client, hanna: User, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = client.post("/api/events/admit/", {"code": "x" * 2000}, content_type="application/json")
    check_error(answer, 413, "too_large")


def test_errors_outside_the_api_stay_html(client: Client) -> None:
    assert client.get("/nowhere/")["Content-Type"].startswith("text/html")


# -- Methods -----------------------------------------------------------------------------------------------------


def test_head_returns_the_headers_of_get_without_the_body(client: Client, ticket: EventTicket) -> None:
    get, head = client.get(detail(ticket)), client.head(detail(ticket))
    assert head.content == b""
    assert head["Content-Length"] == str(len(get.content))
    assert (head.status_code, head["ETag"]) == (get.status_code, get["ETag"])
    assert client.head(f"/api/events/ticket/{uuid4()}/").status_code == 404


def test_options_lists_the_methods(client: Client, ticket: EventTicket) -> None:
    answer = client.options(detail(ticket))
    assert (answer.status_code, answer["Allow"], answer.content) == (204, "GET, HEAD, OPTIONS", b"")
    assert client.options("/api/events/admit/")["Allow"] == "OPTIONS, POST"


def test_other_methods_are_refused(client: Client, ticket: EventTicket) -> None:
    answer = client.delete(detail(ticket))
    check_error(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert client.get("/api/events/admit/").status_code == 405


def test_a_missing_trailing_slash_is_accepted(client: Client, ticket: EventTicket) -> None:
    assert client.get(detail(ticket).rstrip("/")).status_code == 200
    answer = client.post(f"/api/events/regenerate/{ticket.ticket_id}", {}, content_type="application/json")
    assert answer.status_code == 202


# -- Headers -----------------------------------------------------------------------------------------------------


def test_responses_have_security_headers(client: Client, ticket: EventTicket) -> None:
    for path in (detail(ticket), "/api/nothing", "/api/events/keys/", "/api/openapi.json"):
        answer = client.get(path)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in answer


# -- Authentication ----------------------------------------------------------------------------------------------


def test_a_browser_needs_the_csrf_token_to_change_something(hanna: User, ticket: EventTicket) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(hanna)
    url = f"/api/events/regenerate/{ticket.ticket_id}/"
    assert browser.get(detail(ticket)).status_code == 200
    error = check_error(browser.generic("POST", url), 403, "csrf_failed")
    assert "X-CSRFToken" in error["message"]
    ticket.refresh_from_db()
    assert ticket.revision == 0

    token = re.search(r'csrf-token="(\w+)"', browser.get("/api/docs").text)
    assert token is not None
    assert browser.generic("POST", url, headers={"X-CSRFToken": token[1]}).status_code == 202


def test_a_signed_out_browser_gets_401_not_a_csrf_error(ticket: EventTicket) -> None:
    browser = Client(enforce_csrf_checks=True)
    check_error(browser.generic("POST", f"/api/events/regenerate/{ticket.ticket_id}/"), 401, "not_signed_in")


def test_an_invalid_token_does_not_fall_back_to_the_cookie(client: Client, ticket: EventTicket) -> None:
    for token in ("dead", "", "\x00", "é", "x" * 4000):
        check_error(client.get(detail(ticket), headers={"X-Session-Token": token}), 401, "not_signed_in")


# -- Rate limits -------------------------------------------------------------------------------------------------


def test_each_user_has_a_rate_limit_per_minute(
    client: Client, ticket: EventTicket, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_REQUESTS_A_MINUTE = {"regenerate": 2, "door": 3}
    now = 6_000_000_015.0
    monkeypatch.setattr(time, "time", lambda: now)
    url = f"/api/events/regenerate/{ticket.ticket_id}/"
    assert [client.generic("POST", url).status_code for _ in range(3)] == [202, 202, 429]
    refused = client.generic("POST", url)
    check_error(refused, 429, "too_many_requests")
    assert refused["Retry-After"] == "45"

    verdicts = [
        client.get("/api/events/verify/x"),
        client.post("/api/events/verify/", {"code": "x"}, "application/json"),
    ]
    verdicts += [client.post("/api/events/admit/", {"code": "x"}, "application/json") for _ in range(2)]
    assert [answer.status_code for answer in verdicts] == [200, 200, 200, 429], "verify and admit share a limit"
    assert client.get(detail(ticket)).status_code == 200, "reading tickets has no limit"

    other = Client()
    other.force_login(make_user())
    assert other.generic("POST", url).status_code == 404, "other users have their own limit"

    now += 45
    assert client.generic("POST", url).status_code == 202
