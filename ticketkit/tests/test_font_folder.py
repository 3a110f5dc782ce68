"""Fonts from a folder that the operator names, and what is told of fonts that are missing or broken.

Fonts are loaded once a process, so each of these has a process of its own.
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
# `import` and `find_spec` find no package whose name stands for None.
UNINSTALLED = "import sys; sys.modules |= dict.fromkeys(('manimgx_fonts', 'manimgx_fonts_cjk')); "
DRAWN = """
import json
from samples import make_event, make_ticket
from readers import pdfium_text
from ticketkit import EventTemplate, RenderingError
def drawn(name):
    try:
        return pdfium_text(EventTemplate(make_event()).render_pdf(make_ticket(holder=name)))
    except RenderingError as error:
        return f"RenderingError: {error}"
"""
DRAWN_AND_TOLD = (
    DRAWN
    + """
from ticketkit import uncovered_scripts
print(json.dumps([drawn("Ada สมชาย"), uncovered_scripts()]))
"""
)
TOLD = "import json; from ticketkit import uncovered_scripts; print(json.dumps(uncovered_scripts()))"


@cache
def files() -> dict[str, Path]:
    """Return the installed fonts by their file names."""
    folders = [Path(str(spec.origin)).parent for package in PACKAGES if (spec := find_spec(package))]
    return {path.name: path for folder in folders for path in folder.iterdir() if path.suffix in (".ttf", ".ttc")}


def folder_of(tmp_path: Path, *names: str) -> Path:
    """Make a folder with these fonts, each as a link."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(files()[name])
    return folder


def run(program: str, folder: Path | None = None) -> Any:
    """Return what a process prints as JSON, with ``TICKETKIT_FONTS`` as its only setting."""
    environment = {"PATH": os.environ["PATH"]} | ({"TICKETKIT_FONTS": str(folder)} if folder else {})
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def test_the_packages_cover_every_script() -> None:
    assert uncovered_scripts() == {}


def test_fonts_come_from_the_folder_alone_where_no_package_is_installed(tmp_path: Path) -> None:
    text, told = run(UNINSTALLED + DRAWN_AND_TOLD, folder_of(tmp_path, *files()))
    assert "Ada สมชาย" in text
    assert told == {}


def test_a_font_of_the_folder_goes_before_that_of_the_package(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / THAI).symlink_to(files()["NotoSansLao[wght].ttf"])  # recognised by what it lacks
    told = run(TOLD, folder)
    assert list(told) == ["Thai"]
    assert told["Thai"].startswith(f"{THAI} lacks U+0E01, U+0E02, ")


def test_a_font_that_is_not_in_the_folder_is_taken_from_the_package(tmp_path: Path) -> None:
    text, told = run(DRAWN_AND_TOLD, folder_of(tmp_path, LATIN))
    assert "Ada สมชาย" in text
    assert told == {}


def test_a_name_in_a_script_without_a_font_costs_no_ticket(tmp_path: Path) -> None:
    program = UNINSTALLED + DRAWN + "print(json.dumps(drawn('Ada สมชาย') + drawn('\\u200bสมชาย')))"
    text = run(program, folder_of(tmp_path, LATIN))
    assert "Ada \ufffd\ufffd\ufffd\ufffd" in text
    assert "สมชาย" not in text


def test_every_script_without_a_font_is_told_with_the_file_that_is_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(set(files()) - {THAI, CJK, "NotoEmoji[wght].ttf", "NotoSansSymbols[wght].ttf"}))
    told = run(UNINSTALLED + TOLD, folder)
    assert told.keys() == {"Thai", "Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Emoji", "Symbols"}
    assert told["Thai"] == f"the font {THAI} is missing: install manimgx-fonts, or put the file into {folder}"
    assert told["Han"] == f"the font {CJK} is missing: install manimgx-fonts-cjk, or put the file into {folder}"


