"""`manage.py check` warns about scripts that tickets cannot show, and says what to do about it."""

from __future__ import annotations

from unittest import mock

import ticketkit
from apps.publishing import checks
from ticketkit import RenderingError


def test_installed_fonts_give_no_warning() -> None:
    assert checks.check_fonts(None) == []


def test_missing_font_gives_one_warning_with_its_scripts() -> None:
    uncovered = {"Thai": "the font A is missing", "Han": "the font B is missing", "Hangul": "the font B is missing"}
    with mock.patch.object(ticketkit, "uncovered_scripts", return_value=uncovered):
        warnings = checks.check_fonts(None)
    assert [(warning.id, warning.msg) for warning in warnings] == [
        ("events.W011", "Tickets cannot show Thai: the font A is missing."),
        ("events.W011", "Tickets cannot show Han, Hangul: the font B is missing."),
    ]


def test_setting_without_a_folder_gives_a_warning() -> None:
    error = RenderingError("TICKETKIT_FONTS: /fonts is no folder: name the one that the font files are in")
    with mock.patch.object(ticketkit, "uncovered_scripts", side_effect=error):
        (warning,) = checks.check_fonts(None)
    assert (warning.id, warning.msg) == ("events.W011", f"No ticket can be drawn: {error}.")
