"""Prices are formatted in the event's language."""

from decimal import Decimal

import pytest

from ticketkit.rendering.prices import format_price


@pytest.mark.parametrize(
    ("amount", "currency", "language", "written"),
    [
        ("25.00", "EUR", "en", "€25.00"),
        ("1250.50", "EUR", "de", "1.250,50\xa0€"),
        ("25.00", "JPY", "ja", "￥25"),
        ("25.00", "CHF", "en", "CHF\xa025.00"),
        ("25.00", "CAD", "en", "CA$25.00"),
        ("25.00", "XYZ", "en", "XYZ\xa025.00"),
        ("25.00", "EUR", "tlh", "€25.00"),
    ],
)
def test_prices_follow_the_language(amount: str, currency: str, language: str, written: str) -> None:
    assert format_price(Decimal(amount), currency, language) == written
