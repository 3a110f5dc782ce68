"""Format dates and times in the event's language and time zone (CLDR, through Babel)."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ticketkit.rendering.errors import RenderingError

if TYPE_CHECKING:
    from babel import Locale

# Shorter events, such as those that end the next morning, show the time of their end without its date.
_MIN_DURATION_WITH_END_DATE = timedelta(hours=14)


def format_date_and_time(starts_at: datetime, ends_at: datetime | None, zone: str, language: str) -> tuple[str, str]:
    """Return the date, and the time or times of day with the time zone.

    Each time has its own GMT offset if the clocks change between start and end. Raises RenderingError for an unknown
    time zone or a naive datetime.
    """
    from babel.dates import format_date

    locale, start = locale_of(language), _local(starts_at, zone)
    date, times = format_date(start.date(), "full", locale), _time(start, locale)
    if ends_at is None:
        return date, f"{times} ({_zone_name(start, locale)})"
    end = _local(ends_at, zone)
    ending = _time(end, locale)
    if ends_at - starts_at >= _MIN_DURATION_WITH_END_DATE:
        ending = f"{format_date(end.date(), 'medium', locale)}, {ending}"
    if end.utcoffset() == start.utcoffset():
        return date, f"{times} \u2013 {ending} ({_zone_name(start, locale)})"
    return date, f"{times} {gmt_offset(start)} \u2013 {ending} {gmt_offset(end)} ({_city(start, locale)})"


def format_time_of_day(moment: datetime, zone: str, language: str, starts_at: datetime | None = None) -> str:
    """Return the time of day, with its GMT offset if that differs from the offset at ``starts_at``.

    Raises RenderingError for an unknown time zone or a naive datetime.
    """
    local, locale = _local(moment, zone), locale_of(language)
    changes = starts_at is not None and _local(starts_at, zone).utcoffset() != local.utcoffset()
    return f"{_time(local, locale)} {gmt_offset(local)}" if changes else _time(local, locale)


def local_iso(moment: datetime, zone: str) -> str:
    """Return the moment as ISO 8601 in a time zone, with its UTC offset: 2027-01-02T19:30:00+01:00.

    Raises RenderingError for an unknown time zone or a naive datetime.
    """
    return _local(moment, zone).isoformat(timespec="seconds")


def _time(local: datetime, locale: "Locale") -> str:
    from babel.dates import format_time

    return format_time(local.time(), "short", locale=locale)


def _zone_name(local: datetime, locale: "Locale") -> str:
    """Return the city that names the zone, and the GMT offset."""
    if isinstance(local.tzinfo, ZoneInfo) and "/" not in local.tzinfo.key and not local.utcoffset():
        return "UTC"
    return f"{_city(local, locale)}, {gmt_offset(local)}"


def _city(local: datetime, locale: "Locale") -> str:
    from babel.dates import get_timezone_location

    return str(get_timezone_location(local.tzinfo, locale, return_city=True))


def gmt_offset(local: datetime) -> str:
    """Return the UTC offset of an aware datetime as tickets show it: GMT+1, GMT-3:30."""
    offset = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    hours, minutes = divmod(abs(offset), 60)
    return f"GMT{'-' if offset < 0 else '+'}{hours}" + (f":{minutes:02d}" if minutes else "")


def local_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment in a time zone, or unchanged if the local year is out of Python's range (1 to 9999)."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def _local(moment: datetime, zone: str) -> datetime:
    if moment.tzinfo is None:
        raise RenderingError("the event's times carry no time zone: pass aware datetimes")
    try:
        return local_time(moment, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RenderingError(f"{zone!r} is not a time zone: use an IANA name such as Europe/Berlin") from error


def locale_of(language: str) -> "Locale":
    """Return the locale of a BCP 47 tag, or of its base language, or English."""
    from babel import Locale, UnknownLocaleError

    for tag in (language.replace("_", "-"), language.replace("_", "-").split("-")[0], "en"):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise RenderingError("Babel's data for English is missing: install the project's requirements again")
