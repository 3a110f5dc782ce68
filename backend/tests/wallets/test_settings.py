"""A wallet is off until all its settings are valid. Problems are reported without revealing secrets."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.checks import WARNING, CheckMessage
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.events.models import EventTicket
from apps.wallets.checks import check_wallets
from apps.wallets.passes import Wallet, WalletOffError, apple_pass, offered
from tests.factories import make_user
from tests.wallet_credentials import Authority
from ticketkit.testing import issue
from ticketkit.wallet import credentials

APPLE = ("APPLE_WALLET_CERTIFICATE", "APPLE_WALLET_KEY", "APPLE_WALLET_INTERMEDIATE")
GOOGLE = ("GOOGLE_WALLET_CREDENTIALS", "GOOGLE_WALLET_ISSUER_ID")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def configured(authority: Authority, settings: Settings, tmp_path: Path) -> dict[str, str]:
    return configure(settings, authority.settings(tmp_path))


def configure(settings: Settings, values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        setattr(settings, name, value)
    return values


def errors() -> list[CheckMessage]:
    return check_wallets(None)


def test_without_settings_both_wallets_are_off_without_errors() -> None:
    assert offered() == frozenset()
    assert errors() == []


def test_with_valid_settings_both_wallets_are_on(configured: dict[str, str]) -> None:
    assert offered() == {Wallet.APPLE, Wallet.GOOGLE}
    assert errors() == []


def test_a_key_with_a_password_is_loaded(authority: Authority, settings: Settings, tmp_path: Path) -> None:
    configure(settings, authority.settings(tmp_path, password=b"open sesame"))
    assert offered() == {Wallet.APPLE, Wallet.GOOGLE}


@pytest.mark.parametrize("missing", [*APPLE, *GOOGLE])
def test_a_missing_setting_is_an_error_that_names_it(
    configured: dict[str, str], settings: Settings, missing: str
) -> None:
    setattr(settings, missing, "")
    (error,) = errors()
    assert error.id == ("events.E004" if missing in APPLE else "events.E005")
    assert f"{missing} missing" in error.msg
    assert "settings.md" in str(error.hint)
    assert offered() == {Wallet.GOOGLE if missing in APPLE else Wallet.APPLE}


def test_a_password_alone_is_an_error(settings: Settings) -> None:
    settings.APPLE_WALLET_KEY_PASSWORD = "open sesame"
    (error,) = errors()
    assert "APPLE_WALLET_CERTIFICATE, APPLE_WALLET_KEY, APPLE_WALLET_INTERMEDIATE missing" in error.msg


@pytest.mark.parametrize("setting", [*APPLE, "GOOGLE_WALLET_CREDENTIALS"])
def test_a_missing_file_is_an_error_that_names_the_setting(
    configured: dict[str, str], settings: Settings, setting: str
) -> None:
    Path(configured[setting]).unlink()
    (error,) = errors()
    assert f"the file that {setting} names cannot be read: No such file or directory" in error.msg


def a_key_in_place_of_its_path(values: dict[str, str]) -> dict[str, str]:
    return {"APPLE_WALLET_KEY": Path(values["APPLE_WALLET_KEY"]).read_text()}


def an_account_in_place_of_its_path(values: dict[str, str]) -> dict[str, str]:
    return {"GOOGLE_WALLET_CREDENTIALS": Path(values["GOOGLE_WALLET_CREDENTIALS"]).read_text()}


def a_password_for_a_key_that_has_none(values: dict[str, str]) -> dict[str, str]:
    return {"APPLE_WALLET_KEY_PASSWORD": "open sesame"}


def a_key_in_place_of_the_account(values: dict[str, str]) -> dict[str, str]:
    return {"GOOGLE_WALLET_CREDENTIALS": values["APPLE_WALLET_KEY"]}


@pytest.mark.parametrize(
    "mistake",
    [
        a_key_in_place_of_its_path,
        an_account_in_place_of_its_path,
        a_password_for_a_key_that_has_none,
        a_key_in_place_of_the_account,
    ],
)
def test_errors_reveal_no_secret(
    configured: dict[str, str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    mistake: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    configure(settings, mistake(configured))
    (error,) = errors()
    reported = f"{error.msg} {error.hint} {caplog.text}"
    assert not any(secret in reported for secret in ("PRIVATE KEY", "open sesame", 'client_email":'))


def test_credentials_are_read_once_and_errors_are_logged_once(
    configured: dict[str, str], settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read again"))
        assert offered() == {Wallet.APPLE, Wallet.GOOGLE}
    settings.GOOGLE_WALLET_ISSUER_ID = "my issuer"
    for _ in range(3):
        assert offered() == {Wallet.APPLE}
    assert len(caplog.records) == 1


# -- Expiry of certificates --------------------------------------------------------------------------------------


def advance_clock(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Advance the clock that certificates are compared with."""
    clock = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(days=days))
    monkeypatch.setattr(credentials, "datetime", clock)


