"""Format prices in the event's language (CLDR, through Babel)."""

import re
from decimal import Decimal
from typing import Final

from ticketkit.rendering.dates import locale_of

# CLDR inserts a space here, but Babel does not: "CHF 25.00", but "CA$25.00".
_LETTER_MEETS_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def format_price(amount: Decimal, currency: str, language: str) -> str:
    """Return the amount in an ISO 4217 currency: ``25,00 €`` in German, ``€25.00`` in English."""
    from babel.numbers import format_currency

    written: str = format_currency(amount, currency, locale=locale_of(language))
    return _LETTER_MEETS_DIGIT.sub("\N{NO-BREAK SPACE}", written)
