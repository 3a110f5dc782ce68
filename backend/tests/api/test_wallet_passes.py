"""GET .../apple-wallet/ and .../google-wallet/: passes with the current code, for users who may see the code."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.events import issuing
from apps.events.codes import code_of
from apps.events.event_images import save_event_image
from apps.events.models import Event, EventImage, EventTicket
from tests.factories import make_event, make_organiser, make_picture, make_ticket, make_ticket_type, make_user
from tests.wallet_credentials import Authority

pytestmark = [pytest.mark.django_db, pytest.mark.integration]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def wallets(authority: Authority, settings: Settings, tmp_path: Path) -> None:
    for setting, value in authority.settings(tmp_path).items():
        setattr(settings, setting, value)


@pytest.fixture
def ticket() -> EventTicket:
    """Create a ticket that hanna@example.org holds."""
    event = make_event(organiser=make_organiser(door=make_user("dora@example.org")))
    save_event_image(event, EventImage.Kind.COVER, make_picture())
    save_event_image(event, EventImage.Kind.LOGO, make_picture(300, 100, "PNG"))
    return make_ticket(
        event=event, ticket_type=make_ticket_type(event), holder_name="Hanna", holder_email="hanna@example.org"
    )


@pytest.fixture
def hanna(client: Client) -> Client:
    client.force_login(make_user("hanna@example.org"))
    return client


def url_of(ticket: EventTicket, wallet: str) -> str:
    return f"/api/events/ticket/{ticket.ticket_id}/{wallet}-wallet/"


def apple_pass(client: Client, ticket: EventTicket) -> dict[str, bytes]:
    answer = client.get(url_of(ticket, "apple"))
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def google_ticket(client: Client, ticket: EventTicket, authority: Authority) -> dict[str, Any]:
    link = client.get(url_of(ticket, "google"))["Location"]
    public_key = load_pem_private_key(
        json.loads(authority.service_account())["private_key"].encode(), None
    ).public_key()
    claims = jwt.decode(link.rpartition("/")[2], public_key, ["RS256"], audience="google")  # type: ignore[arg-type]
    (found,) = claims["payload"]["eventTicketObjects"]
    return dict(found)


@pytest.mark.usefixtures("wallets")
def test_a_ticket_has_the_urls_of_its_passes(hanna: Client, ticket: EventTicket, settings: Settings) -> None:
    body = hanna.get(f"/api/events/ticket/{ticket.ticket_id}/").json()
    assert body["apple_wallet_url"] == f"{settings.PUBLIC_URL}{url_of(ticket, 'apple')}"
    assert body["google_wallet_url"] == f"{settings.PUBLIC_URL}{url_of(ticket, 'google')}"
    assert hanna.get("/api/events/tickets/").json()["items"] == [body]


@pytest.mark.usefixtures("wallets")
def test_door_staff_get_no_urls_of_passes(client: Client, ticket: EventTicket) -> None:
    client.force_login(User.objects.get(email="dora@example.org"))
    body = client.get(f"/api/events/ticket/{ticket.ticket_id}/").json()
    assert (body["apple_wallet_url"], body["google_wallet_url"]) == (None, None)


@pytest.mark.usefixtures("wallets")
def test_an_apple_pass_has_the_current_code_and_the_pictures_of_the_event(hanna: Client, ticket: EventTicket) -> None:
    answer = hanna.get(url_of(ticket, "apple"))
    assert answer["Content-Type"] == "application/vnd.apple.pkpass"
    assert answer["Content-Disposition"] == f'attachment; filename="ticket_{ticket.ticket_id}.pkpass"'
    assert answer["Cache-Control"] == "private, no-store"

    files = apple_pass(hanna, ticket)
    content = json.loads(files["pass.json"])
    assert content["serialNumber"] == str(ticket.ticket_id)
    assert content["barcodes"][0]["message"] == code_of(ticket)
    assert "€25.00" in files["pass.json"].decode()
    assert Image.open(io.BytesIO(files["logo@2x.png"])).size == (300, 100)
    assert "strip@2x.png" in files


@pytest.mark.usefixtures("wallets")
def test_a_google_link_has_the_current_code(hanna: Client, ticket: EventTicket, authority: Authority) -> None:
    answer = hanna.get(url_of(ticket, "google"))
    assert answer.status_code == 302
    assert answer["Location"].startswith("https://pay.google.com/gp/v/save/ey")
    assert answer["Cache-Control"] == "private, no-store"
    saved = google_ticket(hanna, ticket, authority)
    assert (saved["barcode"]["value"], saved["ticketHolderName"]) == (code_of(ticket), "Hanna")


@pytest.mark.usefixtures("wallets")
def test_passes_of_a_reissued_ticket_have_the_new_code(
    hanna: Client, ticket: EventTicket, authority: Authority
) -> None:
    before = google_ticket(hanna, ticket, authority)
    issuing.reissue(ticket)
    after = google_ticket(hanna, ticket, authority)
    assert after["barcode"]["value"] == code_of(ticket) != before["barcode"]["value"]
    assert after["id"] != before["id"]
    assert code_of(ticket) in apple_pass(hanna, ticket)["pass.json"].decode()


@pytest.mark.usefixtures("wallets")
def test_a_changed_event_changes_its_passes(hanna: Client, ticket: EventTicket) -> None:
    assert b"Old Mill" in apple_pass(hanna, ticket)["pass.json"]
    ticket.event.venue = "New Mill"
    ticket.event.save()
    assert b"New Mill" in apple_pass(hanna, ticket)["pass.json"]


@pytest.mark.parametrize("wallet", ["apple", "google"])
def test_a_wallet_that_is_off_gets_404(hanna: Client, ticket: EventTicket, wallet: str) -> None:
    answer = hanna.get(url_of(ticket, wallet))
    assert answer.status_code == 404
    assert f"Passes for {wallet.title()} Wallet are not offered here." in answer.json()["error"]["message"]


@pytest.mark.usefixtures("wallets")
@pytest.mark.parametrize(("wallet", "status"), [("apple", 200), ("google", 302)])
def test_a_row_with_invalid_values_still_gets_a_pass(
    hanna: Client, ticket: EventTicket, wallet: str, status: int
) -> None:
    EventTicket.objects.update(holder_name="Hanna\x07", order_reference="\x02")
    Event.objects.update(title="\x02", venue="z" + "\u0301" * 190, time_zone="Mars/Olympus")
    assert hanna.get(url_of(ticket, wallet)).status_code == status


@pytest.mark.usefixtures("wallets")
def test_a_pass_that_cannot_be_rendered_gets_409_and_the_reason_is_logged(
    hanna: Client, ticket: EventTicket, caplog: pytest.LogCaptureFixture
) -> None:
    EventImage.objects.filter(kind=EventImage.Kind.LOGO).update(content=b"no picture")
    with caplog.at_level(logging.WARNING, "apps.api.wallets"):
        answer = hanna.get(url_of(ticket, "apple"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert "logo" not in answer.content.decode()
    assert "the logo cannot be read" in caplog.text
