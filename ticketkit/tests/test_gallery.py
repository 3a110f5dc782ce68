"""The gallery is made by one command, and every ticket in it is as good as any other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conformance import findings
from PIL import Image
from readers import pdfium_picture, read_qr_codes

from ticketkit.gallery.__main__ import write_gallery
from ticketkit.gallery.samples import Sample, samples
from ticketkit.rendering import EventTemplate
from ticketkit.rendering.labels import labels_for, languages

DOCS = Path(__file__).parents[2] / "docs"


def test_one_command_writes_a_page_with_a_picture_of_every_sample(tmp_path: Path) -> None:
    page, *pictures = write_gallery(tmp_path)
    assert len(pictures) == len(samples()) == 11
    text = page.read_text("utf-8")
    for picture in pictures:
        assert picture.name in text
        with Image.open(picture) as opened:
            assert opened.width > 300


def test_the_page_of_the_documentation_is_what_its_command_writes(tmp_path: Path) -> None:
    """But for the sizes of the files, which differ a little with the versions of libraries."""
    shown = (DOCS / "explanation/ticket-gallery.md").read_text("utf-8")
    command = re.findall(r"`\.venv/bin/python (-m [\w.]+) docs`", shown)[0].split()
    subprocess.run([sys.executable, *command, str(tmp_path)], timeout=60, check=True)
    written = (tmp_path / "explanation/ticket-gallery.md").read_text("utf-8")
    assert re.sub(r"\d+ KB", "", written) == re.sub(r"\d+ KB", "", shown)
    pictures = {path.name for path in (DOCS / "images/tickets").iterdir()}
    assert {path.name for path in (tmp_path / "images/tickets").iterdir()} == pictures


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_every_sample_conforms_and_scans(sample: Sample) -> None:
    pdf = EventTemplate(sample.event, sample.layout).render_pdf(sample.ticket)
    assert findings(pdf) == []
    picture = pdfium_picture(pdf, 60)
    found = read_qr_codes(picture)
    assert found == [sample.ticket.code]


def test_every_language_has_the_same_words() -> None:
    english = set(labels_for("en"))
    for language in languages():
        words = labels_for(language)
        assert set(words) == english
        assert all(words.values())
        assert "X" in words["presents"].format(organiser="X")
