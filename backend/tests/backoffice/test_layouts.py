"""Ticket layouts in the back office: choosing a page, editing an own layout, and previews."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from apps.backoffice.layout_field import EXAMPLE, PAGES, format_layout
from apps.events.event_images import save_event_image
from apps.events.models import Event, EventImage
from apps.publishing import ticket_rendering
from tests.factories import make_event, make_organiser, make_ticket_type, make_user
from tests.pictures import codes_in_pdf, codes_in_png, png_of_code

from .forms import form_of, url, what_a_browser_sends

pytestmark = [pytest.mark.django_db, pytest.mark.integration]


def save(back_office: Client, event: Event, **changes: Any) -> Any:
    """Open the event, change these fields and press “Save”. Return the response."""
    sent = what_a_browser_sends(back_office, event) | changes
    return back_office.post(url("events_event_change", event.pk), sent)


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200, "it was saved"
    return dict(answer.context["adminform"].form.errors)


def layout_of(event: Event) -> Any:
    return Event.objects.get(pk=event.pk).layout


def preview_file(back_office: Client, event: Event, kind: str = "pdf") -> bytes:
    answer = back_office.get(url("events_event_preview_file", event.pk, kind))
    assert answer.status_code == 200, answer.content
    return bytes(answer.content)


def poster_with_a_code() -> bytes:
    return png_of_code("https://example.org/buy")


# -- The form ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_chosen_page_is_saved_and_shown_again(back_office: Client, event: Event, page: str) -> None:
    other = next(name for name in PAGES if name != page)
    Event.objects.update(layout=PAGES[other][1])
    assert save(back_office, event, page=page).status_code == 302

    assert layout_of(event) == PAGES[page][1]
    assert what_a_browser_sends(back_office, event)["page"] == page
    assert codes_in_pdf(preview_file(back_office, event), 100) == [ticket_rendering.PREVIEW.code]


def test_an_own_layout_is_saved_and_shown_again(back_office: Client, event: Event) -> None:
    assert save(back_office, event, page="own", layout=json.dumps(EXAMPLE)).status_code == 302

    assert layout_of(event) == EXAMPLE
    shown = what_a_browser_sends(back_office, event)
    assert shown["page"] == "own"
    assert json.loads(shown["layout"]) == EXAMPLE


def test_saving_an_event_with_a_layout_without_changes_changes_nothing(back_office: Client, event: Event) -> None:
    Event.objects.update(layout=EXAMPLE)
    save(back_office, event)

    page = back_office.get(url("events_event_history", event.pk)).content.decode()
    assert "No fields changed." in page
    assert layout_of(event) == EXAMPLE


def test_choosing_a_page_replaces_an_own_layout(back_office: Client, event: Event) -> None:
    Event.objects.update(layout=EXAMPLE)
    assert save(back_office, event, page="letter").status_code == 302

    assert layout_of(event) == {"base": "letter", "fold": False}


def test_an_own_layout_without_choosing_it_is_refused_and_not_lost(back_office: Client, event: Event) -> None:
    answer = save(back_office, event, layout=json.dumps(EXAMPLE))

    assert "Choose “Own layout” above" in str(errors_of(answer)["layout"])
    assert "#9f1239" in answer.content.decode()


def test_an_empty_own_layout_is_refused(back_office: Client, event: Event) -> None:
    assert "Write a layout here" in str(errors_of(save(back_office, event, page="own"))["layout"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"base": "letter",}', "at line 1, column"),
        ('{"fold": true, "fold": false}', "“fold” occurs twice"),
        ('{"page": {"size": [NaN, 800]}}', "NaN is not a number"),
        ('{"fold": ' + 5000 * "1" + "}", "This is not JSON"),
        (5000 * "[", "nested too deeply"),
        (" " * 20_001 + "{}", "longer than 20000 characters"),
        ("[1]", "the document: [1] is not of type"),
        ('"a4"', "is not of type"),
        ('{"elements": {"title": {"size": -3}}}', "layout: elements/title/size: -3 is less than the minimum of 4"),
        ('{"stacks": {"a\\u0000": null}}', "layout: stacks: "),
        ('{"elements": {"logo": {"frame": [400, 500, 60, 60]}}}', "layout: elements/logo/frame: lies on the code"),
        ('{"stacks": {"event": {"frame": [42, 270, 511, 30]}}}', "Tickets would not show everything: stacks/event: "),
    ],
)
def test_an_invalid_layout_is_refused_with_an_error_and_shown_unchanged(
    back_office: Client, event: Event, text: str, words: str
) -> None:
    answer = back_office.post(url("events_event_change", event.pk), form_of(event, page="own", layout=text))

    assert words in "".join(errors_of(answer)["layout"])
    assert layout_of(event) == {}
    field = answer.context["adminform"].form["layout"]
    assert field.value() == text


def test_a_layout_whose_ticket_would_not_scan_is_refused(back_office: Client, event: Event) -> None:
    """The layout is valid by its schema, but shows a second code, on the organiser's logo."""
    hidden = {"elements": {"logo": {"show": False}}}
    Event.objects.update(layout=hidden)
    save_event_image(event, EventImage.Kind.LOGO, poster_with_a_code())
    ticket_rendering.template_of(Event.objects.get())

    large = {"elements": {"logo": {"frame": [42, 120, 120, 120]}}}
    assert "does not scan: it shows 2 codes" in str(
        errors_of(save(back_office, event, layout=json.dumps(large)))["layout"]
    )
    assert layout_of(event) == hidden


def test_a_picture_with_a_second_code_is_refused(back_office: Client, event: Event) -> None:
    upload = SimpleUploadedFile("logo.png", poster_with_a_code(), "image/png")
    assert "does not scan: it shows 2 codes" in str(errors_of(save(back_office, event, logo=upload))["__all__"])
    assert not EventImage.objects.exists()


