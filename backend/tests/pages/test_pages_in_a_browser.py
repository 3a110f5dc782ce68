"""The pages in headless Chromium: the code scans from a screenshot, in every size and colour scheme."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.events.codes import code_of
from apps.events.event_images import save_event_image
from apps.events.models import EventImage, EventTicket
from tests.factories import make_event, make_picture, make_ticket, make_user
from tests.pictures import codes_in_png

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("browser"),
    pytest.mark.system,
]  # share one browser

PHONE, DESKTOP = (390, 844), (1280, 900)
NAMES = ["Amélie Laurent", "ليلى حدّاد", "王小明", "प्रिया शर्मा"]


Open = Callable[..., Page]


@pytest.fixture(scope="module")
def windows(chromium: Browser) -> dict[bool, Page]:
    """Open a window with JavaScript and one without: starting one takes longer than most of these tests."""
    return {js: chromium.new_context(java_script_enabled=js).new_page() for js in (True, False)}


@pytest.fixture
def open_page(windows: dict[bool, Page], live_server: LiveServer) -> Iterator[Open]:
    """Open a path as a signed-in user. Fails the test if a page violates its content security policy."""
    errors: list[str] = []

    def watch(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    def go(path: str, user: User | None, size: tuple[int, int] = PHONE, scheme: str = "light", js: bool = True) -> Page:
        page = windows[js]
        resize(page, size)
        page.emulate_media(color_scheme=scheme)
        page.context.clear_cookies()
        if user is not None:
            client = Client()
            client.force_login(user)
            page.context.add_cookies(
                [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
            )
        page.goto(live_server.url + path)
        return page

    for page in windows.values():
        page.on("console", watch)
    yield go
    for page in windows.values():
        page.goto("about:blank")
        page.emulate_media(media="null", color_scheme="null")
        page.remove_listener("console", watch)
    assert not errors


def resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.fixture
def holder() -> User:
    return make_user("holder@example.org")


def own_ticket(name: str = NAMES[0]) -> EventTicket:
    event = make_event(title="Lanterns on the River", terms="Bring a warm coat.")
    save_event_image(event, EventImage.Kind.COVER, make_picture())
    return make_ticket(event=event, holder_name=name, holder_email="holder@example.org")


def in_one_scheme(*cases: tuple[Any, ...]) -> list[Any]:
    """Return the cases in light and dark colours by turns. `make soak` tries each in the other colours too."""
    params = []
    for number, case in enumerate(cases):
        now, later = ("light", "dark")[:: 1 if number % 2 == 0 else -1]
        params += [pytest.param(*case, now), pytest.param(*case, later, marks=pytest.mark.soak)]
    return params


def scrolls_sideways(page: Page) -> bool:
    """Return whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    in_one_scheme((NAMES[0], PHONE), (NAMES[0], DESKTOP), *((name, PHONE) for name in NAMES[1:])),
)
def test_the_code_scans_from_the_screen(
    open_page: Open, holder: User, name: str, size: tuple[int, int], scheme: str
) -> None:
    ticket = own_ticket(name)
    page = open_page(ticket.get_absolute_url(), holder, size, scheme)

    assert codes_in_png(page.screenshot(full_page=True)) == [code_of(ticket)]
    assert page.inner_text(".holder") == name
    assert not scrolls_sideways(page)


def test_the_code_scans_from_a_phone_without_scrolling(open_page: Open, holder: User) -> None:
    ticket = own_ticket()
    page = open_page(ticket.get_absolute_url(), holder)

    assert codes_in_png(page.screenshot()) == [code_of(ticket)]


