"""Dates and times as the event's language writes them, in the event's time zone (CLDR, through Babel)."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apps.events.rendering.errors import RenderingError

if TYPE_CHECKING:
    from babel import Locale

# An event that ends the morning after does not need the date of its end.
_ONE_NIGHT = timedelta(hours=14)


def format_date_and_time(starts_at: datetime, ends_at: datetime | None, zone: str, language: str) -> tuple[str, str]:
    """The date, and the time of day with its time zone."""
    from babel.dates import format_date

    locale, start = locale_of(language), _local(starts_at, zone)
    times = _time(start, locale)
    if ends_at is not None:
        end = _local(ends_at, zone)
        ending = _time(end, locale)
        if end - start >= _ONE_NIGHT:
            ending = f"{format_date(end.date(), 'medium', locale)}, {ending}"
        times = f"{times} \u2013 {ending}"
    return format_date(start.date(), "full", locale), f"{times} ({_zone_name(start, locale)})"


def format_time_of_day(moment: datetime, zone: str, language: str) -> str:
    """The time of day."""
    return _time(_local(moment, zone), locale_of(language))


def _time(local: datetime, locale: "Locale") -> str:
    from babel.dates import format_time

    return format_time(local.time(), "short", locale=locale)


def _zone_name(local: datetime, locale: "Locale") -> str:
    """The city that gives the zone its name, and the distance from GMT."""
    from babel.dates import get_timezone_location

    offset = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    if isinstance(local.tzinfo, ZoneInfo) and "/" not in local.tzinfo.key and offset == 0:
        return "UTC"
    hours, minutes = divmod(abs(offset), 60)
    distance = f"GMT{'-' if offset < 0 else '+'}{hours}" + (f":{minutes:02d}" if minutes else "")
    return f"{get_timezone_location(local.tzinfo, locale, return_city=True)}, {distance}"


def on_clocks(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment on the clocks of a zone; as it is where those would show a year that no calendar of Python has."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def _local(moment: datetime, zone: str) -> datetime:
    if moment.tzinfo is None:
        raise RenderingError("the event's times carry no time zone: pass aware datetimes")
    try:
        return on_clocks(moment, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RenderingError(f"{zone!r} is not a time zone: use an IANA name such as Europe/Berlin") from error


def locale_of(language: str) -> "Locale":
    """What Babel knows of the language, else of its base language, else of English."""
    from babel import Locale, UnknownLocaleError

    for tag in (language.replace("_", "-"), language.replace("_", "-").split("-")[0], "en"):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise RenderingError("Babel's data for English is missing: install the project's requirements again")
