"""Times on tickets, pages and passes in the event's time zone, including clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from readers import pdfium_text
from samples import make_event, make_ticket

from ticketkit import EventTemplate
from ticketkit.rendering.dates import format_date_and_time, format_time_of_day, local_iso

BERLIN = "Europe/Berlin"
EVENING, MORNING = datetime(2027, 10, 30, 21, 0, tzinfo=UTC), datetime(2027, 10, 31, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "zone", "times"),
    [
        (EVENING, MORNING, BERLIN, "11:00 PM GMT+2 – 6:00 AM GMT+1 (Berlin)"),
        (datetime(2027, 3, 27, 22, tzinfo=UTC), datetime(2027, 3, 28, 4, tzinfo=UTC), BERLIN,
         "11:00 PM GMT+1 – 6:00 AM GMT+2 (Berlin)"),
        # Within the hour that occurs twice.
        (datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC), BERLIN,
         "2:30 AM GMT+2 – 2:30 AM GMT+1 (Berlin)"),
        (datetime(2027, 4, 3, 12, 30, tzinfo=UTC), datetime(2027, 4, 3, 16, tzinfo=UTC), "Australia/Lord_Howe",
         "11:30 PM GMT+11 – 2:30 AM GMT+10:30 (Lord Howe Island)"),
        (EVENING, MORNING, "UTC", "9:00 PM – 5:00 AM (UTC)"),
        (datetime(2027, 1, 2, 18, 30, tzinfo=UTC), datetime(2027, 1, 2, 21, tzinfo=UTC), BERLIN,
         "7:30 PM – 10:00 PM (Berlin, GMT+1)"),
        (datetime(2027, 10, 29, 18, tzinfo=UTC), datetime(2027, 11, 1, 18, tzinfo=UTC), BERLIN,
         "8:00 PM GMT+2 – Nov 1, 2027, 7:00 PM GMT+1 (Berlin)"),
    ],
)  # fmt: skip
def test_both_gmt_offsets_are_shown_if_they_differ(start: datetime, end: datetime, zone: str, times: str) -> None:
    shown = format_date_and_time(start, end, zone, "en")[1].replace("\u202f", " ")
    assert shown == times


def test_doors_before_a_clock_change_show_their_own_offset() -> None:
    doors = datetime(2027, 10, 31, 0, 0, tzinfo=UTC)
    assert format_time_of_day(doors, BERLIN, "de", MORNING) == "02:00 GMT+2"
    assert format_time_of_day(doors, BERLIN, "de", doors) == format_time_of_day(doors, BERLIN, "de") == "02:00"


def test_the_pdf_shows_both_offsets() -> None:
    event = make_event(starts_at=EVENING, ends_at=MORNING, doors_at=None, language="de")
    assert "23:00 GMT+2 – 06:00 GMT+1 (Berlin)" in pdfium_text(EventTemplate(event).render_pdf(make_ticket()))


def test_local_iso_has_local_time_and_offset() -> None:
    assert local_iso(datetime(2027, 1, 2, 18, 30, tzinfo=UTC), BERLIN) == "2027-01-02T19:30:00+01:00"
    assert [local_iso(moment, BERLIN) for moment in (EVENING, MORNING)] == [
        "2027-10-30T23:00:00+02:00",
        "2027-10-31T06:00:00+01:00",
    ]


def test_every_zone_and_extreme_datetimes_can_be_formatted() -> None:
    moments = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), EVENING)
    for zone in available_timezones():
        for moment in moments:
            assert all(format_date_and_time(moment, moment, zone, "en"))
    assert all(format_date_and_time(moments[1] - timedelta(days=2), moments[1], "Asia/Tokyo", "ar"))
