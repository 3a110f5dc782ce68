"""Markup in texts of the back office."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def with_code(text: str) -> SafeString:
    """Return the text as HTML, with text in backticks as code."""
    return format_html_join("", "{}", ((format_html("<code>{}</code>", part) if number % 2 else part,)
                                       for number, part in enumerate(text.split("`"))))  # fmt: skip
