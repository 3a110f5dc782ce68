"""Wallets are off until they are configured, wholly and rightly; what is wrong is told without telling secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django.fixtures import Settings

from apps.events.checks import check_wallets
from apps.events.wallets import Wallet, offered

from .wallet_credentials import Authority

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


def test_without_settings_both_are_off_and_nothing_is_wrong() -> None:
    assert offered() == frozenset()
    assert errors() == []


def test_with_good_settings_both_are_on(configured: dict[str, str]) -> None:
    assert offered() == {Wallet.APPLE, Wallet.GOOGLE}
    assert errors() == []


def test_a_key_with_a_password_is_opened(authority: Authority, settings: Settings, tmp_path: Path) -> None:
    configure(settings, authority.settings(tmp_path, password=b"open sesame"))
    assert offered() == {Wallet.APPLE, Wallet.GOOGLE}


@pytest.mark.parametrize("missing", [*APPLE, *GOOGLE])
def test_half_a_configuration_is_an_error_that_says_which_half(
    configured: dict[str, str], settings: Settings, missing: str
) -> None:
    setattr(settings, missing, "")
    (error,) = errors()
    assert error.id == ("events.E004" if missing in APPLE else "events.E005")
    assert f"{missing} missing" in error.msg
    assert "settings.md" in str(error.hint)
    assert offered() == {Wallet.GOOGLE if missing in APPLE else Wallet.APPLE}


def test_a_password_alone_is_half_a_configuration(settings: Settings) -> None:
    settings.APPLE_WALLET_KEY_PASSWORD = "open sesame"
    (error,) = errors()
    assert "APPLE_WALLET_CERTIFICATE, APPLE_WALLET_KEY, APPLE_WALLET_INTERMEDIATE missing" in error.msg


@pytest.mark.parametrize("setting", [*APPLE, "GOOGLE_WALLET_CREDENTIALS"])
def test_a_file_that_is_not_there_is_named_by_its_setting(
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
def test_no_secret_is_told_whatever_was_mistaken(
    configured: dict[str, str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    mistake: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    configure(settings, mistake(configured))
    (error,) = errors()
    told = f"{error.msg} {error.hint} {caplog.text}"
    assert not any(secret in told for secret in ("PRIVATE KEY", "open sesame", 'client_email":'))


def test_credentials_are_read_once_and_complained_about_once(
    configured: dict[str, str], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    offered()
    for path in (value for value in configured.values() if value.startswith("/")):
        Path(path).unlink()
    assert offered() == {Wallet.APPLE, Wallet.GOOGLE}
    settings.GOOGLE_WALLET_ISSUER_ID = "my issuer"
    for _ in range(3):
        assert offered() == {Wallet.APPLE}
    assert len(caplog.records) == 1
