"""The QR encoder, compared with other encoders and the standard, and read by two decoders."""

import random
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise, product
from typing import Any
from uuid import UUID

import cv2
import numpy as np
import pytest
import qrcode
import segno
import zxingcpp
from conftest import examples, sweep
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from qrcode.util import QRData
from segno import encoder as segno_encoder

from ticketkit.codes.tokens import BASE45_ALPHABET, SigningKey
from ticketkit.rendering.errors import RenderingError
from ticketkit.rendering.qr import QrSymbol, qr_matrix
from ticketkit.rendering.qr.drawing import render_qr_png, symbol_png
from ticketkit.rendering.qr.geometry import data_codewords, geometry_of
from ticketkit.rendering.qr.penalty import penalty
from ticketkit.rendering.qr.symbol import encode_text

KEY = SigningKey(1, bytes(range(32)))
CODE = KEY.sign(1, UUID(int=1), 0)
ALPHANUMERIC = st.text(alphabet=BASE45_ALPHABET, min_size=1, max_size=160)


def text_for(version: int, alphanumeric: bool) -> str:
    """Return a text of the maximum length of a version."""
    chooser = random.Random(version)  # noqa: S311
    bits = 8 * data_codewords(version) - 4
    if alphanumeric:
        bits -= 9 if version < 10 else 11 if version < 27 else 13
        return "".join(chooser.choices(BASE45_ALPHABET, k=bits // 11 * 2 + (bits % 11 >= 6)))
    bits -= 8 if version < 10 else 16
    return "".join(chooser.choices("abcdefghij{}", k=bits // 8))


def modules_of_qrcode(text: str, version: int, mask: int) -> list[list[bool]]:
    code = qrcode.QRCode(version, qrcode.ERROR_CORRECT_M, border=0, mask_pattern=mask)
    alphanumeric = set(text) <= set(BASE45_ALPHABET)
    code.add_data(QRData(text.encode(), 2 if alphanumeric else 4))
    code.make(fit=False)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def modules_of_segno(text: str, version: int, mask: int) -> list[list[bool]]:
    """Return segno's modules. The text must fill its version, because segno may pad one zero codeword too many."""
    mode = "alphanumeric" if set(text) <= set(BASE45_ALPHABET) else "byte"
    code = segno.make_qr(text, error="m", version=version, mask=mask, mode=mode, encoding="utf-8", boost_error=False)
    return [[bool(module) for module in row] for row in code.matrix]


def modules_of(symbol: QrSymbol) -> list[list[bool]]:
    return [[digit == "1" for digit in f"{row:0{symbol.size}b}"] for row in symbol.rows]


def penalty_of(symbol: QrSymbol) -> int:
    geometry = geometry_of((symbol.size - 17) // 4)
    return penalty(int.from_bytes(symbol.packed, "big"), geometry)


def penalty_by_the_book(modules: list[list[bool]]) -> int:
    """Return the penalty, computed naively as in ISO/IEC 18004:2015, 7.8.3.1."""
    size = len(modules)
    score = abs(2 * sum(map(sum, modules)) - size * size) * 10 // (size * size) * 10
    for lines in modules, [list(column) for column in zip(*modules, strict=True)]:
        for line in lines:
            text = "".join("01"[module] for module in line)
            score += sum(len(run) - 2 for run in text.replace("01", "0 1").replace("10", "1 0").split() if len(run) > 4)
            quiet = f"0000{text}0000"
            for i in range(len(quiet) - 6):
                if quiet[i : i + 7] == "1011101" and "0000" in (quiet[i - 4 : i], quiet[i + 7 : i + 11]):
                    score += 40
    for upper, lower in pairwise(modules):
        score += 3 * sum(len({upper[i], upper[i + 1], lower[i], lower[i + 1]}) == 1 for i in range(size - 1))
    return score


def decoded_by_zxing(png: bytes) -> str:
    # With all formats enabled, zxing also finds a four-digit ITF barcode in one symbol of about 1,500.
    (found,) = zxingcpp.read_barcodes(Image.open(BytesIO(png)).convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    return found.text


def decoded_by_opencv(png: bytes) -> str:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return cv2.QRCodeDetectorAruco().detectAndDecode(picture)[0]


class TestModules:
    # Four cases per version: every third case covers all versions, and all combinations of mode and encoder.
    @pytest.mark.parametrize(
        ("version", "alphanumeric", "encoder"),
        sweep(list(product(range(1, 41), (True, False), (modules_of_segno, modules_of_qrcode))), every=3),
    )
    def test_every_version_matches_segno_and_qrcode(
        self, version: int, alphanumeric: bool, encoder: Callable[[str, int, int], list[list[bool]]]
    ) -> None:
        text = text_for(version, alphanumeric)
        mask = version % 8
        assert modules_of(qr_matrix(text, mask)) == encoder(text, version, mask)

    @pytest.mark.parametrize("mask", range(8))
    @pytest.mark.parametrize("version", [1, 6, 7, 12])
    def test_every_mask_matches_segno(self, version: int, mask: int) -> None:
        text = text_for(version, alphanumeric=True)
        assert modules_of(qr_matrix(text, mask)) == modules_of_segno(text, version, mask)

    @given(ALPHANUMERIC, st.integers(0, 7))
    def test_alphanumeric_texts_match_qrcode(self, text: str, mask: int) -> None:
        version = encode_text(text)[0]
        assert modules_of(qr_matrix(text, mask)) == modules_of_qrcode(text, version, mask)

    @given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=120), st.integers(0, 7))
    def test_unicode_texts_match_qrcode(self, text: str, mask: int) -> None:
        version = encode_text(text)[0]
        assert modules_of(qr_matrix(text, mask)) == modules_of_qrcode(text, version, mask)

    @pytest.mark.parametrize("alphanumeric", [True, False])
    @pytest.mark.parametrize("version", sweep(range(1, 40), every=1))
    def test_one_more_character_needs_the_next_version(self, version: int, alphanumeric: bool) -> None:
        text = text_for(version, alphanumeric)
        assert encode_text(text)[0] == version
        assert encode_text(text + text[0])[0] == version + 1

    def test_a_ticket_code_is_a_version_6(self) -> None:
        assert qr_matrix(CODE).size == 41

    @pytest.mark.parametrize("alphanumeric", [True, False])
    def test_a_text_too_long_for_version_40_is_rejected(self, alphanumeric: bool) -> None:
        text = text_for(40, alphanumeric)
        with pytest.raises(RenderingError, match="too long for any QR code"):
            qr_matrix(text + text[0])

    def test_a_lone_surrogate_is_rejected(self) -> None:
        with pytest.raises(RenderingError, match="well-formed"):
            qr_matrix("ticket \ud83c")


class TestMask:
    @given(ALPHANUMERIC, st.integers(0, 7))
    def test_the_penalty_matches_the_standard(self, text: str, mask: int) -> None:
        symbol = qr_matrix(text, mask)
        assert penalty_of(symbol) == penalty_by_the_book(modules_of(symbol))

    @pytest.mark.parametrize("version", [1, 6, 7, 20, 40])
    def test_segno_agrees_on_runs_blocks_and_balance(self, version: int) -> None:
        symbol = qr_matrix(text_for(version, alphanumeric=False), 2)
        mask_scores: Any = segno_encoder.mask_scores
        scores = mask_scores([bytearray(row) for row in modules_of(symbol)], symbol.size, symbol.size)
        # segno misses a finder-like pattern that begins where another ends
        assert penalty_of(symbol) - sum(scores) in range(0, 400, 40)

    @given(ALPHANUMERIC)
    def test_the_mask_with_the_lowest_penalty_is_chosen(self, text: str) -> None:
        penalties = [penalty_of(qr_matrix(text, mask)) for mask in range(8)]
        assert qr_matrix(text) == qr_matrix(text, penalties.index(min(penalties)))


class TestPicture:
    @given(st.integers(0, 2**32 - 1), st.uuids(), st.integers(0, 255))
    @settings(max_examples=examples(0.5))
    def test_a_ticket_code_is_read_by_two_readers(self, event_id: int, ticket_id: UUID, generation: int) -> None:
        code = KEY.sign(event_id, ticket_id, generation)
        png = render_qr_png(code)
        assert decoded_by_zxing(png) == code
        assert decoded_by_opencv(png) == code
        assert len(png) <= 1024

    @pytest.mark.parametrize("version", range(1, 13))
    def test_every_version_has_whole_pixels_and_its_quiet_zone(self, version: int) -> None:
        symbol = qr_matrix(text_for(version, alphanumeric=True))
        picture = Image.open(BytesIO(symbol_png(symbol)))
        assert (picture.size, picture.mode, picture.format) == ((300, 300), "1", "PNG")
        pixels = np.asarray(picture)
        dark_rows, dark_columns = np.nonzero(~pixels)
        scale = (dark_rows.max() - dark_rows.min() + 1) // symbol.size
        top, left = dark_rows.min(), dark_columns.min()
        assert scale >= 4
        assert min(top, left, 299 - dark_rows.max(), 299 - dark_columns.max()) >= 4 * scale
        modules = np.array(modules_of(symbol))
        inside = ~pixels[top : top + symbol.size * scale, left : left + symbol.size * scale]
        assert (inside == modules.repeat(scale, axis=0).repeat(scale, axis=1)).all()

    @pytest.mark.parametrize(
        "text", ["x", '{"ticket_id": "6f1c0a2e-4a4e-4c58-9a3b-0f0c2d9b7a11"}', "Fête de la musique, 東京, 🎫"]
    )
    def test_any_text_that_fits_scans(self, text: str) -> None:
        assert decoded_by_zxing(render_qr_png(text)) == text

    def test_modules_too_small_to_scan_are_rejected(self) -> None:
        with pytest.raises(RenderingError, match="3 px each"):
            render_qr_png("x" * 300)

    def test_the_same_code_gives_the_same_bytes(self) -> None:
        assert render_qr_png(CODE) == render_qr_png(CODE)