def test_without_any_font_every_script_is_told() -> None:
    told = run(UNINSTALLED + TOLD)
    assert len(told) == 29
    assert {"Latin", "Greek", "Cyrillic", "Arabic", "Devanagari", "Lao", "Hangul", "Emoji", "Symbols"} <= told.keys()
    hint = "install manimgx-fonts, or set TICKETKIT_FONTS to a folder that has the file"
    assert told["Latin"] == f"the font {LATIN} is missing: {hint}"


def test_without_the_latin_font_a_ticket_fails_with_what_to_do(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(set(files()) - {LATIN}))
    text, told = run(UNINSTALLED + DRAWN_AND_TOLD, folder)
    assert text == f"RenderingError: the font {LATIN} is missing: install manimgx-fonts, or put the file into {folder}"
    assert told.keys() == {"Latin", "Greek", "Cyrillic"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not the font of this name: download it again"),
        (b"<html>404</html>", "is not the font of this name: download it again"),
        ("static", "does not vary in weight alone: take Noto's variable font of this name"),
    ],
    ids=["empty", "page", "static"],
)
def test_a_file_that_is_no_such_font_is_told_and_not_passed_over(
    content: bytes | str, message: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path)
    (folder / THAI).write_bytes(static_font(files()[THAI]) if isinstance(content, str) else content)
    text, told = run(DRAWN_AND_TOLD, folder)
    assert told.keys() == {"Thai"}
    assert message in told["Thai"]
    assert str(folder / THAI) in told["Thai"]
    assert text == f"RenderingError: {told['Thai']}"


def static_font(path: Path) -> bytes:
    """Return the font without its axis of weights."""
    import io

    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    font, target = TTFont(path), io.BytesIO()
    for table in {"fvar", "gvar", "avar", "HVAR", "MVAR", "STAT"} & set(font.keys()):
        del font[table]
    font.save(target)
    return target.getvalue()


def test_a_setting_that_names_no_folder_is_refused(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    message = f"RenderingError: TICKETKIT_FONTS: {nowhere} is no folder: name the one that the font files are in"
    program = """
from ticketkit import uncovered_scripts
try:
    uncovered_scripts()
except RenderingError as error:
    print(json.dumps([drawn("Ada"), f"RenderingError: {error}"]))
"""
    assert run(DRAWN + program, nowhere) == [message, message]


CHOOSING = """
import json, sys
from ticketkit import RenderingError, printed_as, uncovered_scripts, use_fonts
told = []
def choose(folder):
    try:
        use_fonts(folder)
    except RenderingError as error:
        told.append(str(error))
    else:
        told.append(None)
"""


def test_a_program_chooses_the_folder_before_the_first_ticket_and_not_later(tmp_path: Path) -> None:
    folder, empty = folder_of(tmp_path, *files()), tmp_path / "empty"
    empty.mkdir()
    steps = f"""
choose({str(tmp_path / "nowhere")!r})
choose({str(empty)!r})
told.append(sorted(uncovered_scripts())[:2])
choose({str(folder)!r})
told.append(uncovered_scripts())
told.append(printed_as("สมชาย", "th"))
choose({str(folder)!r})
choose({str(empty)!r})
print(json.dumps(told))
"""
    refused, emptied, lacking, chosen, covered, printed, again, late = run(UNINSTALLED + CHOOSING + steps)
    assert (
        refused == f"the folder of fonts: {tmp_path / 'nowhere'} is no folder: name the one that the font files are in"
    )
    assert (emptied, lacking) == (None, ["Arabic", "Armenian"])
    assert (chosen, covered, printed, again) == (None, {}, "สมชาย", None)
    assert late == f"other fonts than those in {empty} are in use: choose the folder before the first ticket"


def test_the_function_overrides_the_setting(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *files())
    program = UNINSTALLED + f"from ticketkit import use_fonts; use_fonts({str(folder)!r}); " + TOLD
    assert run(program, tmp_path / "nowhere") == {}
