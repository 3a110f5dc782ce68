"""Forged headers and other spellings of an address do not reset rate limits. Links ignore the `Host` header."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.checks import run_checks
from django.test import Client
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.events.event_images import save_event_image
from apps.events.models import EventImage
from tests.factories import PASSWORD, make_event, make_picture, make_ticket, make_user

pytestmark = pytest.mark.django_db
AUTH = "/_allauth/app/v1/auth"
TOO_MANY = "Too many failed login attempts"
ALLOWED = 5  # wrong passwords for one account in five minutes

SignIn = Callable[..., str]


def by_page(email: str, password: str, **headers: str) -> str:
    answer = Client().post("/accounts/login/", {"login": email, "password": password}, headers=headers)
    return answer.content.decode() if answer.status_code == 200 else answer["Location"]


def by_api(email: str, password: str, **headers: str) -> str:
    body = {"email": email, "password": password}
    return Client().post(f"{AUTH}/login", body, content_type="application/json", headers=headers).content.decode()


def guess(sign_in: SignIn, number: int, email: str = "nina@example.org", **headers: str) -> str:
    return sign_in(email, f"guess {number}", **headers)


HOSTS = ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "[::1]", *(f"localhost:{port}" for port in range(20))]


@pytest.mark.parametrize("sign_in", [by_page, by_api])
def test_another_host_header_does_not_reset_the_limit(sign_in: SignIn, settings: Settings) -> None:
    make_user("nina@example.org")
    settings.ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": f"{ALLOWED}/300s/key"}
    refused = [number for number, host in enumerate(HOSTS) if TOO_MANY in guess(sign_in, number, Host=host)]
    assert refused == list(range(ALLOWED, len(HOSTS)))
    assert TOO_MANY in sign_in("nina@example.org", PASSWORD, Host="localhost:9999")


SPELLINGS = ["nina.kim@example.org", "Nina.Kim@Example.ORG", "NINA.KIM@EXAMPLE.ORG", "  nina.kim@example.org  "]
# PostgreSQL may treat these as i and k when it ignores case. Python's validator accepts them in an address.
LOOKALIKES = ["nına.kim@example.org", "nina.kım@example.org", "nina.\N{KELVIN SIGN}im@example.org"]


@pytest.mark.databases
@pytest.mark.parametrize("sign_in", [by_page, by_api])
def test_another_spelling_of_the_address_has_the_same_limit_or_is_another_account(
    sign_in: SignIn, settings: Settings
) -> None:
    make_user("nina.kim@example.org")
    settings.ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "3/300s/key"}
    assert all(TOO_MANY not in guess(sign_in, 0, email) for email in SPELLINGS[:3])
    assert all(TOO_MANY in sign_in(email, PASSWORD) for email in SPELLINGS)
    for email in LOOKALIKES[:2]:  # not the last: in Python, too, the lower case of a Kelvin sign is k
        assert "not correct" in sign_in(email, PASSWORD)
        with pytest.raises(User.DoesNotExist):
            User.objects.get_by_natural_key(email)
    assert TOO_MANY in sign_in(LOOKALIKES[2], PASSWORD)


@pytest.mark.parametrize(("behind_proxy", "forwarded"), [(0, "203.0.113.{}"), (1, "203.0.113.{}, 198.51.100.7")])
def test_a_forged_x_forwarded_for_does_not_reset_the_limit(
    settings: Settings, behind_proxy: int, forwarded: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = behind_proxy
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "3/m/ip"}
    responses = [
        guess(by_api, number, f"person{number}@example.org", **{"X-Forwarded-For": forwarded.format(number)})
        for number in range(5)
    ]
    assert [TOO_MANY in text for text in responses] == [False] * 3 + [True] * 2


def test_the_api_limits_a_user_across_host_headers(settings: Settings) -> None:
    settings.API_REQUESTS_A_MINUTE = {"regenerate": 2, "door": 2}
    nina = make_user()
    ticket = make_ticket(holder=nina)
    client = Client()
    client.force_login(nina)
    path = f"/api/events/regenerate/{ticket.ticket_id}/"
    headers: list[Any] = [{"Host": f"localhost:{port}"} for port in range(4)]
    statuses = [client.post(path, {}, content_type="application/json", headers=h).status_code for h in headers]
    assert statuses == [202, 202, 429, 429]


# -- Links -------------------------------------------------------------------------------------------------------

FORGED = {"Host": "localhost:6666"}


@pytest.mark.parametrize("email", ["nina@example.org", "nobody@example.org"])
@pytest.mark.parametrize("way", ["page", "app", "browser"])
def test_links_in_mail_use_the_public_url(settings: Settings, email: str, way: str) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org"
    make_user("nina@example.org")
    client = Client(headers=FORGED)
    if way == "page":
        client.post("/accounts/password/reset/", {"email": email})
    else:
        client.post(f"/_allauth/{way}/v1/auth/password/request", {"email": email}, content_type="application/json")
    (message,) = mail.outbox
    assert message.subject.startswith("[tickets.example.org] ")
    (link,) = re.findall(r"https?://\S+", str(message.body))
    assert link.startswith("https://tickets.example.org/accounts/")
    assert "6666" not in str(message.body) + message.subject

    if email == "nina@example.org":
        form = client.get(link.removeprefix("https://tickets.example.org"), follow=True)
        assert "password1" in form.content.decode()


@pytest.mark.parametrize("known", [True, False])
def test_sign_up_mail_uses_the_public_url(settings: Settings, known: bool) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org"
    if known:
        make_user("nina@example.org")
    form = {"email": "nina@example.org", "password1": PASSWORD, "password2": PASSWORD}
    Client(headers=FORGED).post("/accounts/signup/", form)
    (message,) = mail.outbox
    assert "tickets.example.org" in str(message.body)
    assert "6666" not in str(message.body) + message.subject


@pytest.mark.integration
def test_urls_of_the_api_use_the_public_url(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tickets.example.org/"
    nina = make_user()
    event = make_event()
    save_event_image(event, EventImage.Kind.COVER, make_picture())
    client = Client(headers=FORGED)
    client.force_login(nina)
    body = client.get(f"/api/events/ticket/{make_ticket(event=event, holder=nina).ticket_id}/").json()
    assert body["event"]["cover_url"].startswith("https://tickets.example.org/api/events/")
    assert "6666" not in str(body)


def test_the_redirect_to_https_uses_the_public_host(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_SSL_HOST = True, "tickets.example.org"
    assert Client(headers=FORGED).get("/accounts/login/")["Location"] == "https://tickets.example.org/accounts/login/"


def test_a_wildcard_in_allowed_hosts_is_a_warning(settings: Settings) -> None:
    def found() -> list[str]:
        warnings = run_checks(include_deployment_checks=True)
        return [f"{warning.msg} {warning.hint}" for warning in warnings if warning.id == "accounts.W001"]

    assert found() == []
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://tickets.example.org:8443"
    (text,) = found()
    assert "ALLOWED_HOSTS=*" in text
    assert "Set ALLOWED_HOSTS=tickets.example.org," in text
