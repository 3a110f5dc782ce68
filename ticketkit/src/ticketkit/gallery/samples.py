"""Define the events and tickets of the gallery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from ticketkit.gallery.artwork import hills, mark, stage, tiles
from ticketkit.rendering.details import EventDetails, TicketDetails

_DUSK = ("#1b1f4b", "#f08a5d", "#ffd9a0", "#8a4a6b", "#5b2f5c", "#371d49", "#1d1233")
_MORNING = ("#8fd3f4", "#fdf6d8", "#fff3b0", "#9cc5a1", "#5f9e8f", "#357a76", "#1d5156")
_BAUHAUS = ("#f4f1de", "#e07a5f", "#3d405b", "#81b29a", "#f2cc8f")
_SEA = ("#0b2545", "#13315c", "#8da9c4", "#eef4ed", "#ee6c4d")
_CLUB = ("#0b0a1f", "#2a1150", "#ff3d81", "#7b5cff", "#22d3ee")
# The example of docs/reference/ticket-layout.md.
OWN_LAYOUT: Mapping[str, Any] = {
    "base": "letter",
    "fold": False,
    "colours": {"paper": "#fffdf5", "ink": "#1f2937", "accent": "#9f1239"},
    "elements": {
        "price": {"show": False},
        "title": {"size": 36, "weight": 900},
        "logo": {"frame": [508, 24, 60, 60]},
    },
    "stacks": {"admission": {"rows": [["holder"], ["ticket_type", "quantity"], ["order_reference"]]}},
}
_STAGE = ("#120a08", "#40140d", "#ffb238", "#ff6b35", "#ffe3b3")


@dataclass(frozen=True, slots=True)
class Sample:
    """A ticket of the gallery with its event and layout changes."""

    name: str
    event: EventDetails
    ticket: TicketDetails
    layout: Mapping[str, Any] = field(default_factory=dict)


@cache
def samples() -> tuple[Sample, ...]:
    """Return a ticket in each of ten languages, on different pages, and one with the layout of the reference."""
    return (
        _english(), _german(), _greek(), _ukrainian(), _hebrew(), _arabic(), _hindi(), _thai(), _chinese(), _japanese(),
        _own_layout(),
    )  # fmt: skip


def _event(title: str, zone: str, language: str, **details: Any) -> EventDetails:
    evening = datetime(2027, 5, 21, 20, 0, tzinfo=ZoneInfo(zone))
    times = {"starts_at": evening, "ends_at": evening.replace(hour=23), "doors_at": evening.replace(hour=19)}
    return EventDetails(title=title, time_zone=zone, language=language, **(times | details))


def _ticket(n: int, holder: str, ticket_type: str, price: str) -> TicketDetails:
    return TicketDetails(
        ticket_id=f"0197f0c4-7b1e-7c2a-9d{n:02d}-5f2e6a9b41c8",
        code=f"AD1:GALLERY SAMPLE {n:02d} " + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 3,
        holder=holder,
        ticket_type=ticket_type,
        price=price,
        quantity=1 + n % 2,
        order_reference=f"ORD-{48210 + 37 * n}",
    )


def _english() -> Sample:
    event = _event(
        "Northern Lights Jazz Night", "America/New_York", "en", venue="The Harbour Room",
        address="12 Pier Street\nBoston, MA 02110", organiser="Blue Lantern", accent="#be123c",
        terms="Doors close fifteen minutes after the start. Keep the code to yourself: whoever shows it first is "
        "admitted. Tickets can be returned until seven days before the event.",
        cover=stage(_CLUB), logo=mark("#be123c", "#ffffff"),
    )  # fmt: skip
    return Sample("en", event, _ticket(1, "Josephine O’Sullivan", "Front tables", "$64.00"), {"base": "letter"})


def _german() -> Sample:
    event = _event(
        "Lange Nacht der Museen", "Europe/Berlin", "de", venue="Museumsinsel",
        address="Bodestraße 1–3\n10178 Berlin", organiser="Kulturbüro Spree", accent="#b45309",
        terms="Gilt in allen teilnehmenden Häusern. Der Code wird nur einmal eingelassen.", cover=tiles(_BAUHAUS, 8),
    )  # fmt: skip
    return Sample("de", event, _ticket(2, "Käthe Großmann-Weiß", "Ermäßigt", "12,00 €"))


def _greek() -> Sample:
    event = _event(
        "Μουσική στο Αρχαίο Θέατρο", "Europe/Athens", "el", venue="Ωδείο Ηρώδου του Αττικού",
        address="Διονυσίου Αρεοπαγίτου\nΑθήνα 105 55", organiser="Φεστιβάλ Αθηνών", accent="#1d4ed8",
        terms="Παρακαλούμε προσέλθετε εγκαίρως. Ο κωδικός ισχύει για μία είσοδο.", cover=hills(_MORNING),
    )  # fmt: skip
    return Sample("el", event, _ticket(3, "Ελένη Παπαδοπούλου", "Κάτω διάζωμα", "35,00 €"))


def _ukrainian() -> Sample:
    event = _event(
        "Вечір камерної музики", "Europe/Kyiv", "uk", venue="Національна філармонія",
        address="Володимирський узвіз, 2\nКиїв", organiser="Жива музика", accent="#0e7490",
        terms="Вхід після третього дзвінка заборонено. Не показуйте код стороннім.",
    )  # fmt: skip
    return Sample("uk", event, _ticket(4, "Соломія Ґудзь-Щербаківська", "Партер, ряд 5", "450 ₴"))


def _hebrew() -> Sample:
    event = _event(
        "לילה לבן בנמל", "Asia/Jerusalem", "he", venue="היכל התרבות (אולם A)", address="שדרות רוטשילד 10\nתל אביב",
        organiser="במה פתוחה", accent="#7c3aed",
        terms="הכניסה מגיל 18. הקוד תקף לכניסה אחת בלבד.", cover=tiles(_SEA, 21),
    )  # fmt: skip
    return Sample("he", event, _ticket(5, "יוסי כהן (Yossi)", "עמידה", "₪120"), {"base": "phone"})


def _arabic() -> Sample:
    event = _event(
        "ليلة الموسيقى العربية", "Africa/Cairo", "ar", venue="دار الأوبرا المصرية", address="الجزيرة\nالقاهرة",
        organiser="فرقة النيل", accent="#047857", cover=hills(_DUSK), logo=mark("#047857", "#fef3c7"),
        terms="يرجى الحضور قبل الموعد بنصف ساعة. الرمز صالح لدخول واحد فقط.",
    )  # fmt: skip
    return Sample("ar", event, _ticket(6, "محمد بن سلمان آل سعود", "الصف الأول", "750 ج.م"))


def _hindi() -> Sample:
    event = _event(
        "शास्त्रीय संगीत संध्या", "Asia/Kolkata", "hi", venue="कमानी सभागार", address="कोपरनिकस मार्ग\nनई दिल्ली",
        organiser="स्वर संगम", accent="#c2410c", cover=stage(_STAGE),
        terms="कृपया समय पर पधारें। यह कोड केवल एक बार मान्य है।",
    )  # fmt: skip
    return Sample("hi", event, _ticket(7, "प्रियंका श्रीवास्तव", "बालकनी", "₹800"))


def _thai() -> Sample:
    event = _event(
        "เทศกาลดนตรีริมแม่น้ำ", "Asia/Bangkok", "th", venue="สวนสาธารณะเบญจกิติ", address="ถนนรัชดาภิเษก\nกรุงเทพมหานคร",
        organiser="เสียงสายน้ำ", accent="#0f766e",
        terms="กรุณามาถึงก่อนเวลาอย่างน้อยสามสิบนาทีเพื่อความสะดวกในการเข้างาน รหัสนี้ใช้เข้างานได้เพียงครั้งเดียวเท่านั้น",
    )  # fmt: skip
    return Sample("th", event, _ticket(8, "สมชาย ใจดี", "โซนหน้าเวที", "฿1,200"))


def _chinese() -> Sample:
    event = _event(
        "城市之光：夏夜交响音乐会", "Asia/Shanghai", "zh-Hans", venue="上海东方艺术中心", address="浦东新区丁香路425号",
        organiser="光之乐团", accent="#dc2626", terms="请于开演前三十分钟入场。每个二维码仅限使用一次，请勿转发。",
        cover=tiles(("#3b0d11", "#a31621", "#f5cb5c", "#fcf7f8", "#6b0f1a"), 3),
    )  # fmt: skip
    return Sample("zh", event, _ticket(9, "王小明", "一层池座 8排12座", "¥480"))


def _japanese() -> Sample:
    event = _event(
        "夏の夜空コンサート", "Asia/Tokyo", "ja", venue="日比谷野外大音楽堂", address="東京都千代田区日比谷公園1-5",
        organiser="星空企画", accent="#4f46e5", cover=hills(("#0f172a", "#4c3a8f", "#f8fafc", *_DUSK[3:])),
        terms="開演後のご入場はお待ちいただく場合がございます。コードは一回限り有効です。",
    )  # fmt: skip
    layout = {"base": "phone", "colours": {"paper": "#111827", "ink": "#ffffff", "muted": "#9ca3af"}}
    return Sample("ja", event, _ticket(10, "山田 はなこ 🎐", "指定席 A列", "¥6,800"), layout)


def _own_layout() -> Sample:
    event = _event(
        "An Evening of Chamber Music", "Europe/London", "en", venue="St Anne’s Hall", address="4 Chapel Lane, Bath",
        organiser="Strings & Co", cover=hills(_DUSK), logo=mark("#9f1239", "#fffdf5"),
        terms="Latecomers are seated in the interval. The code admits once.",
    )  # fmt: skip
    return Sample("own-layout", event, _ticket(11, "Edith Ashworth", "Gallery", "£18.00"), OWN_LAYOUT)
