"""The gallery in the documentation is up to date, and its tickets conform and scan.

After an intended change, run ``.venv/bin/python -m ticketkit.gallery docs`` in the repository's root folder, check the
pictures and commit them.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conformance import violations
from conftest import sweep
from PIL import Image, ImageChops, ImageStat
from readers import pdfium_picture, read_qr_codes

from ticketkit import EventTemplate
from ticketkit.gallery.samples import samples
from ticketkit.rendering.labels import labels_for, languages

DOCS = Path(__file__).parents[2] / "docs"
PAGE = Path("explanation/ticket-gallery.md")
PICTURES = Path("images/tickets")
# Not from samples(), whose artwork would slow down test collection.
NAMES = sorted(path.stem for path in (DOCS / PICTURES).iterdir())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the command that the documentation names, and return the folder with its output."""
    docs = tmp_path_factory.mktemp("docs")
    (module,) = re.findall(r"`\.venv/bin/python -m ([\w.]+) docs`", (DOCS / PAGE).read_text("utf-8"))
    subprocess.run([sys.executable, "-m", module, str(docs)], timeout=60, check=True)
    return docs


@pytest.mark.integration
def test_the_page_of_the_documentation_is_what_its_command_writes(written: Path) -> None:
    """Except for file sizes, which depend on the versions of libraries."""
    page = (written / PAGE).read_text("utf-8")
    assert re.sub(r"\d+ KB", "", page) == re.sub(r"\d+ KB", "", (DOCS / PAGE).read_text("utf-8"))
    assert {path.stem for path in (written / PICTURES).iterdir()} == set(NAMES)
    assert all(f"(../{PICTURES}/{name}.png)" in page for name in NAMES)


@pytest.mark.integration
@pytest.mark.parametrize("name", NAMES)
def test_the_picture_of_the_documentation_shows_what_is_drawn_today(written: Path, name: str) -> None:
    before, now = (Image.open(docs / PICTURES / f"{name}.png").convert("RGB") for docs in (DOCS, written))
    assert now.size == before.size
    assert now.width > 300
    assert max(ImageStat.Stat(ImageChops.difference(before, now)).mean) < 4


@pytest.mark.parametrize("name", sweep(NAMES, every=1))
def test_every_sample_conforms_and_scans(name: str) -> None:
    (sample,) = (sample for sample in samples() if sample.name == name)
    pdf = EventTemplate(sample.event, sample.layout).render_pdf(sample.ticket)
    assert violations(pdf) == []
    assert read_qr_codes(pdfium_picture(pdf, 60)) == [sample.ticket.code]


def test_all_languages_have_the_same_labels() -> None:
    english = set(labels_for("en"))
    for language in languages():
        words = labels_for(language)
        assert set(words) == english
        assert all(words.values())
        assert "X" in words["presents"].format(organiser="X")
