"""Wallet passes, signed with generated test certificates and verified by openssl and PyJWT."""

import hashlib
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import jwt
import pytest
from conftest import sweep
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from ticketkit import EventDetails, RenderingError, TicketDetails
from ticketkit.testing import Authority, name, pem
from ticketkit.wallet import (
    AppleCredentials,
    ApplePassTemplate,
    GoogleCredentials,
    GooglePassTemplate,
    WalletCredentialsError,
)

TODAY = datetime.now(UTC)
TICKET_ID = "6f1c0a2e-4a4e-4c58-9a3b-0f0c2d9b7a11"
TICKET = TicketDetails(
    ticket_id=TICKET_ID,
    code="AD1:ABC",
    holder="Zoë Müller",
    ticket_type="Standing",
    price="€ 42.00",
    order_reference="A1B2",
)


def picture(size: tuple[int, int], kind: str, colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


EVENT = EventDetails(
    title="Concert Night",
    starts_at=datetime(2026, 6, 20, 18, 30, tzinfo=UTC),
    doors_at=datetime(2026, 6, 20, 17, 30, tzinfo=UTC),
    ends_at=datetime(2026, 6, 20, 22, tzinfo=UTC),
    time_zone="Europe/Lisbon",
    venue="Teatro Municipal",
    address="Rua da Misericórdia 14\n1200-273 Lisboa",
    organiser="Northern Lights",
    terms="No refunds.",
    cover=picture((1600, 900), "JPEG", "teal"),
    logo=picture((400, 200), "PNG", "navy"),
    accent="#fde047",
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def apple(authority: Authority) -> AppleCredentials:
    return AppleCredentials.load(authority.member(), pem(authority.member_key), authority.certificate)


@pytest.fixture(scope="module")
def google(authority: Authority) -> GoogleCredentials:
    return GoogleCredentials.load(authority.service_account(), "3388000000012345678")


@pytest.fixture(scope="module")
def longest_google(authority: Authority) -> GoogleCredentials:
    """Return credentials with the longest account name and issuer id that Google allows."""
    account = json.loads(authority.service_account())
    account["client_email"] = f"{'s' * 30}@{'p' * 30}.iam.gserviceaccount.com"
    return GoogleCredentials.load(json.dumps(account), "3388000000012345678")


def opened(pkpass: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(pkpass)) as archive:
        assert archive.testzip() is None
        return {entry: archive.read(entry) for entry in archive.namelist()}


class TestApple:
    @pytest.mark.integration
    def test_openssl_verifies_the_signature_down_to_the_intermediate(
        self, apple: AppleCredentials, authority: Authority, tmp_path: Path
    ) -> None:
        files = opened(ApplePassTemplate(EVENT, apple).render(TICKET))
        for file in ("manifest.json", "signature"):
            (tmp_path / file).write_bytes(files[file])
        (tmp_path / "ca.pem").write_bytes(authority.certificate)
        command = "openssl smime -verify -binary -inform der -in signature -content manifest.json -CAfile ca.pem"
        command += " -purpose any"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        (tmp_path / "manifest.json").write_bytes(files["manifest.json"] + b" ")
        altered = subprocess.run(command.split(), cwd=tmp_path, check=False, capture_output=True)
        assert altered.returncode != 0

    @pytest.mark.integration
    def test_the_signature_has_its_time_and_both_certificates(self, apple: AppleCredentials, tmp_path: Path) -> None:
        signature = tmp_path / "signature"
        signature.write_bytes(opened(ApplePassTemplate(EVENT, apple).render(TICKET))["signature"])
        command = ["openssl", "pkcs7", "-inform", "der", "-in", str(signature), "-noout", "-print"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "signingTime" in printed
        assert printed.count("cert_info") == 2

    def test_the_manifest_lists_every_other_file(self, apple: AppleCredentials) -> None:
        files = opened(ApplePassTemplate(EVENT, apple).render(TICKET))
        manifest = json.loads(files.pop("manifest.json"))
        files.pop("signature")
        assert manifest == {file: hashlib.sha1(data, usedforsecurity=False).hexdigest() for file, data in files.items()}
        assert {"pass.json", "icon.png", "icon@2x.png", "icon@3x.png", "logo@2x.png", "strip@2x.png"} <= set(files)

    def test_the_pass_has_the_details_of_the_ticket(self, apple: AppleCredentials) -> None:
        content = json.loads(opened(ApplePassTemplate(EVENT, apple).render(TICKET))["pass.json"])
        assert content["formatVersion"] == 1
        assert (content["passTypeIdentifier"], content["teamIdentifier"]) == ("pass.example.tickets", "TEAM123456")
        assert content["serialNumber"] == TICKET_ID
        assert content["relevantDate"] == "2026-06-20T19:30:00+01:00"
        assert content["expirationDate"] == "2026-06-20T23:00:00+01:00"
        (barcode,) = content["barcodes"]
        assert (barcode["format"], barcode["message"]) == ("PKBarcodeFormatQR", "AD1:ABC")
        shown = {field["key"]: field["value"] for fields in content["eventTicket"].values() for field in fields}
        assert shown["title"] == "Concert Night"
        assert "19:30" in shown["date"] or "7:30" in shown["date"]  # Lisbon's time
        assert (shown["holder"], shown["terms"]) == ("Zoë Müller", "No refunds.")

    def test_text_has_contrast_on_a_pale_accent(self, apple: AppleCredentials) -> None:
        content = json.loads(opened(ApplePassTemplate(EVENT, apple).render(TICKET))["pass.json"])
        assert content["backgroundColor"] == "rgb(253, 224, 71)"
        red, green, blue = map(int, content["foregroundColor"][4:-1].split(","))
        assert max(red, green, blue) < 140

    def test_pictures_have_the_sizes_of_apples_guide(self, apple: AppleCredentials) -> None:
        files = opened(ApplePassTemplate(EVENT, apple).render(TICKET))
        sizes = {file: Image.open(BytesIO(data)).size for file, data in files.items() if file.endswith(".png")}
        assert sizes == {
            "icon.png": (29, 29),
            "icon@2x.png": (58, 58),
            "icon@3x.png": (87, 87),
            "logo.png": (100, 50),
            "logo@2x.png": (200, 100),
            "logo@3x.png": (300, 150),
            "strip@2x.png": (750, 196),
        }

    def test_an_event_with_only_a_title_has_a_pass(self, apple: AppleCredentials) -> None:
        template = ApplePassTemplate(EventDetails(title="Fête", starts_at=None), apple)
        ticket = TicketDetails(ticket_id="1", code="é", event_date="2026-01-15 19:00")
        content = json.loads(opened(template.render(ticket))["pass.json"])
        assert content["organizationName"] == "Fête"
        assert content["barcodes"][0]["messageEncoding"] == "utf-8"
        assert content["eventTicket"]["secondaryFields"][0]["value"] == "2026-01-15 19:00"
        assert content["eventTicket"]["auxiliaryFields"] == []

    def test_a_broken_logo_is_rejected(self, apple: AppleCredentials) -> None:
        with pytest.raises(RenderingError, match="logo cannot be read"):
            ApplePassTemplate(EventDetails(title="x", starts_at=None, logo=b"no picture"), apple)


class TestAppleCredentials:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda a: {"certificate": b"DER"}, "Pass Type ID certificate is not a PEM file"),
            (lambda a: {"certificate": a.member(name(COMMON_NAME="website"))}, "no Pass Type ID certificate"),
            (lambda a: {"certificate": a.member(days=-1)}, "renew it with Apple"),
            (lambda a: {"private_key": pem(a.key)}, "not that of the Pass Type ID certificate"),
            (lambda a: {"private_key": b"nothing"}, "cannot be read as PEM"),
            (lambda a: {"private_key": pem(a.member_key, b"secret")}, "password is wrong"),
            (lambda a: {"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "no RSA key"),
            (lambda a: {"intermediate": a.member()}, "download CN=Test WWDR"),
            (lambda a: {"intermediate": b""}, "intermediate certificate is not a PEM file"),
        ],
    )
    def test_invalid_apple_credentials_are_rejected(
        self, authority: Authority, change: Callable[[Authority], dict[str, bytes]], message: str
    ) -> None:
        files = {
            "certificate": authority.member(),
            "private_key": pem(authority.member_key),
            "intermediate": authority.certificate,
        }
        with pytest.raises(WalletCredentialsError, match=message):
            AppleCredentials.load(**files | change(authority))

    def test_an_encrypted_key_is_loaded(self, authority: Authority) -> None:
        key = pem(authority.member_key, b"secret")
        credentials = AppleCredentials.load(authority.member(), key, authority.certificate, b"secret")
        assert credentials.team_identifier == "TEAM123456"

    def test_repr_does_not_contain_the_key(self, apple: AppleCredentials, google: GoogleCredentials) -> None:
        assert "private" not in repr(apple) + repr(google)


class TestGoogle:
    def claims(self, google: GoogleCredentials, ticket: TicketDetails = TICKET) -> dict[str, Any]:
        token = GooglePassTemplate(EVENT, google, "event-42").render(ticket, TODAY)
        return jwt.decode(token, google.private_key.public_key(), ["RS256"], audience="google")

    def test_the_token_is_signed_by_the_service_account(self, google: GoogleCredentials) -> None:
        claims = self.claims(google)
        assert (claims["iss"], claims["typ"]) == ("tickets@example.iam.gserviceaccount.com", "savetowallet")
        assert claims["iat"] == int(TODAY.timestamp())

    def test_class_and_object_have_the_details_of_the_ticket(self, google: GoogleCredentials) -> None:
        payload = self.claims(google)["payload"]
        (event,), (ticket,) = payload["eventTicketClasses"], payload["eventTicketObjects"]
        assert ticket["classId"] == event["id"]
        assert re.fullmatch(r"3388000000012345678\.event-42-[0-9a-f]{12}", event["id"])
        assert re.fullmatch(rf"3388000000012345678\.{TICKET_ID}-[0-9a-f]{{12}}", ticket["id"])
        assert ticket["barcode"] == {"type": "QR_CODE", "value": "AD1:ABC"}
        assert ticket["ticketHolderName"] == "Zoë Müller"
        assert event["venue"]["name"]["defaultValue"] == {"language": "en", "value": "Teatro Municipal"}
        # Local time in Lisbon: Google does not convert it.
        assert event["dateTime"] == {
            "doorsOpen": "2026-06-20T18:30:00+01:00",
            "start": "2026-06-20T19:30:00+01:00",
            "end": "2026-06-20T23:00:00+01:00",
        }
        assert event["hexBackgroundColor"] == "#fde047"

    def test_changed_content_has_another_id(self, google: GoogleCredentials) -> None:
        def ids(event: EventDetails, ticket: TicketDetails) -> tuple[str, str]:
            template = GooglePassTemplate(event, google, "event-42")
            claims = jwt.decode(template.render(ticket), google.private_key.public_key(), ["RS256"], audience="google")
            (described,) = claims["payload"]["eventTicketObjects"]
            return described["classId"], described["id"]

        same = ids(EVENT, TICKET)
        assert ids(EVENT, TICKET) == same
        reissued = ids(EVENT, replace(TICKET, code="AD1:DEF"))
        assert (reissued[0] == same[0], reissued[1] == same[1]) == (True, False)
        moved = ids(replace(EVENT, venue="Coliseu"), TICKET)
        assert (moved[0] == same[0], moved[1] == same[1]) == (False, False)

    @pytest.mark.parametrize("letter", sweep(["W", "ß", "王", "😀", '"', "e\u0301"], every=1))
    @pytest.mark.parametrize("code", ["A" * 135, "x" * 300])
    @pytest.mark.parametrize("class_exists", [False, True])
    def test_the_longest_texts_fit_in_a_link(
        self, longest_google: GoogleCredentials, letter: str, code: str, class_exists: bool
    ) -> None:
        """Every value is as long as its field allows, and so are the service account's name and the issuer's id."""

        def text(length: int) -> str:
            return (letter * length)[:length]

        event = replace(
            EVENT, title=text(200), organiser=text(200), venue=text(200), address=text(300), cover=None, logo=None
        )
        ticket = TicketDetails(
            ticket_id=TICKET_ID, code=code, holder=text(200), ticket_type=text(100), price=text(20), quantity=500,
            order_reference=text(40),
        )  # fmt: skip
        template = GooglePassTemplate(event, longest_google, f"event-{2**31}")
        link = template.link(ticket, class_exists=class_exists)
        assert len(link) < 1800
        key = longest_google.private_key.public_key()
        claims = jwt.decode(link.rpartition("/")[2], key, ["RS256"], audience="google")
        (shown,) = claims["payload"]["eventTicketObjects"]
        assert shown["barcode"]["value"] == code
        assert shown["ticketHolderName"].startswith(letter)
        assert shown["ticketHolderName"].endswith("…") or shown["ticketHolderName"] == text(200)
        assert template.event_class["eventName"]["defaultValue"]["value"].startswith(letter)

    def test_a_typical_ticket_shows_all_details(self, google: GoogleCredentials) -> None:
        ticket = replace(TICKET, code="A" * 135)
        payload = self.claims(google, ticket)["payload"]
        (event,), (shown,) = payload["eventTicketClasses"], payload["eventTicketObjects"]
        assert event["venue"]["name"]["defaultValue"]["value"] == "Teatro Municipal"
        assert {"start"} <= set(event["dateTime"])
        assert shown["ticketHolderName"] == "Zoë Müller"
        assert len(GooglePassTemplate(EVENT, google, "event-42").link(ticket)) < 1800

    def test_a_code_too_long_for_a_link_is_rejected(self, google: GoogleCredentials) -> None:
        with pytest.raises(RenderingError, match="too long for Google Wallet"):
            GooglePassTemplate(EVENT, google, "event-42").link(replace(TICKET, code="x" * 1200))

    def test_the_link_of_a_signed_code_is_short_enough_for_all_browsers(self, google: GoogleCredentials) -> None:
        ticket = TicketDetails(ticket_id=TICKET_ID, code="A" * 135, holder="Zoë Müller", ticket_type="Standing")
        template = GooglePassTemplate(EVENT, google, "event-42")
        link = template.link(ticket, class_exists=True)
        assert link.startswith("https://pay.google.com/gp/v/save/ey")
        assert len(link) < 1800
        assert template.event_class["id"].startswith("3388000000012345678.event-42-")

    @pytest.mark.parametrize("key", ["", "with space", "ä", "x" * 65])
    def test_an_invalid_google_id_is_rejected(self, google: GoogleCredentials, key: str) -> None:
        with pytest.raises(RenderingError, match="Google Wallet takes ids"):
            GooglePassTemplate(EVENT, google, key)

    @pytest.mark.parametrize(
        ("account", "issuer", "message"),
        [
            ("{}", "3388", "download it again"),
            ("no json", "3388", "download it again"),
            ("[]", "3388", "download it again"),
            ('{"client_email": "a@b", "private_key": "x"}', "3388", "cannot be read as PEM"),
            ('{"client_email": "a@b", "private_key": "x", "token_uri": "http://a"}', "3388", "token_uri is no https"),
            ('{"client_email": "a@b", "private_key": "x", "token_uri": "https://["}', "3388", "token_uri is no https"),
            ("{}", "issuer", "the issuer id is the number"),
        ],
    )
    def test_invalid_google_credentials_are_rejected(self, account: str, issuer: str, message: str) -> None:
        with pytest.raises(WalletCredentialsError, match=message):
            GoogleCredentials.load(account, issuer)
