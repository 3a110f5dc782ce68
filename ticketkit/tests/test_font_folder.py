"""Fonts in a configured folder, and errors for missing or broken fonts.

Fonts are loaded once per process, so each test starts a process of its own.
"""

import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ticketkit import uncovered_scripts

pytestmark = pytest.mark.integration
PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
LATIN, THAI, CJK = "NotoSans[wght].ttf", "NotoSansThai[wght].ttf", "NotoSansCJK-VF.otf.ttc"
# With None in `sys.modules`, `import` and `find_spec` do not find a package.
UNINSTALLED = "import sys; sys.modules |= dict.fromkeys(('manimgx_fonts', 'manimgx_fonts_cjk')); "
RENDER = """
import json
from samples import make_event, make_ticket
from readers import pdfium_text
from ticketkit import EventTemplate, RenderingError
def text_of(name):
    try:
        return pdfium_text(EventTemplate(make_event()).render_pdf(make_ticket(holder=name)))
    except RenderingError as error:
        return f"RenderingError: {error}"
"""
RENDER_AND_REPORT = f"""{RENDER}
from ticketkit import uncovered_scripts
print(json.dumps([text_of("Ada สมชาย"), uncovered_scripts()]))
"""
REPORT = "import json; from ticketkit import uncovered_scripts; print(json.dumps(uncovered_scripts()))"


@cache
def files() -> dict[str, Path]:
    """Return the installed fonts by their file names."""
    folders = [Path(str(spec.origin)).parent for package in PACKAGES if (spec := find_spec(package))]
    return {path.name: path for folder in folders for path in folder.iterdir() if path.suffix in (".ttf", ".ttc")}


def folder_of(tmp_path: Path, *names: str) -> Path:
    """Make a folder with symbolic links to these fonts."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(files()[name])
    return folder


def run(program: str, folder: Path | None = None) -> Any:
    """Run a program with ``TICKETKIT_FONTS`` set to the folder, and return its output as JSON."""
    environment = {"PATH": os.environ["PATH"]} | ({"TICKETKIT_FONTS": str(folder)} if folder else {})
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def test_the_packages_cover_every_script() -> None:
    assert uncovered_scripts() == {}


def test_all_fonts_are_loaded_from_the_folder_if_no_package_is_installed(tmp_path: Path) -> None:
    text, report = run(UNINSTALLED + RENDER_AND_REPORT, folder_of(tmp_path, *files()))
    assert "Ada สมชาย" in text
    assert report == {}


def test_the_folder_takes_precedence_over_the_package(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / THAI).symlink_to(files()["NotoSansLao[wght].ttf"])  # detected because it lacks Thai letters
    report = run(REPORT, folder)
    assert list(report) == ["Thai"]
    assert report["Thai"].startswith(f"{THAI} lacks U+0E01, U+0E02, ")


def test_a_font_missing_in_the_folder_is_loaded_from_the_package(tmp_path: Path) -> None:
    text, report = run(RENDER_AND_REPORT, folder_of(tmp_path, LATIN))
    assert "Ada สมชาย" in text
    assert report == {}


def test_a_name_in_a_script_without_a_font_is_drawn_with_placeholders(tmp_path: Path) -> None:
    program = UNINSTALLED + RENDER + "print(json.dumps(text_of('Ada สมชาย') + text_of('\\u200bสมชาย')))"
    text = run(program, folder_of(tmp_path, LATIN))
    assert "Ada \ufffd\ufffd\ufffd\ufffd" in text
    assert "สมชาย" not in text


def test_missing_fonts_are_reported_by_script_and_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(set(files()) - {THAI, CJK, "NotoEmoji[wght].ttf", "NotoSansSymbols[wght].ttf"}))
    report = run(UNINSTALLED + REPORT, folder)
    assert report.keys() == {"Thai", "Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Emoji", "Symbols"}
    assert report["Thai"] == f"the font {THAI} is missing: install manimgx-fonts, or put the file into {folder}"
    assert report["Han"] == f"the font {CJK} is missing: install manimgx-fonts-cjk, or put the file into {folder}"


def test_without_fonts_every_script_is_reported() -> None:
    report = run(UNINSTALLED + REPORT)
    assert len(report) == 29
    assert {"Latin", "Greek", "Cyrillic", "Arabic", "Devanagari", "Lao", "Hangul", "Emoji", "Symbols"} <= report.keys()
    hint = "install manimgx-fonts, or set TICKETKIT_FONTS to a folder that has the file"
    assert report["Latin"] == f"the font {LATIN} is missing: {hint}"


def test_without_the_latin_font_rendering_fails_and_says_what_to_do(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(set(files()) - {LATIN}))
    text, report = run(UNINSTALLED + RENDER_AND_REPORT, folder)
    assert text == f"RenderingError: the font {LATIN} is missing: install manimgx-fonts, or put the file into {folder}"
    assert report.keys() == {"Latin", "Greek", "Cyrillic"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not the font of this name: download it again"),
        (b"<html>404</html>", "is not the font of this name: download it again"),
        ("static", "does not vary in weight alone: take Noto's variable font of this name"),
    ],
    ids=["empty", "page", "static"],
)
def test_a_broken_font_file_is_reported_and_not_skipped(content: bytes | str, message: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / THAI).write_bytes(static_font(files()[THAI]) if isinstance(content, str) else content)
    text, report = run(RENDER_AND_REPORT, folder)
    assert report.keys() == {"Thai"}
    assert message in report["Thai"]
    assert str(folder / THAI) in report["Thai"]
    assert text == f"RenderingError: {report['Thai']}"


def static_font(path: Path) -> bytes:
    """Return the font without its weight axis: the table of axes has an unknown name, which keeps the tables sorted."""
    return path.read_bytes().replace(b"fvar", b"fvaq", 1)


def test_a_setting_that_is_no_folder_is_rejected(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    message = f"RenderingError: TICKETKIT_FONTS: {nowhere} is no folder: name the one that the font files are in"
    program = """
