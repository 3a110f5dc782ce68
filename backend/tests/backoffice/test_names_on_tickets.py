"""Tickets with any name are published, and organisers see which names are printed differently."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.events.codes import code_of
from apps.events.models import Event, EventTicket
from apps.publishing import ticket_rendering
from cloudlet.testing import RunningCloudlet
from tests.factories import make_event, make_ticket, make_ticket_type
from tests.pictures import codes_in_pdf, codes_in_png
from tests.workers import publish

from .forms import url

SCRIPT, CONTROL = "𝓛𝓮𝓮 Ann", "Ann\x02 Lee"
LONG = "W" * 200


@pytest.mark.databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", [SCRIPT, CONTROL, "z" + "\u0301" * 190, LONG, "\ue000"])
def test_rows_with_any_text_get_both_files(cloudlet: RunningCloudlet, name: str) -> None:
    event = make_event(title=name, venue=name, address=name, terms=name)
    ticket = make_ticket(event=event, holder_name=name, ticket_type=make_ticket_type(event, name=name[:100]))
    EventTicket.objects.filter(pk=ticket.pk).update(order_reference=name[:40])
    publish(ticket.pk)
    ticket.refresh_from_db()
    assert ticket.state == EventTicket.State.READY, ticket.reason
    assert codes_in_png(ticket.qr_code.read()) == [code_of(ticket)]
    assert codes_in_pdf(ticket.pdf_ticket.read(), 100) == [code_of(ticket)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes", [{"language": "not a tag"}, {"time_zone": "Mars/Olympus"}, {"accent": "blue"}], ids=str
)
def test_an_invalid_time_zone_language_or_colour_is_replaced_by_the_default(changes: dict[str, str]) -> None:
    event = make_event()
    Event.objects.update(**changes)
    ticket = make_ticket(event=Event.objects.get(pk=event.pk))
    assert codes_in_pdf(ticket_rendering.render(ticket).pdf, 100) == [code_of(ticket)]


@pytest.mark.django_db
def test_the_list_of_tickets_flags_names_that_are_printed_differently(back_office: Client, event: Event) -> None:
    for name in (SCRIPT, "Zoë Müller", "محمد"):
        make_ticket(event=event, holder_name=name)
    page = back_office.get(url("events_eventticket_changelist")).content.decode()
    assert page.count("printed differently") == 1
    assert f"<bdi>{SCRIPT}</bdi> <span" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "words"),
    [
        (SCRIPT, "Name: “𝓛𝓮𝓮 Ann” has characters that can’t be printed. The ticket shows “Lee Ann”."),
        ("Zoë", "As entered."),
    ],
)
def test_the_page_of_a_ticket_shows_what_is_printed(back_office: Client, event: Event, name: str, words: str) -> None:
    ticket = make_ticket(event=event, holder_name=name)
    assert words in back_office.get(url("events_eventticket_change", ticket.pk)).content.decode()


@pytest.mark.django_db
def test_a_list_shows_which_names_are_printed_differently_and_is_issued(
    back_office: Client,
    event: Event,
) -> None:
    Event.objects.update(layout={"base": "phone"})
    address = url("events_event_issue", event.pk)
    page = back_office.post(address, {"holders": f"{SCRIPT}\nZoë\n{LONG}"})
    text = page.content.decode()
    assert "2 names can’t be printed as written." in text
    assert "The ticket shows “Lee Ann”." in text
    assert "WWW” is too long for its place. The ticket shows “WWW" in text
    sent = {"holders": f"{SCRIPT}\nZoë\n{LONG}", "key": page.context["key"], "issue": "1"}
    done = back_office.post(address, sent, follow=True).content.decode()
    assert "2 of the names are printed differently from how they are written." in done
    assert EventTicket.objects.count() == 3


@pytest.mark.django_db
def test_a_title_of_invisible_characters_is_refused(back_office: Client, event: Event) -> None:
    event.title = "\u200b\u2066"
    with pytest.raises(Exception, match="title has no visible characters"):
        event.full_clean()
