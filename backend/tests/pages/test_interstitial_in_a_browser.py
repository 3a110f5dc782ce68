"""Chromium follows a sign-in to another site: to a PDF on Cloudinary and to a pass at Google."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from apps.events.models import EventTicket
from apps.pages import interstitial
from cloudlet.testing import RunningCloudlet
from tests.accounts.test_app_sign_in import confirmation_code
from tests.events.test_permissions import ROWS, _address, wallets, world
from tests.factories import PASSWORD, make_ticket, make_user
from tests.wallet_credentials import Authority
from tests.workers import publish
from ticketkit.wallet import google

__all__ = ["wallets", "world"]  # fixtures
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser"), pytest.mark.system]
EMAIL = "holder@example.org"
TIMEOUT_MILLISECONDS = 20_000


@pytest.fixture
def ticket(cloudlet: RunningCloudlet) -> EventTicket:
    ticket = make_ticket(holder_email=EMAIL, holder=None)
    assert publish(ticket.pk) == EventTicket.State.READY
    ticket.refresh_from_db()
    return ticket


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(accept_downloads=True)
    yield context
    context.close()


def sign_in(page: Page) -> None:
    page.fill("input[name=login]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.click("main form button[type=submit]", no_wait_after=True)


def sign_up(page: Page) -> None:
    page.goto(page.url.replace("/login/", "/signup/"))
    page.fill("input[name=email]", EMAIL)
    for name in ("password1", "password2"):
        page.fill(f"input[name={name}]", PASSWORD)
    page.click("main form button[type=submit]")
    page.fill("input[name=code]", confirmation_code())
    page.locator("main form").first.locator("button").first.click(no_wait_after=True)


@pytest.mark.parametrize("enter", [sign_in, sign_up])
def test_the_pdf_is_downloaded_after_signing_in(
    context: BrowserContext, live_server: LiveServer, ticket: EventTicket, enter: Callable[[Page], None]
) -> None:
    if enter is sign_in:
        make_user(EMAIL)
    page = context.new_page()
    page.goto(f"{live_server.url}/tickets/{ticket.ticket_id}/pdf/")
    with page.expect_download(timeout=TIMEOUT_MILLISECONDS) as download:
        enter(page)
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    assert page.get_by_role("link", name="Your tickets").is_visible()


def test_google_is_opened_after_signing_in(
    context: BrowserContext, live_server: LiveServer, ticket: EventTicket, settings: Settings, tmp_path: Path
) -> None:
    for setting, value in Authority().settings(tmp_path).items():
        setattr(settings, setting, value)
    make_user(EMAIL)
    page = context.new_page()
    page.goto(f"{live_server.url}/tickets/{ticket.ticket_id}/google-wallet/")
    other_site = f"{settings.CLOUDINARY_ACCOUNT.upload_prefix}/save/"  # stands in for Google
    with (
        mock.patch.object(google, "_SAVE_URL", other_site),
        page.expect_response(lambda answer: answer.url.startswith(other_site), timeout=TIMEOUT_MILLISECONDS),
    ):
        sign_in(page)


def test_without_the_interstitial_the_browser_blocks_the_redirect(
    context: BrowserContext, live_server: LiveServer, ticket: EventTicket
) -> None:
    """Negative control: `form-action` applies to the redirect to Cloudinary."""
    make_user(EMAIL)
    page = context.new_page()
    page.goto(f"{live_server.url}/tickets/{ticket.ticket_id}/pdf/")
    with (
        mock.patch.object(interstitial, "_leads_to_other_site", return_value=False),
        page.expect_console_message(lambda message: "form-action" in message.text, timeout=TIMEOUT_MILLISECONDS),
    ):
        sign_in(page)
    assert "/accounts/login/" in page.url


def test_external_routes_lists_every_route_that_redirects_to_another_site(world: Any) -> None:
    """Add a new route of this kind to `EXTERNAL_ROUTES`."""
    client = Client()
    client.force_login(world.users["holder"])
    external = set()
    for row in ROWS:
        path = _address(row.route, world.of_account)
        answer = client.get(path)
        if answer.status_code == 302 and answer["Location"].startswith("http"):
            external.add(answer.resolver_match.view_name)
    assert {"ticket_pdf", "api:google_wallet"} <= external <= interstitial.EXTERNAL_ROUTES


def test_redirects_within_the_site_stay_redirects() -> None:
    make_user(EMAIL)
    form = {"login": EMAIL, "password": PASSWORD}
    for target, status in (
        ("/", 302),
        ("/tickets/", 302),
        ("http://evil.example.org/", 302),
        ("//evil.example.org", 302),
    ):
        answer = Client().post(f"/accounts/login/?next={target}", form)
        assert answer.status_code == status
        assert "evil" not in answer["Location"]


def test_a_trusted_origin_is_reached_by_the_interstitial(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://shop.example.org"]
    make_user(EMAIL)
    answer = Client().post(
        "/accounts/login/?next=https://shop.example.org/basket?a=1%26b=%22", {"login": EMAIL, "password": PASSWORD}
    )
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'content="0; url=https://shop.example.org/basket?a=1&amp;b=%22"' in page
    assert answer["Cache-Control"] == "private, no-store"