def test_an_event_that_cannot_be_rendered_can_still_change_fields_that_are_not_printed(
    back_office: Client, event: Event
) -> None:
    save_event_image(event, EventImage.Kind.LOGO, poster_with_a_code())
    assert save(back_office, event, description="Bring friends.").status_code == 302
    assert "does not scan: it shows 2 codes" in str(errors_of(save(back_office, event, venue="New Mill")))


def test_terms_that_are_too_long_are_saved_with_a_warning(back_office: Client, event: Event) -> None:
    answer = back_office.post(
        url("events_event_change", event.pk),
        what_a_browser_sends(back_office, event) | {"terms": 2000 * "much to say "},
        follow=True,
    )
    assert "Printed differently: terms: &#x27;much to say" in answer.content.decode()
    assert "is too long for its place on the ticket: shorten it." in answer.content.decode()


def test_a_layout_is_formatted_for_people() -> None:
    text = format_layout(
        {"fold": True, "elements": {"qr": {"frame": [1, 2, 3, 4]}, "title": {"size": 36}}, "stacks": {}}
    )
    assert json.loads(text)["elements"]["qr"]["frame"] == [1, 2, 3, 4]
    assert '"qr": {"frame": [1, 2, 3, 4]}' in text
    assert len(text.splitlines()) > 1


# -- The preview ------------------------------------------------------------------------------------------------


def test_the_preview_uses_the_layout_of_the_event_and_its_code_is_unknown(back_office: Client, event: Event) -> None:
    make_ticket_type(event, name="Balcony")
    Event.objects.update(layout={"base": "letter"})
    page = back_office.get(url("events_event_change", event.pk)).content.decode()
    assert url("events_event_preview_file", event.pk, "png") in page

    picture = preview_file(back_office, event, "png")
    assert Image.open(io.BytesIO(picture)).size == (850, 1100)
    assert codes_in_png(picture) == [ticket_rendering.PREVIEW.code]
    verdict = back_office.post(
        "/api/events/admit/", {"code": ticket_rendering.PREVIEW.code}, content_type="application/json"
    )
    assert verdict.json()["verdict"] == "unknown"


def test_an_invalid_layout_in_the_database_is_reported(back_office: Client, event: Event) -> None:
    Event.objects.update(layout={"elements": {"title": {"size": -3}}})
    page = back_office.get(url("events_event_change", event.pk)).content.decode()

    assert "No ticket of this event can be created: layout: elements/title/size: -3 is less than" in page
    answer = back_office.get(url("events_event_preview_file", event.pk, "png"))
    assert (answer.status_code, answer["Content-Type"]) == (409, "text/plain; charset=utf-8")


def test_a_new_event_has_no_preview_yet(back_office: Client) -> None:
    assert "Save the event first." in back_office.get(url("events_event_add")).content.decode()


def preview_page(back_office: Client, event: Event, **changes: Any) -> str:
    sent = what_a_browser_sends(back_office, event) | changes
    return str(back_office.post(url("events_event_preview", event.pk), sent).content.decode())


def test_a_layout_is_previewed_without_saving_it(back_office: Client, event: Event) -> None:
    upload = SimpleUploadedFile("poster.png", poster_with_a_code(), "image/png")
    hides_it = {"base": "phone", "elements": {"logo": {"show": False}}}
    page = preview_page(back_office, event, title="Not yet", page="own", layout=json.dumps(hides_it), logo=upload)

    found = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert found, page
    picture = base64.b64decode(found[1])
    assert Image.open(io.BytesIO(picture)).size == (542, 1173)
    assert codes_in_png(picture) == [ticket_rendering.PREVIEW.code]
    event.refresh_from_db()
    assert (event.title, event.layout, event.images.count()) == ("Concert Night", {}, 0)


def test_the_preview_reports_an_invalid_layout(back_office: Client, event: Event) -> None:
    page = preview_page(back_office, event, page="own", layout='{"elements": {"title": {"size": -3}}}')
    assert "layout: elements/title/size: -3 is less than the minimum of 4" in page
    assert "data:image/png" not in page


def test_the_preview_needs_a_post(back_office: Client, event: Event) -> None:
    assert back_office.get(url("events_event_preview", event.pk)).status_code == 405


def test_the_page_about_layouts_shows_all_options(back_office: Client) -> None:
    page = back_office.get(url("events_event_layouts")).content.decode()
    for word in ("letter", "order_reference", "Width and height."):
        assert word in page


def test_the_preview_of_another_team_gets_404(back_office: Client) -> None:
    foreign = make_event(organiser=make_organiser("Rivals"))
    assert back_office.get(url("events_event_preview_file", foreign.pk, "png")).status_code == 404
    assert back_office.get(url("events_event_preview_file", foreign.pk, "pdf")).status_code == 404
    assert back_office.post(url("events_event_preview", foreign.pk)).status_code == 404


@pytest.mark.parametrize("role", ["signed out", "door", "visitor"])
def test_only_managers_see_previews(event: Event, role: str) -> None:
    client = Client()
    if role != "signed out":
        user = make_user(is_staff=True)
        client.force_login(user)
        if role == "door":
            event.organiser.memberships.create(user=user, role="door")
    pages = [url("events_event_preview_file", event.pk, "png"), url("events_event_layouts")]
    outcomes = {client.get(page).status_code for page in pages}
    outcomes.add(client.post(url("events_event_preview", event.pk)).status_code)
    assert outcomes <= {302, 403, 404}, outcomes
    if role == "signed out":
        assert client.get(pages[0])["Location"].startswith(reverse("admin:login"))
