"""`manage.py check` warns about scripts that tickets cannot show, and says what to do about it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest

from apps.publishing import checks
from tests.workers import BACKEND, environment
from ticketkit import RenderingError

pytestmark = pytest.mark.integration

THAI, CJK = "NotoSansThai[wght].ttf", "NotoSansCJK-VF.otf.ttc"


def test_installed_fonts_give_no_warning() -> None:
    assert checks.check_fonts(None) == []


def test_missing_font_gives_one_warning_with_its_scripts() -> None:
    uncovered = {"Thai": "the font A is missing", "Han": "the font B is missing", "Hangul": "the font B is missing"}
    with mock.patch.object(checks, "uncovered_scripts", return_value=uncovered):
        warnings = checks.check_fonts(None)
    assert [(warning.id, warning.msg) for warning in warnings] == [
        ("events.W011", "Tickets cannot show Thai: the font A is missing."),
        ("events.W011", "Tickets cannot show Han, Hangul: the font B is missing."),
    ]


def test_setting_without_a_folder_gives_a_warning() -> None:
    error = RenderingError("TICKETKIT_FONTS: /fonts is no folder: name the one that the font files are in")
    with mock.patch.object(checks, "uncovered_scripts", side_effect=error):
        (warning,) = checks.check_fonts(None)
    assert (warning.id, warning.msg) == ("events.W011", f"No ticket can be drawn: {error}.")


@pytest.mark.parametrize("content", [None, b"no font"], ids=["as it was", "broken"])
def test_check_reports_a_broken_font_in_the_folder_of_the_setting(content: bytes | None, tmp_path: Path) -> None:
    package = find_spec("manimgx_fonts")
    assert package
    (tmp_path / "fonts").mkdir()
    font = tmp_path / "fonts" / THAI
    font.write_bytes(content or Path(str(package.origin)).with_name(THAI).read_bytes())
    variables = environment("memory://") | {"TICKETKIT_FONTS": str(font.parent), "ADMIT_VAR_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=BACKEND, env=variables, capture_output=True, text=True, timeout=60, check=True)
    assert ("events.W011" in done.stderr) == (content is not None)
    assert (f"Tickets cannot show Thai: {font} is not the font of this name" in done.stderr) == (content is not None)
