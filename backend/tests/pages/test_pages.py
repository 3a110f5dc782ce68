"""The HTML of the pages for holders. `test_pages_in_a_browser.py` checks how they look."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.events.event_images import save_event_image
from apps.events.issuing import reissue
from apps.events.models import EventImage, EventTicket
from tests.factories import PASSWORD, make_event, make_organiser, make_picture, make_ticket, make_ticket_type, make_user
from tests.wallet_credentials import Authority
from tests.workers import publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def amelie() -> User:
    return make_user("amelie@example.org", name="Amélie Laurent")


@pytest.fixture
def browser(amelie: User) -> Client:
    client = Client()
    client.force_login(amelie)
    return client


def own_ticket(**overrides: Any) -> EventTicket:
    return make_ticket(**{"holder_name": "Amélie Laurent", "holder_email": "amelie@example.org"} | overrides)


def page_of(browser: Client, ticket: EventTicket) -> str:
    answer = browser.get(ticket.get_absolute_url())
    assert answer.status_code == 200
    return answer.content.decode()


# -- A ticket ----------------------------------------------------------------------------------------------------


def test_the_date_is_in_the_time_zone_and_language_of_the_event(browser: Client) -> None:
    event = make_event(
        starts_at=datetime(2030, 7, 1, 17, 30, tzinfo=UTC), doors_at=None, time_zone="Europe/Berlin", language="de"
    )
    page = page_of(browser, own_ticket(event=event))

    assert "Montag, 1. Juli 2030" in page
    assert "19:30" in page
    assert re.search(r'<article[^>]* lang="de"', page)


def test_an_arabic_event_is_right_to_left(browser: Client) -> None:
    assert re.search(
        r'<article[^>]* lang="ar" dir="rtl"', page_of(browser, own_ticket(event=make_event(language="ar")))
    )


def test_the_code_is_there_while_files_are_pending(browser: Client) -> None:
    page = page_of(browser, own_ticket())

    assert 'src="data:image/png;base64,' in page
    assert "Your PDF is being created. The code above already works." in page
    assert "Download PDF" not in page


def test_a_failure_shows_the_next_attempt_and_no_technical_details(browser: Client) -> None:
    ticket = own_ticket()
    again = datetime(2030, 1, 1, 12, 15, tzinfo=UTC)
    EventTicket.objects.update(state="failed", reason="MediaError: 503 from storage", next_attempt_at=again)
    page = page_of(browser, ticket)

    assert "The PDF is not ready yet. The code above already works." in page
    assert "13:15 (Europe/Berlin)" in page
    assert "503 from storage" not in page
    assert "MediaError" not in page


def test_a_failure_without_another_attempt_names_the_organiser(browser: Client) -> None:
    ticket = own_ticket()
    EventTicket.objects.update(state="failed", next_attempt_at=None)

    assert f"ask the organiser, {ticket.event.organiser}." in page_of(browser, ticket)


def test_the_pdf_has_a_signed_url(browser: Client, cloudlet: object) -> None:
    ticket = own_ticket()
    assert publish(ticket.pk) == EventTicket.State.READY
    pdf = reverse("ticket_pdf", args=[ticket.ticket_id])
    assert pdf in page_of(browser, ticket)

    address = browser.get(pdf)["Location"]
    signed = r"/s--[\w-]+--/fl_attachment:concert-night/v\d+"
    assert re.search(rf"{signed}/tickets/pdf/{ticket.event_id}/ticket_{ticket.ticket_id}\.pdf$", address)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Nuit d’été: Live / Paris", "nuit-dete-live-paris.pdf"),
        ("王小明演唱会", "ticket.pdf"),
        (14 * "Long ", f"{'long-' * 12}"[:-1] + ".pdf"),
    ],
)
def test_the_pdf_is_downloaded_under_the_title_of_the_event(
    browser: Client, cloudlet: object, title: str, name: str
) -> None:
    ticket = own_ticket(event=make_event(title=title))
    publish(ticket.pk)
    ticket.refresh_from_db()
    answer = urllib3.request("GET", browser.get(reverse("ticket_pdf", args=[ticket.ticket_id]))["Location"], timeout=10)

    assert answer.status == 200
    assert f'attachment; filename="{name}"' in answer.headers["Content-Disposition"]
    assert hashlib.md5(answer.data, usedforsecurity=False).hexdigest() == ticket.pdf_ticket_etag


def test_a_pdf_with_an_invalid_code_is_not_offered(browser: Client, cloudlet: object) -> None:
    ticket = own_ticket()
    publish(ticket.pk)
    ticket.refresh_from_db()
    reissue(ticket)
    page = page_of(browser, ticket)

    assert "Download PDF" not in page
    assert "This ticket was re-issued. Only this code is valid" in page
    assert browser.get(reverse("ticket_pdf", args=[ticket.ticket_id]))["Location"] == ticket.get_absolute_url()


def test_a_used_ticket_shows_when_it_was_used(browser: Client) -> None:
    ticket = own_ticket(used_at=datetime(2030, 7, 1, 18, 5, tzinfo=UTC))

    assert "Used 1 July 2030, 20:05" in page_of(browser, ticket)


def test_a_manager_sees_that_the_ticket_is_not_theirs() -> None:
    mona = make_user()
    client = Client()
    client.force_login(mona)
    ticket = make_ticket(event=make_event(organiser=make_organiser(manager=mona)))

    assert "This is another person’s ticket." in page_of(client, ticket)


def test_signing_in_redirects_back_to_the_ticket(amelie: User) -> None:
    ticket = own_ticket()
    client = Client()
    asked = client.get(ticket.get_absolute_url())
    answer = client.post(asked["Location"], {"login": amelie.email, "password": PASSWORD})

    assert answer["Location"] == ticket.get_absolute_url()


def test_user_input_is_escaped(browser: Client) -> None:
    ticket = own_ticket(holder_name="<script>alert(1)</script>", event=make_event(title="<b>Loud</b>"))
    page = page_of(browser, ticket) + browser.get("/").content.decode()

    assert "<script" not in page
    assert "<b>" not in page


# -- Headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nowhere/"])
def test_the_policy_allows_no_scripts_and_no_other_sites(path: str) -> None:
    answer = Client().get(path)
    policy = answer["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    page = answer.content.decode()
    assert " style=" not in page
    assert not re.search(r'(src|href)="https?://', page)


def test_a_ticket_is_cached_and_revalidated(browser: Client) -> None:
    ticket = own_ticket()
    first = browser.get(ticket.get_absolute_url())
    assert "private" in first["Cache-Control"]
    assert "no-cache" in first["Cache-Control"]
    assert "no-store" not in first["Cache-Control"]
    assert "Cookie" in first["Vary"]

    again = browser.get(ticket.get_absolute_url(), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304

    EventTicket.objects.update(used_at=timezone.now())
    assert browser.get(ticket.get_absolute_url(), headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.integration
def test_pictures_are_immutable_and_a_new_one_has_a_new_url() -> None:
    event = make_event()
    image = save_event_image(event, EventImage.Kind.COVER, make_picture())
    address = reverse("event_cover", args=[event.pk, image.sha256])
    answer = Client().get(address)

    assert answer["Content-Type"] == "image/jpeg"
    assert "immutable" in answer["Cache-Control"]
    save_event_image(event, EventImage.Kind.COVER, make_picture(320, 160))
    assert Client().get(address).status_code == 404


@pytest.mark.parametrize("event_id", [2**63 - 1, 2**63, 10**22, "9" * 5000])
@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_pictures_of_missing_events_get_404(event_id: int | str, extension: str) -> None:
    assert Client().get(f"/events/{event_id}/abc.{extension}").status_code == 404


# -- The list ----------------------------------------------------------------------------------------------------


def test_upcoming_and_past_tickets_have_separate_lists(browser: Client) -> None:
    own_ticket(event=make_event(title="Soon"))
    own_ticket(event=make_event(title="Long ago", starts_at=timezone.now() - timedelta(days=9), doors_at=None))
    make_ticket(event=make_event(title="Not mine"))
    now, earlier = browser.get("/").content.decode(), browser.get("/?earlier").content.decode()

    assert "Soon" in now
    assert "Long ago" not in now
    assert "Long ago" in earlier
    assert "Soon" not in earlier
    assert "Not mine" not in now + earlier


def test_an_event_in_progress_is_upcoming(browser: Client) -> None:
    start = timezone.now() - timedelta(hours=3)
    own_ticket(event=make_event(title="Running", starts_at=start, doors_at=None))
    long_festival = make_event(title="Festival", starts_at=start - timedelta(days=3), doors_at=None)
    long_festival.ends_at = timezone.now() + timedelta(hours=1)
    long_festival.save()
    own_ticket(event=long_festival)
    page = browser.get("/").content.decode()

    assert "Running" in page
    assert "Festival" in page


def test_the_list_is_paginated(browser: Client) -> None:
    event = make_event()
    for number in range(31):
        own_ticket(event=event, holder_name=f"Guest {number}")

    assert "Page 1 of 2" in browser.get("/").content.decode()
    assert "Guest 30" in browser.get("/?page=2").content.decode()


def test_tickets_for_an_unconfirmed_address_are_not_listed(amelie: User, browser: Client) -> None:
    own_ticket()
    EmailAddress.objects.filter(user=amelie).update(verified=False)

    assert "No tickets yet." in browser.get("/").content.decode()


@pytest.mark.integration
def test_the_number_of_queries_does_not_grow_with_the_list(browser: Client) -> None:
    def queries() -> int:
        for _ in range(3):
            event = make_event()
            save_event_image(event, EventImage.Kind.COVER, make_picture(64, 32))
            own_ticket(event=event, ticket_type=make_ticket_type(event))
        with CaptureQueriesContext(connection) as captured:
            browser.get("/")
        return len(captured)

    assert queries() == queries()


# -- Signing up --------------------------------------------------------------------------------------------------


def test_signing_up_confirms_the_address_by_a_code_and_lists_the_tickets() -> None:
    own_ticket()
    client = Client()
    form = {"email": "amelie@example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post(reverse("account_signup"), form, follow=True)
    code = re.search(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", str(mail.outbox[0].body), re.MULTILINE)
    assert code, mail.outbox[0].body
    answer = client.post(answer.redirect_chain[-1][0], {"code": code[1]}, follow=True)

    assert answer.status_code == 200
    assert "Amélie Laurent" in client.get("/").content.decode()


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_pages_for_signing_in_have_the_sites_layout(name: str) -> None:
    page = Client().get(reverse(name)).content.decode()

    assert 'class="entrance"' in page
    assert "site/site.css" in page


@pytest.mark.parametrize("name", ["account_email", "account_change_password", "account_logout"])
def test_account_pages_have_the_sites_layout(browser: Client, name: str) -> None:
    assert 'class="entrance"' in browser.get(reverse(name)).content.decode()


@pytest.mark.parametrize(("path", "target"), [("/favicon.ico", "/static/site/icon.svg"), ("/tickets/", "/")])
def test_urls_that_people_and_browsers_guess_redirect(client: Client, path: str, target: str) -> None:
    assert client.get(path)["Location"] == target


# -- Wallets -----------------------------------------------------------------------------------------------------


def test_wallets_that_are_not_configured_are_not_mentioned(browser: Client) -> None:
    assert "Wallet" not in page_of(browser, own_ticket())


def test_each_configured_wallet_has_a_button(browser: Client, settings: Settings, tmp_path: Path) -> None:
    for setting, value in Authority().settings(tmp_path).items():
        setattr(settings, setting, value)
    ticket = own_ticket()
    buttons = dict(re.findall(r'href="([^"]+)">(Add to [^<]+)<', page_of(browser, ticket)))
    assert list(buttons.values()) == ["Add to Apple Wallet", "Add to Google Wallet"]
    passes = [browser.get(browser.get(address)["Location"]) for address in buttons]
    assert [answer.status_code for answer in passes] == [200, 302]
    assert passes[1]["Location"].startswith("https://pay.google.com/")

    settings.GOOGLE_WALLET_CREDENTIALS = settings.GOOGLE_WALLET_ISSUER_ID = ""
    page = page_of(browser, ticket)
    assert "Add to Apple Wallet" in page
    assert "Google" not in page


@pytest.mark.parametrize("wallet", ["apple", "google"])
def test_a_signed_out_browser_signs_in_and_gets_the_pass(
    amelie: User, settings: Settings, tmp_path: Path, wallet: str
) -> None:
    for setting, value in Authority().settings(tmp_path).items():
        setattr(settings, setting, value)
    ticket = own_ticket()
    client = Client()
    button = reverse(f"ticket_{wallet}_wallet", args=[ticket.ticket_id])
    asked = client.get(button)
    assert asked["Location"].startswith(reverse("account_login"))
    back = client.post(asked["Location"], {"login": amelie.email, "password": PASSWORD})
    if wallet == "apple":
        assert back["Location"] == button
    else:  # the interstitial: browsers block a redirect to another site after a form
        assert f'href="{button}"' in back.content.decode()
    made = client.get(client.get(button)["Location"])
    assert made.status_code == (200 if wallet == "apple" else 302)

    unsigned = Client().get(reverse(f"api:{wallet}_wallet", args=[ticket.ticket_id]))
    assert (unsigned.status_code, unsigned["Content-Type"]) == (401, "application/json")


def test_a_wallet_that_is_off_gets_404(browser: Client) -> None:
    assert browser.get(reverse("ticket_apple_wallet", args=[own_ticket().ticket_id])).status_code == 404
