"""BEHIND_PROXY follows the scheme of PUBLIC_URL, an explicit value wins, and checks name contradictions."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from config.checks import check_proxy

from .read_settings import read_settings

TRUSTED = (True, ("HTTP_X_FORWARDED_PROTO", "https"), 1)
NOT_TRUSTED = (False, None, 0)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, NOT_TRUSTED),
        ({"PUBLIC_URL": "http://tickets.example.org"}, NOT_TRUSTED),
        ({"PUBLIC_URL": "https://tickets.example.org"}, TRUSTED),
        ({"PUBLIC_URL": "https://tickets.example.org", "BEHIND_PROXY": ""}, TRUSTED),
        ({"PUBLIC_URL": "https://tickets.example.org", "BEHIND_PROXY": "False"}, NOT_TRUSTED),
        ({"BEHIND_PROXY": "True"}, TRUSTED),
    ],
)
def test_forwarded_headers_are_believed_where_the_public_url_is_https(
    variables: dict[str, str], expected: tuple[object, ...], tmp_path: Path
) -> None:
    read = read_settings(tmp_path, **variables)
    assert expected == (read.BEHIND_PROXY, read.SECURE_PROXY_SSL_HEADER, read.ALLAUTH_TRUSTED_PROXY_COUNT)


@pytest.mark.parametrize(
    ("url", "is_behind_proxy", "redirects", "found"),
    [
        ("https://tickets.example.org", True, True, []),
        ("https://tickets.example.org", False, True, ["admit.W003"]),
        ("https://tickets.example.org", False, False, []),
        ("http://localhost:8000", True, False, ["admit.W004"]),
        ("http://localhost:8000", False, False, []),
    ],
)
def test_the_check_names_what_contradicts_the_public_url(
    url: str, is_behind_proxy: bool, redirects: bool, found: list[str], settings: Settings
) -> None:
    settings.PUBLIC_URL, settings.BEHIND_PROXY, settings.SECURE_SSL_REDIRECT = url, is_behind_proxy, redirects
    assert [warning.id for warning in check_proxy(None)] == found
