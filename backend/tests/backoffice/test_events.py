"""Events in the back office: times, pictures, and new ticket files after a change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Organiser
from apps.events.codes import code_of
from apps.events.models import Event, EventImage, EventTicket
from apps.publishing import invalidation
from tests.factories import make_event, make_picture, make_ticket, make_ticket_type
from tests.workers import publish

from .forms import form_of, url, what_a_browser_sends

pytestmark = [pytest.mark.django_db, pytest.mark.integration]


def test_times_are_in_the_time_zone_of_the_event(back_office: Client, event: Event) -> None:
    answer = back_office.post(url("events_event_change", event.pk), form_of(event))
    assert answer.status_code == 302, answer.context["adminform"].form.errors

    event.refresh_from_db()
    assert event.starts_at == datetime(2030, 7, 1, 14, 0, tzinfo=UTC)
    page = back_office.get(url("events_event_change", event.pk)).content.decode()
    assert 'value="19:30:00"' in page


def test_a_changed_time_zone_keeps_the_local_times(back_office: Client, team: Organiser) -> None:
    starts_at = datetime(2030, 6, 18, 18, 0, tzinfo=UTC)
    event = make_event(organiser=team, starts_at=starts_at, doors_at=starts_at - timedelta(hours=1))
    form = what_a_browser_sends(back_office, event)
    assert (form["starts_at_1"], form["time_zone"]) == ("20:00:00", "Europe/Berlin")
    answer = back_office.post(url("events_event_change", event.pk), form | {"time_zone": "America/New_York"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors

    event.refresh_from_db()
    assert event.starts_at == datetime(2030, 6, 19, 0, 0, tzinfo=UTC)
    assert event.doors_at == datetime(2030, 6, 18, 23, 0, tzinfo=UTC)
    assert event.ends_at is None
    error = LogEntry.objects.get().get_change_message()
    assert "Starts at" in error
    assert "Ends at" not in error
    assert what_a_browser_sends(back_office, event)["starts_at_1"] == "20:00:00"


def test_a_time_that_the_clocks_skip_is_refused(back_office: Client, event: Event) -> None:
    skipped = form_of(event, starts_at_0="2030-03-31", starts_at_1="02:30:00", time_zone="Europe/Berlin")
    answer = back_office.post(url("events_event_change", event.pk), skipped)

    error = str(answer.context["adminform"].form.errors["starts_at"])
    assert "There is no 02:30 on 31 March 2030 in Europe/Berlin: that night the clocks are put forward by 60" in error


def test_an_ambiguous_time_needs_a_choice_which_is_kept(back_office: Client, event: Event) -> None:
    form = form_of(event, starts_at_0="2027-10-30", starts_at_1="23:00:00", time_zone="Europe/Berlin")
    form |= {"ends_at_0": "2027-10-31", "ends_at_1": "02:30:00"}
    refused = back_office.post(url("events_event_change", event.pk), form)
    error = str(refused.context["adminform"].form.errors["ends_at"])
    assert "The clocks show 02:30 on 31 October 2027 twice in Europe/Berlin" in error
    assert "first time (GMT+2) is meant or the second (GMT+1)" in error
    assert 'name="ends_at_2"' in refused.content.decode()
    assert 'name="starts_at_2"' not in refused.content.decode()

    for fold, hour in (("0", 0), ("1", 1)):
        answer = back_office.post(url("events_event_change", event.pk), form | {"ends_at_2": fold})
        assert answer.status_code == 302, answer.context["adminform"].form.errors
        event.refresh_from_db()
        assert event.ends_at == datetime(2027, 10, 31, hour, 30, tzinfo=UTC)
        shown = what_a_browser_sends(back_office, event)
        assert (shown["ends_at_1"], shown["ends_at_2"]) == ("02:30:00", fold)
        back_office.post(url("events_event_change", event.pk), shown | {"venue": f"Mill {fold}"})
        event.refresh_from_db()
        assert (event.venue, event.ends_at) == (f"Mill {fold}", datetime(2027, 10, 31, hour, 30, tzinfo=UTC))


def test_an_event_may_start_and_end_in_the_ambiguous_hour(back_office: Client, event: Event) -> None:
    times = {"starts_at_0": "2027-10-31", "starts_at_1": "02:45:00", "ends_at_0": "2027-10-31", "ends_at_1": "02:15:00"}
    form = form_of(event, time_zone="Europe/Berlin", **times)
    sent = back_office.post(url("events_event_change", event.pk), form | {"starts_at_2": "0", "ends_at_2": "1"})
    assert sent.status_code == 302, sent.context["adminform"].form.errors
    event.refresh_from_db()
    assert event.ends_at - event.starts_at == timedelta(minutes=30)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_year_out_of_range_is_refused(back_office: Client, event: Event, year: str) -> None:
    answer = back_office.post(url("events_event_change", event.pk), form_of(event, starts_at_0=f"{year}-01-01"))
    assert "Choose a year from 1900 to 2999." in str(answer.context["adminform"].form.errors["starts_at"])


@pytest.mark.parametrize("missing", ["starts_at_0", "starts_at_1"])
def test_a_date_without_a_time_and_vice_versa_is_refused(back_office: Client, event: Event, missing: str) -> None:
    answer = back_office.post(url("events_event_change", event.pk), form_of(event, **{missing: ""}))
    assert "Enter a date and a time." in str(answer.context["adminform"].form.errors["starts_at"])


def test_an_unknown_time_zone_is_refused(back_office: Client, event: Event) -> None:
    answer = back_office.post(url("events_event_change", event.pk), form_of(event, time_zone="Mars/Olympus"))

    assert "time_zone" in answer.context["adminform"].form.errors


def test_a_cover_is_saved_and_shown(back_office: Client, event: Event) -> None:
    upload = SimpleUploadedFile("poster.jpg", make_picture(), "image/jpeg")
    assert back_office.post(url("events_event_change", event.pk), form_of(event, cover=upload)).status_code == 302

    image = EventImage.objects.get(event=event, kind="cover")
    address = reverse("event_cover", args=[event.pk, image.sha256])
    assert address in back_office.get(url("events_event_change", event.pk)).content.decode()
    assert back_office.get(address).content == bytes(image.content)


def test_an_invalid_picture_is_refused_with_the_reason(back_office: Client, event: Event) -> None:
    upload = SimpleUploadedFile("poster.jpg", b"no picture", "image/jpeg")
    answer = back_office.post(url("events_event_change", event.pk), form_of(event, cover=upload))

    assert "not a whole JPEG, PNG or WebP picture" in answer.content.decode()
    assert not EventImage.objects.exists()


@pytest.fixture
def published(event: Event, cloudlet: object) -> EventTicket:
    """Create a published ticket of an event that no sweep has seen."""
    ticket = make_ticket(event=event)
    publish(ticket.pk)
    return ticket


def requests_after_debounce(ticket: EventTicket) -> int:
    """Return how often new files of the ticket were requested, after the debounce of an edit."""
    invalidation.republish_changed(timezone.now() + 2 * invalidation.DEBOUNCE_WINDOW)
    ticket.refresh_from_db()
    return ticket.revision


def test_a_printed_change_re_renders_the_tickets(back_office: Client, event: Event, published: EventTicket) -> None:
    before = code_of(published)
    page = back_office.post(url("events_event_change", event.pk), form_of(event, venue="New Mill"), follow=True)

    assert "the files of 1 ticket will be re-rendered" in page.content.decode()
    assert requests_after_debounce(published) == 1
    assert code_of(published) == before


def test_a_ticket_without_a_fingerprint_is_re_rendered(
    back_office: Client, event: Event, published: EventTicket
) -> None:
    EventTicket.objects.update(published_fingerprint="")
    back_office.post(url("events_event_change", event.pk), form_of(event, venue="New Mill"))

    assert requests_after_debounce(published) == 1


def test_a_picture_must_be_chosen_again_after_an_error_in_another_field(back_office: Client, event: Event) -> None:
    upload = SimpleUploadedFile("poster.jpg", make_picture(), "image/jpeg")
    answer = back_office.post(url("events_event_change", event.pk), form_of(event, title="", cover=upload))
    errors = answer.context["adminform"].form.errors
    assert set(errors) == {"title", "cover"}
    assert errors["cover"] == ["Choose this picture again: the form was not saved."]
    assert not EventImage.objects.exists()


@pytest.mark.parametrize("sent", ["cover", "ticket type"])
def test_a_new_cover_or_price_re_renders_the_tickets(
    back_office: Client, event: Event, cloudlet: object, sent: str
) -> None:
    kind = make_ticket_type(event)
    ticket = make_ticket(event=event, ticket_type=kind)
    publish(ticket.pk)
    form = what_a_browser_sends(back_office, event)
    if sent == "cover":
        form["cover"] = SimpleUploadedFile("poster.jpg", make_picture(), "image/jpeg")
    else:
        form["ticket_types-0-price"] = "30.00"
    page = back_office.post(url("events_event_change", event.pk), form, follow=True).content.decode()

    assert "the files of 1 ticket will be re-rendered" in page
    assert requests_after_debounce(ticket) == 1


def test_an_edit_that_is_reverted_within_the_debounce_re_renders_nothing(
    back_office: Client, event: Event, published: EventTicket
) -> None:
    before = what_a_browser_sends(back_office, event)
    back_office.post(url("events_event_change", event.pk), before | {"venue": "New Mill"}, follow=True)
    page = back_office.post(url("events_event_change", event.pk), before, follow=True).content.decode()

    assert "re-rendered, with" not in page
    assert requests_after_debounce(published) == 0


def test_a_change_that_is_not_printed_re_renders_nothing(
    back_office: Client, event: Event, published: EventTicket
) -> None:
    form = what_a_browser_sends(back_office, event) | {"description": "Bring friends."}
    page = back_office.post(url("events_event_change", event.pk), form, follow=True).content.decode()

    assert "re-rendered, with" not in page
    assert Event.objects.get().description == "Bring friends."
    assert requests_after_debounce(published) == 0


def test_an_edit_keeps_a_concurrent_write_of_the_sweep(
    back_office: Client, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Event.save

    def sweep_then_save(row: Event, *args: Any, **kwargs: Any) -> None:
        Event.objects.filter(pk=row.pk).update(fingerprint="as the sweep saw it")
        save(row, *args, **kwargs)

    monkeypatch.setattr(Event, "save", sweep_then_save)
    back_office.post(url("events_event_change", event.pk), form_of(event, venue="New Mill"))

    event.refresh_from_db()
    assert (event.venue, event.fingerprint) == ("New Mill", "as the sweep saw it")


def test_saving_without_changes_changes_nothing(back_office: Client, event: Event) -> None:
    """`_FormReader` sends black for an empty colour input, as browsers do, so such an input would fail here."""
    back_office.post(url("events_event_change", event.pk), what_a_browser_sends(back_office, event))

    assert LogEntry.objects.get().get_change_message() == "No fields changed."
    assert Event.objects.get().accent == ""


def test_an_accent_colour_is_set_and_cleared(back_office: Client, event: Event) -> None:
    for accent in ("#0F766E", ""):
        back_office.post(
            url("events_event_change", event.pk), what_a_browser_sends(back_office, event) | {"accent": accent}
        )
        assert Event.objects.get().accent == accent


def test_an_invalid_colour_is_refused_with_an_example(back_office: Client, event: Event) -> None:
    form = what_a_browser_sends(back_office, event) | {"accent": "teal"}
    assert "such as #0f766e." in str(
        back_office.post(url("events_event_change", event.pk), form).context["adminform"].form.errors["accent"]
    )
