"""Test EMAIL_URL: documented URLs are encrypted, and unknown ones are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import send_mail
from django.test import override_settings
from environs import Env

from config.email_settings import read_email
from tests.workers import BACKEND

from .read_settings import read_settings

ROOT = BACKEND.parent
PAGES = ("backend/.env.example", "docs/reference/settings.md", "docs/how-to/deploy-with-containers.md")
URL = re.compile(r"(?:EMAIL_URL=|`)(\w[\w+]*://user:password@[^\s`]+:(?:587|465)[^\s`]*)")
DOCUMENTED = [url for page in PAGES for url in URL.findall((ROOT / page).read_text())]
OUTBOX = "apps.mail.outbox.OutboxBackend"


def settings_of(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("EMAIL_URL", url)
    return read_email(Env())


def test_urls_are_found_on_every_page() -> None:
    assert len(DOCUMENTED) == len(PAGES) + 1


@pytest.mark.parametrize("url", DOCUMENTED)
def test_documented_urls_are_encrypted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of(url, monkeypatch)
    assert found["EMAIL_BACKEND"] == OUTBOX
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("user", "password")
    assert found["EMAIL_USE_TLS"] == (found["EMAIL_PORT"] == 587)
    assert found["EMAIL_USE_SSL"] == (found["EMAIL_PORT"] == 465)


@pytest.mark.parametrize(
    "url", ["smtp+tls://user:password@host:587", "smtps://host", "consolemail://", "host:587", "x"]
)
def test_unknown_scheme_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"EMAIL_URL begins with .* submission:// is a mail server") as error:
        settings_of(url, monkeypatch)
    assert "password" not in str(error.value)


@pytest.mark.parametrize("url", ["", "console://"])
def test_mail_is_logged_without_a_mail_server(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = read_settings(tmp_path, EMAIL_URL=url)
    mail = {name: getattr(read, name) for name in dir(read) if name.startswith(("EMAIL_", "MAIL_"))}
    with override_settings(**mail):
        send_mail("A code", "is 4711", None, ["ann@example.org"])
    assert "is 4711" in capsys.readouterr().out


def test_deploy_check_warns_of_unencrypted_or_missing_mail_server(settings: Any) -> None:
    def warnings() -> set[str | None]:
        return {message.id for message in run_checks(include_deployment_checks=True)} & {"events.W004", "events.W005"}

    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert warnings() == {"events.W005"}
    settings.EMAIL_BACKEND, settings.EMAIL_HOST_PASSWORD = OUTBOX, "password"
    settings.EMAIL_USE_TLS = False
    assert warnings() == {"events.W004"}
    settings.EMAIL_USE_TLS = True
    assert warnings() == set()
