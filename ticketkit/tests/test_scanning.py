"""Codes scan after degradation: compression, folds, rotation, low light and others."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
import pytest
import zxingcpp
from conftest import sweep
from degradation import DEGRADATIONS, Picture
from PIL import Image
from readers import QR_CODES, pdfium_picture, poppler_picture

from ticketkit import EventDetails, EventTemplate, TicketDetails, render_qr_png
from ticketkit.codes.tokens import SigningKey

KEY = SigningKey(1, bytes(32))
CODES = [KEY.sign(1, UUID(int=7 * n), 0) for n in range(10)]
EVENT = EventDetails(
    title="Concert Night",
    starts_at=datetime(2026, 6, 20, 18, 30, tzinfo=UTC),
    venue="Teatro Municipal",
    organiser="Northern Lights",
)


def grey(picture: Image.Image) -> Picture:
    return np.asarray(picture.convert("L"))


def is_read(picture: Picture, code: str) -> bool:
    return [found.text for found in zxingcpp.read_barcodes(picture, formats=QR_CODES)] == [code]


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degraded_png_scans(name: str) -> None:
    random = np.random.default_rng(1)
    pictures = [grey(Image.open(BytesIO(render_qr_png(code)))) for code in CODES]
    for picture, code in zip(pictures, CODES, strict=True):
        assert is_read(DEGRADATIONS[name](picture, 0.5, random), code)


@pytest.mark.parametrize("name", sorted(set(DEGRADATIONS) - {"motion"}))
def test_the_smallest_modules_scan_after_slight_degradation(name: str) -> None:
    code = "https://example.org/tickets/" + "0123456789abcdef" * 16  # version 12, 4 px a module
    damaged = DEGRADATIONS[name](grey(Image.open(BytesIO(render_qr_png(code)))), 0.2, np.random.default_rng(1))
    assert is_read(damaged, code)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_worst_degradation_changes_the_picture(name: str) -> None:
    # The negative control: a degradation without effect would make the other tests pass.
    picture = grey(Image.open(BytesIO(render_qr_png(CODES[0]))))
    slight, worst = (DEGRADATIONS[name](picture, severity, np.random.default_rng(1)) for severity in (0.0, 1.0))
    side = min(slight.shape[0], worst.shape[0])
    difference = cv2.absdiff(cv2.resize(slight, (side, side)), cv2.resize(worst, (side, side)))
    assert difference.mean() > 2


@pytest.fixture(scope="module")
def pages() -> list[tuple[str, bytes]]:
    template = EventTemplate(EVENT)
    codes = sweep(CODES[:4], every=2)
    return [(code, template.render_pdf(TicketDetails(ticket_id="1", code=code, holder="Zoë"))) for code in codes]


@pytest.mark.integration
@pytest.mark.parametrize("dpi", [60, 100, 150, 300])
def test_the_page_scans_at_every_resolution(pages: list[tuple[str, bytes]], dpi: int, tmp_path: Path) -> None:
    for code, pdf in pages:
        assert is_read(grey(pdfium_picture(pdf, dpi)), code)
        assert is_read(grey(poppler_picture(pdf, tmp_path, dpi)), code)


@pytest.fixture(scope="module")
def printed_pages(pages: list[tuple[str, bytes]]) -> list[tuple[str, Picture]]:
    return [(code, grey(pdfium_picture(pdf, 150))) for code, pdf in pages]


# Without glare and folded corner, which would hit the page outside the code.
@pytest.mark.parametrize("name", sorted(set(DEGRADATIONS) - {"glare", "folded corner"}))
def test_a_degraded_page_scans(printed_pages: list[tuple[str, Picture]], name: str) -> None:
    random = np.random.default_rng(2)
    for code, page in printed_pages:
        assert is_read(DEGRADATIONS[name](page, 0.3, random), code)
