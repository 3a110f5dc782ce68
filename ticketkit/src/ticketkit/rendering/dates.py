"""Dates and times as the event's language writes them, in the event's time zone (CLDR, through Babel)."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ticketkit.rendering.errors import RenderingError

if TYPE_CHECKING:
    from babel import Locale

# An event that ends the morning after does not need the date of its end.
_ONE_NIGHT = timedelta(hours=14)


def format_date_and_time(starts_at: datetime, ends_at: datetime | None, zone: str, language: str) -> tuple[str, str]:
    """The date, and the time of day with its time zone: with both, if the clocks change between start and end."""
    from babel.dates import format_date

    locale, start = locale_of(language), _local(starts_at, zone)
    date, times = format_date(start.date(), "full", locale), _time(start, locale)
    if ends_at is None:
        return date, f"{times} ({_zone_name(start, locale)})"
    end = _local(ends_at, zone)
    ending = _time(end, locale)
    if ends_at - starts_at >= _ONE_NIGHT:
        ending = f"{format_date(end.date(), 'medium', locale)}, {ending}"
    if end.utcoffset() == start.utcoffset():
        return date, f"{times} \u2013 {ending} ({_zone_name(start, locale)})"
    return date, f"{times} {gmt_offset(start)} \u2013 {ending} {gmt_offset(end)} ({_city(start, locale)})"


def format_time_of_day(moment: datetime, zone: str, language: str, starts_at: datetime | None = None) -> str:
    """The time of day; with its distance from GMT, if that is not the one at the start."""
    local, locale = _local(moment, zone), locale_of(language)
    changes = starts_at is not None and _local(starts_at, zone).utcoffset() != local.utcoffset()
    return f"{_time(local, locale)} {gmt_offset(local)}" if changes else _time(local, locale)


def local_iso(moment: datetime, zone: str) -> str:
    """The moment in ISO 8601 on the clocks of a zone, with their distance from UTC: 2027-01-02T19:30:00+01:00."""
    return _local(moment, zone).isoformat(timespec="seconds")


def _time(local: datetime, locale: "Locale") -> str:
    from babel.dates import format_time

    return format_time(local.time(), "short", locale=locale)


def _zone_name(local: datetime, locale: "Locale") -> str:
    """The city that gives the zone its name, and the distance from GMT."""
    if isinstance(local.tzinfo, ZoneInfo) and "/" not in local.tzinfo.key and not local.utcoffset():
        return "UTC"
    return f"{_city(local, locale)}, {gmt_offset(local)}"


def _city(local: datetime, locale: "Locale") -> str:
    from babel.dates import get_timezone_location

    return str(get_timezone_location(local.tzinfo, locale, return_city=True))


def gmt_offset(local: datetime) -> str:
    """Return the distance of the clocks from GMT, as tickets show it: GMT+1, GMT-3:30."""
    offset = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    hours, minutes = divmod(abs(offset), 60)
    return f"GMT{'-' if offset < 0 else '+'}{hours}" + (f":{minutes:02d}" if minutes else "")


def local_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment on the clocks of a zone; as it is where those would show a year that no calendar of Python has."""
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
    """What Babel knows of the language, else of its base language, else of English."""
    from babel import Locale, UnknownLocaleError

    for tag in (language.replace("_", "-"), language.replace("_", "-").split("-")[0], "en"):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise RenderingError("Babel's data for English is missing: install the project's requirements again")