def test_the_code_is_black_on_white_in_dark_mode(open_page: Open, holder: User) -> None:
    page = open_page(own_ticket().get_absolute_url(), holder, scheme="dark")
    box = Image.open(io.BytesIO(page.locator(".qr").screenshot())).convert("RGB")
    page_colour = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((1, 400))

    assert box.getpixel((box.width // 2, 12)) == (255, 255, 255)  # the quiet zone
    assert {colour for _, colour in box.getcolors(100_000) or []} >= {(0, 0, 0), (255, 255, 255)}
    assert page_colour == (22, 20, 28)


@pytest.mark.parametrize(("state", "scheme"), in_one_scheme(("failed",), ("used",), ("reissued",), ("ready",)))
def test_the_code_scans_in_every_state(open_page: Open, holder: User, state: str, scheme: str) -> None:
    ticket = own_ticket()
    change = {
        "failed": {"state": "failed", "reason": "Storage was away.", "next_attempt_at": None},
        "used": {"used_at": datetime(2030, 7, 1, 18, 5, tzinfo=UTC)},
        "reissued": {"code_generation": 3},
        "ready": {
            "state": "ready",
            "published_generation": 0,
            "qr_code_cloudinary_id": "tickets/qr_codes/1/ticket_1",
            "pdf_ticket_cloudinary_id": "tickets/pdf/1/ticket_1",
        },
    }[state]
    EventTicket.objects.filter(pk=ticket.pk).update(**change)
    ticket.refresh_from_db()
    page = open_page(ticket.get_absolute_url(), holder, scheme=scheme)

    assert codes_in_png(page.screenshot(full_page=True)) == [code_of(ticket)]


def test_the_page_needs_no_javascript_and_prints_the_code(open_page: Open, holder: User) -> None:
    ticket = own_ticket()
    page = open_page(ticket.get_absolute_url(), holder, js=False)
    page.emulate_media(media="print")

    assert codes_in_png(page.screenshot(full_page=True)) == [code_of(ticket)]
    assert not page.locator(".site").is_visible()


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"])
def test_no_page_is_wider_than_its_window(open_page: Open, path: str) -> None:
    page = open_page(path, None)
    for size in (PHONE, (320, 640), DESKTOP):
        resize(page, size)
        assert page.evaluate("innerWidth") == size[0]
        assert not scrolls_sideways(page), size


def test_long_words_do_not_break_a_small_screen(open_page: Open, holder: User) -> None:
    ticket = own_ticket("W" * 200)
    assert not scrolls_sideways(open_page(ticket.get_absolute_url(), holder, (320, 640)))


@pytest.mark.parametrize("address", ["zoe\u200b@example.org", "\ufeffzoe@example.org", "zoe@example.org\u200b"])
def test_an_invisible_character_in_the_address_does_not_prevent_sign_up(open_page: Open, address: str) -> None:
    """The server removes the character, and the browser's own validation must not reject the address first."""
    page = open_page("/accounts/signup/", None)
    page.fill("input[name=email]", address)
    for name in ("password1", "password2"):
        page.fill(f"input[name={name}]", "lantern-river-47")
    page.click("main form button[type=submit]")
    page.wait_for_selector("input[name=code]")
    assert User.objects.get(email="zoe@example.org")


def contrast(page: Page, selector: str) -> float:
    """Return the contrast ratio of an element's text and its background (WCAG 2)."""
    return float(page.locator(selector).first.evaluate(CONTRAST))


CONTRAST = """element => {
  const channels = text => text.match(/[\\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0)
  let ground = element
  while (ground.parentElement && (channels(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0)
    ground = ground.parentElement
  const [a, b] = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor]
    .map(text => luminance(channels(text))).sort((x, y) => y - x)
  return (a + .05) / (b + .05)
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(open_page: Open, holder: User, scheme: str) -> None:
    ticket = own_ticket()
    EventTicket.objects.update(state="failed", code_generation=1, next_attempt_at=None)
    page = open_page(ticket.get_absolute_url(), holder, scheme=scheme)
    assert contrast(page, ".hint") >= 4.5
    EventTicket.objects.update(used_at=datetime(2030, 7, 1, tzinfo=UTC))
    page.reload()
    texts = [
        "h1",
        ".when .muted",
        ".reissued",
        ".code .mark",
        "dt",
        "dd",
        ".terms",
        ".state",
        ".button",
        "nav a",
    ]

    assert {selector: ratio for selector in texts if (ratio := contrast(page, selector)) < 4.5} == {}