from ticketkit import uncovered_scripts
try:
    uncovered_scripts()
except RenderingError as error:
    print(json.dumps([text_of("Ada"), f"RenderingError: {error}"]))
"""
    assert run(RENDER + program, nowhere) == [message, message]


CHOOSE = """
import json, sys
from ticketkit import RenderingError, printed_as, uncovered_scripts, use_fonts
report = []
def choose(folder):
    try:
        use_fonts(folder)
    except RenderingError as error:
        report.append(str(error))
    else:
        report.append(None)
"""


def test_use_fonts_works_before_the_first_ticket_only(tmp_path: Path) -> None:
    folder, empty = folder_of(tmp_path, *files()), tmp_path / "empty"
    empty.mkdir()
    steps = f"""
choose({str(tmp_path / "nowhere")!r})
choose({str(empty)!r})
report.append(sorted(uncovered_scripts())[:2])
choose({str(folder)!r})
report.append(uncovered_scripts())
report.append(printed_as("สมชาย", "th"))
choose({str(folder)!r})
choose({str(empty)!r})
print(json.dumps(report))
"""
    refused, emptied, lacking, chosen, covered, printed, again, late = run(UNINSTALLED + CHOOSE + steps)
    assert (
        refused == f"the folder of fonts: {tmp_path / 'nowhere'} is no folder: name the one that the font files are in"
    )
    assert (emptied, lacking) == (None, ["Arabic", "Armenian"])
    assert (chosen, covered, printed, again) == (None, {}, "สมชาย", None)
    assert late == f"other fonts than those in {empty} are in use: choose the folder before the first ticket"


def test_the_function_overrides_the_setting(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *files())
    program = UNINSTALLED + f"from ticketkit import use_fonts; use_fonts({str(folder)!r}); " + REPORT
    assert run(program, tmp_path / "nowhere") == {}
