"""Every page of the back office and the API's documentation in Chromium, which reports violations of their policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.events.event_images import save_event_image
from apps.events.models import EventImage, EventTicket
from apps.storage import gateway
from tests.factories import make_picture, make_ticket_type
from tests.project.test_every_route import BACK_OFFICE, ROLES, World, url_of, world

__all__ = ["world"]  # fixtures
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser"), pytest.mark.system]
ROOT = ROLES.index("root")
FILES = ("jsi18n/", "preview.<str:extension>")  # routes that return no page


class Window:
    """A browser window of a superuser, with the errors and violations of the policy that it reports."""

    def __init__(self, context: BrowserContext, server: str) -> None:
        self.context, self.server = context, server
        self.violations: list[str] = []
        context.on("page", self._watch)
        self.page = context.new_page()

    def close(self) -> None:
        self.context.remove_listener("page", self._watch)
        for page in self.context.pages:
            page.close()

    def _watch(self, page: Page) -> None:
        page.on("console", self._on_message)
        page.on("pageerror", lambda error: self.violations.append(f"{page.url}: {error}"))

    def _on_message(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.violations.append(f"{self.page.url}: {message.text}")

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.server + path, wait_until="load")
        assert answer is not None
        assert answer.status == 200, path
        assert "content-security-policy" in answer.headers, path
        return self.page


@pytest.fixture(scope="module")
def context(chromium: Browser) -> BrowserContext:
    """Return what the tests share: the browser's cache of scripts and styles."""
    return chromium.new_context(viewport={"width": 1280, "height": 900})


@pytest.fixture
def window(context: BrowserContext, live_server: LiveServer, world: World) -> Iterator[Window]:
    client = Client()
    client.force_login(User.objects.get(email="root@example.org"))
    cookie = client.cookies["sessionid"].value
    context.clear_cookies()
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    window = Window(context, live_server.url)
    yield window
    window.close()
    assert not window.violations


def fill_forms(world: World) -> None:
    """Give the ticket and the event a value for every part of their forms."""
    event = world.ticket.event
    make_ticket_type(event)
    for kind in EventImage.Kind:
        save_event_image(event, kind, make_picture())
    EventTicket.objects.update(
        qr_code_cloudinary_id="tickets/qr_codes/1/ticket_1", pdf_ticket_cloudinary_id="tickets/pdf/1/ticket_1"
    )


def test_no_page_of_the_back_office_violates_its_policy(window: Window, world: World) -> None:
    fill_forms(world)
    routes = [route for route, expected in BACK_OFFICE.items() if expected[ROOT] == 200 and not route.endswith(FILES)]
    assert len(routes) > 40
    for route in routes:
        page = window.open(url_of(world, route))
        page.wait_for_function("window.Alpine !== undefined || !document.querySelector('[x-data]')")


def test_interactive_parts_work(window: Window, world: World) -> None:
    fill_forms(world)
    page = window.open("/admin/events/eventticket/")
    page.locator("#action-toggle").check()
    assert page.locator("input.action-select").first.is_checked()
    expect(page.locator("select[name=action]")).to_be_visible()  # Alpine shows it when rows are chosen
    page.locator("[x-on\\:click*='filterOpen'], a:has-text('Filters')").first.click()
    expect(page.get_by_role("heading", name="Filter").or_(page.get_by_text("By state")).first).to_be_visible()

    page = window.open(f"/admin/events/event/{world.ticket.event_id}/change/")
    number = page.locator("#id_ticket_types-TOTAL_FORMS")
    assert number.input_value() == "1"
    page.locator(".add-row a, a.add-row, .add-row button").first.click()
    expect(number).to_have_value("2")
    expect(page.locator(".select2-container").first).to_be_visible()  # the searchable list of time zones
    with page.expect_popup() as preview:
        page.get_by_role("button", name="Preview without saving").click()
    preview.value.wait_for_load_state()
    assert "preview" in preview.value.url


def test_an_injected_script_does_not_run(window: Window, world: World) -> None:
    """Negative control: the browser enforces the policy, and `Window` records violations."""
    page = window.open("/admin/")
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('script'), {text: 'window.injected = 1'}))"
    )
    assert page.evaluate("window.injected") is None
    assert len(window.violations) == 1
    window.violations.clear()


def test_the_picture_of_a_pdf_is_allowed(settings: Settings, window: Window, world: World) -> None:
    fill_forms(world)
    page = window.open(f"/admin/events/eventticket/{world.ticket.pk}/change/")
    source = page.get_by_alt_text("Open the PDF").get_attribute("src") or ""
    assert source.startswith(settings.CLOUDINARY_ACCOUNT.delivery_origin + "/")


def test_the_api_documentation_works_within_its_policy(window: Window) -> None:
    page = window.open("/api/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    page.get_by_text("/api/events/tickets/").first.click()
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_role("button", name="Execute").first.click()
    expect(page.locator(".responses-table.live-responses-table, .live-responses-table").first).to_be_visible()


@pytest.mark.parametrize(
    "overrides", [{"secure": True}, {"secure": False}, {"secure": False, "cname": "127.0.0.1:9000"}]
)
def test_delivery_urls_match_the_origin_in_the_policy(settings: Settings, overrides: dict[str, object]) -> None:
    account = replace(settings.CLOUDINARY_ACCOUNT, **overrides)
    settings.CLOUDINARY_ACCOUNT = account
    assert gateway.delivery_url(gateway.QR_CODE, "tickets/a").startswith(account.delivery_origin + "/")


def test_all_other_pages_have_the_strict_policy() -> None:
    for path in ("/admin/", "/admin/login/", "/api/docs", "/api/events/tickets/", "/accounts/login/", "/nowhere/"):
        policy = Client().get(path)["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, path
        assert not re.search(r"script-src[^;]*unsafe-inline", policy), path
