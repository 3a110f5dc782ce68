"""Factories of events and tickets, and names in many scripts."""

import io
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from ticketkit import EventDetails, TicketDetails

CODE = "AD1:" + ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./" * 3)[:131]

NAMES = {
    "latin": "John Doe",
    "polish": "Łukasz Żółć-Śmigły",
    "vietnamese": "Nguyễn Thị Ánh Nguyệt",
    "greek": "Ελένη Παπαδοπούλου",
    "cyrillic": "Мария Иванова-Щербакова",
    "armenian": "Արամ Խաչատրյան",
    "georgian": "ნინო ბერიძე",
    "hebrew": "יוסי כהן",
    "arabic": "محمد بن سلمان آل سعود",
    "vocalised arabic": "شَمْس الدّين",
    "pointed hebrew": "שָׁלוֹם",
    "persian": "پریسا چگینی",
    "urdu": "فاطمہ خان",
    "devanagari": "प्रियंका शर्मा",
    "bengali": "রবীন্দ্রনাথ ঠাকুর",
    "tamil": "சுப்ரமணியம்",
    "thai": "สมชาย ใจดี",
    "khmer": "សុខ សុភា",
    "chinese": "王小明",
    "japanese": "山田 はなこ カナ",
    "korean": "김철수",
    "combining": "Zoë x\u0303 q\u0307\u0323",
    "emoji": "Ada 👩‍🚀 Lovelace 🇬🇷 ❤️",
    "mixed": "Ada 王小明 Иван प्रिया",
}


def make_event(**changes: Any) -> EventDetails:
    """Return a concert in Berlin, without pictures."""
    details: dict[str, Any] = {
        "title": "Midnight Orchestra",
        "starts_at": datetime(2026, 12, 18, 18, 30, tzinfo=UTC),
        "ends_at": datetime(2026, 12, 18, 21, 0, tzinfo=UTC),
        "doors_at": datetime(2026, 12, 18, 17, 30, tzinfo=UTC),
        "time_zone": "Europe/Berlin",
        "venue": "Philharmonie Berlin",
        "address": "Herbert-von-Karajan-Straße 1\n10785 Berlin",
        "organiser": "Lumen Live",
        "terms": "This ticket admits the number of people shown. Whoever shows the code first is admitted.",
    }
    return EventDetails(**(details | changes))


def make_ticket(**changes: Any) -> TicketDetails:
    """Return a ticket with all details."""
    details: dict[str, Any] = {
        "ticket_id": "6f1c0a52-9a53-4f0e-8a57-3a2ff7d0b7c4",
        "code": CODE,
        "holder": "John Doe",
        "ticket_type": "Stalls, Block C",
        "price": "€48.00",
        "quantity": 2,
        "order_reference": "LUM-20931",
    }
    return TicketDetails(**(details | changes))


@cache
def cover(width: int = 1600, height: int = 900, quality: int = 80) -> bytes:
    """Return a JPEG as detailed as a photograph, about 150 KB."""
    noise = Random(5).randbytes(width // 8 * (height // 8))  # noqa: S311 the same picture every time
    grain = Image.frombytes("L", (width // 8, height // 8), noise)
    image = grain.point(lambda value: 86 + value // 3).resize((width, height), Image.Resampling.BICUBIC)
    warm = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", (image, warm, Image.blend(image, warm, 0.6)))
    draw = ImageDraw.Draw(picture)
    for n in range(24):
        x, y, radius = width * n // 24, height * (n * 7 % 24) // 24, 12 + 5 * (n % 7)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(250 - 8 * n, 90 + 6 * n, 200))
    return _saved(picture, "JPEG", quality=quality)


@cache
def logo() -> bytes:
    """Return a PNG of a disc on a transparent background."""
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 380, 380), fill=(220, 40, 80, 255))
    draw.rectangle((170, 100, 230, 300), fill=(255, 255, 255, 255))
    return _saved(image, "PNG")


def _saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, file_format, **options)
    return target.getvalue()