@pytest.mark.parametrize("ending", ["certificate", "intermediate"])
def test_an_expired_certificate_turns_the_wallet_off_without_a_restart(
    authority: Authority, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    values = configure(settings, authority.settings(tmp_path))
    if ending == "intermediate":  # both are valid for 30 days, so give the other one 60
        Path(values["APPLE_WALLET_CERTIFICATE"]).write_bytes(authority.member(days=60))
    assert Wallet.APPLE in offered()

    advance_clock(monkeypatch, 31)
    assert offered() == {Wallet.GOOGLE}
    with pytest.raises(WalletOffError):
        apple_pass(EventTicket())
    (error,) = errors()
    assert (error.id, "renew it with Apple" in error.msg) == ("events.E004", True)


def test_renewed_files_are_used_without_a_restart(
    authority: Authority, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = configure(settings, authority.settings(tmp_path))
    advance_clock(monkeypatch, 31)
    assert Wallet.APPLE not in offered()

    intermediate = issue(authority.name, authority.key, authority.name, authority.key, 90).public_bytes(Encoding.PEM)
    Path(values["APPLE_WALLET_INTERMEDIATE"]).write_bytes(intermediate)
    Path(values["APPLE_WALLET_CERTIFICATE"]).write_bytes(authority.member(days=90))
    assert Wallet.APPLE in offered()

    Path(values["GOOGLE_WALLET_CREDENTIALS"]).write_text("{}")
    assert Wallet.GOOGLE not in offered()
    Path(values["GOOGLE_WALLET_CREDENTIALS"]).write_text(authority.service_account())
    assert Wallet.GOOGLE in offered()


def test_a_new_file_with_the_same_mtime_and_size_is_used(
    authority: Authority, settings: Settings, tmp_path: Path
) -> None:
    """`cp -p` keeps the modification time, and so does a change of the mode that makes a file readable."""
    key = Path(configure(settings, authority.settings(tmp_path))["APPLE_WALLET_KEY"])
    good, status = key.read_bytes(), key.stat()
    for content in (bytes(len(good)), good):
        key.write_bytes(content)
        os.utime(key, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert (Wallet.APPLE in offered()) == (content == good)


def test_the_expiry_is_announced_weeks_before(
    authority: Authority, settings: Settings, tmp_path: Path, client: Client, db: None
) -> None:
    values = configure(settings, authority.settings(tmp_path))
    settings.METRICS_TOKEN = "scrape"
    assert errors() == []
    Path(values["APPLE_WALLET_CERTIFICATE"]).write_bytes(authority.member(days=20))

    (warning,) = errors()
    assert (warning.id, warning.level) == ("events.W010", WARNING)
    assert "Passes for Apple Wallet are offered until" in warning.msg
    assert "no restart is needed" in warning.msg
    metrics = client.get("/metrics", headers={"Authorization": "Bearer scrape"}).text
    found = re.search(r'^admit_wallet_credentials_end_seconds\{wallet="apple"\} (\S+)$', metrics, re.MULTILINE)
    assert found is not None
    assert 19 * 86400 < float(found[1]) - time.time() < 21 * 86400
    assert 'admit_wallet_off{wallet="google"} 0.0' in metrics

    client.force_login(make_user(is_staff=True, is_superuser=True))
    events = reverse("admin:events_event_changelist")
    assert warning.msg in unescape(client.get(events).text)
    nothing_chosen = client.post(events, {"index": "0"}, follow=True)
    assert unescape(nothing_chosen.text).count(warning.msg) == 1
