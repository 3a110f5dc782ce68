"""The gallery is made by one command, and every ticket in it is as good as any other."""

from pathlib import Path

import pytest
from conformance import findings
from PIL import Image
from readers import pdfium_picture, read_qr_codes

from ticketkit.gallery.__main__ import write_gallery
from ticketkit.gallery.samples import Sample, samples
from ticketkit.rendering import EventTemplate
from ticketkit.rendering.labels import labels_for, languages


def test_one_command_writes_a_page_with_a_picture_of_every_sample(tmp_path: Path) -> None:
    page, *pictures = write_gallery(tmp_path)
    assert len(pictures) == len(samples()) == 11
    text = page.read_text("utf-8")
    for picture in pictures:
        assert picture.name in text
        with Image.open(picture) as opened:
            assert opened.width > 300


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
