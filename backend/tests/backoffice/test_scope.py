"""Managers see and change only rows of their own teams in the back office, even if they guess ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.events.models import EventTicket
from tests.factories import make_event, make_organiser, make_ticket, make_ticket_type, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.integration]


@dataclass
class Two:
    """Two tickets: Mona manages the event of `own`, and another team that of `foreign`."""

    mona: User
    back_office: Client
    own: EventTicket
    foreign: EventTicket


@pytest.fixture
def two() -> Two:
    mona = make_user("mona@example.org", is_staff=True)
    own = make_event(organiser=make_organiser("Own team", manager=mona), title="Own event")
    foreign = make_event(organiser=make_organiser("Foreign team"), title="Foreign event")
    make_ticket_type(foreign, name="Foreign type")
    back_office = Client()
    back_office.force_login(mona)
    return Two(mona, back_office, make_ticket(event=own), make_ticket(event=foreign, holder_name="Foreign holder"))


def pages_of(ticket: EventTicket) -> list[str]:
    event = ticket.event
    return [
        reverse("admin:events_event_change", args=[event.pk]),
        reverse("admin:events_event_delete", args=[event.pk]),
        reverse("admin:events_event_history", args=[event.pk]),
        reverse("admin:events_event_issue", args=[event.pk]),
        reverse("admin:events_eventticket_change", args=[ticket.pk]),
        reverse("admin:events_eventticket_delete", args=[ticket.pk]),
        reverse("admin:events_eventticket_history", args=[ticket.pk]),
        reverse("admin:events_eventticket_rerender_one", args=[ticket.pk]),
        reverse("admin:events_eventticket_reissue_one", args=[ticket.pk]),
        reverse("admin:accounts_organiser_change", args=[event.organiser_id]),
        reverse("admin:accounts_organiser_history", args=[event.organiser_id]),
    ]


def test_managers_can_open_the_pages_of_their_own_team(two: Two) -> None:
    assert {page: two.back_office.get(page).status_code for page in pages_of(two.own)} == dict.fromkeys(
        pages_of(two.own), 200
    )


@pytest.mark.parametrize("method", ["get", "post"])
def test_managers_cannot_open_the_pages_of_another_team(two: Two, method: str) -> None:
    for page in pages_of(two.foreign):
        answer = getattr(two.back_office, method)(page, {"post": "yes"} if method == "post" else None)
        assert answer.status_code in (302, 404), page  # for a missing row, Django redirects to the index
        if answer.status_code == 302:
            assert answer["Location"] == reverse("admin:index"), page
    two.foreign.refresh_from_db()
    assert (two.foreign.revision, two.foreign.code_generation) == (0, 0)


def test_lists_filters_and_choices_do_not_show_rows_of_another_team(two: Two) -> None:
    pages = [
        reverse(f"admin:{name}")
        for name in (
            "index",
            "events_event_changelist",
            "events_event_add",
            "events_eventticket_changelist",
            "events_eventticket_add",
            "accounts_organiser_changelist",
        )
    ]
    for page in [*pages, *pages_of(two.own)]:
        assert "Foreign" not in two.back_office.get(page).content.decode(), page


def test_a_guessed_filter_shows_nothing(two: Two) -> None:
    make_event(organiser=two.own.event.organiser)  # Django hides a filter with a single choice
    listing = reverse("admin:events_eventticket_changelist")
    answer = two.back_office.get(listing, {"event__id__exact": two.foreign.event_id})

    assert not answer.context["cl"].result_list
    assert "Foreign" not in answer.content.decode()


def test_a_ticket_cannot_be_added_to_another_teams_event(two: Two) -> None:
    sent = {"event": two.foreign.event_id, "holder_name": "Eve", "quantity": 1}
    answer = two.back_office.post(reverse("admin:events_eventticket_add"), sent)

    assert "event" in answer.context["adminform"].form.errors
    assert EventTicket.objects.count() == 2


def test_an_event_cannot_be_given_to_another_team(two: Two) -> None:
    event = two.own.event
    sent: dict[str, Any] = {"title": event.title, "organiser": two.foreign.event.organiser_id}
    answer = two.back_office.post(reverse("admin:events_event_change", args=[event.pk]), sent)

    assert "organiser" in answer.context["adminform"].form.errors


def test_actions_on_guessed_ids_change_nothing(two: Two) -> None:
    for action in ("rerender_selected", "reissue_selected", "delete_selected"):
        sent = {"action": action, "_selected_action": [two.foreign.pk], "confirmed": "1", "post": "yes"}
        two.back_office.post(reverse("admin:events_eventticket_changelist"), sent)
    two.foreign.refresh_from_db()
    assert (two.foreign.revision, two.foreign.code_generation) == (0, 0)


@pytest.mark.parametrize(
    "name", ["accounts_user_changelist", "auth_group_changelist", "publishing_storedfiledeletion_changelist"]
)
def test_managers_do_not_see_people_groups_and_the_outbox(two: Two, name: str) -> None:
    assert two.back_office.get(reverse(f"admin:{name}")).status_code == 403


def test_a_manager_without_staff_status_has_no_access(two: Two) -> None:
    User.objects.update(is_staff=False)
    answer = two.back_office.get(reverse("admin:index"))
    assert answer.status_code in (302, 403)


def test_door_staff_see_nothing_even_with_staff_status() -> None:
    door = make_user(is_staff=True)
    event = make_event(organiser=make_organiser(door=door))
    client = Client()
    client.force_login(door)

    assert client.get(reverse("admin:events_event_changelist")).status_code == 403
    assert client.get(reverse("admin:events_eventticket_changelist")).status_code == 403
    assert client.get(reverse("admin:events_event_change", args=[event.pk])).status_code in (302, 403)


def test_the_view_permission_shows_the_tickets_of_all_teams(two: Two) -> None:
    support = make_user(is_staff=True)
    support.user_permissions.add(Permission.objects.get(codename="view_eventticket"))
    client = Client()
    client.force_login(support)

    page = client.get(reverse("admin:events_eventticket_changelist"))
    assert page.context["cl"].result_count == 2
    reissue = reverse("admin:events_eventticket_reissue_one", args=[two.foreign.pk])
    assert client.post(reissue).status_code == 404  # needs the permission to change


@pytest.fixture
def views_all(two: Two) -> Two:
    """Give Mona, who manages one team, the permissions to view the rows of all teams."""
    names = ("view_event", "view_eventticket", "view_organiser")
    two.mona.user_permissions.set(Permission.objects.filter(codename__in=names))
    return two


def test_the_view_permission_does_not_allow_changing_rows_of_another_team(views_all: Two) -> None:
    two, listing = views_all, reverse("admin:events_eventticket_changelist")
    assert two.back_office.get(listing).context["cl"].result_count == 2
    for action in ("rerender_selected", "reissue_selected", "delete_selected"):
        sent = {"action": action, "_selected_action": [two.foreign.pk], "confirmed": "1", "post": "yes"}
        assert (
            "1 of the selected rows were not changed"
            in two.back_office.post(listing, sent, follow=True).content.decode()
        )
    two.foreign.refresh_from_db()
    assert (two.foreign.revision, two.foreign.code_generation) == (0, 0)


def test_of_a_mixed_selection_only_own_rows_are_changed(views_all: Two) -> None:
    two, listing = views_all, reverse("admin:events_eventticket_changelist")
    for across in ({}, {"select_across": "1"}):
        chosen = {"action": "reissue_selected", "_selected_action": [two.own.pk, two.foreign.pk], **across}
        assert "Foreign" not in two.back_office.post(listing, chosen).content.decode()
        two.back_office.post(listing, chosen | {"confirmed": "1"})
    assert dict(EventTicket.objects.values_list("pk", "code_generation")) == {two.own.pk: 2, two.foreign.pk: 0}

    two.back_office.post(listing, chosen | {"action": "delete_selected", "post": "yes"})
    assert list(EventTicket.objects.values_list("pk", flat=True)) == [two.foreign.pk]


def test_the_view_permission_does_not_allow_adding_rows_to_another_team(views_all: Two) -> None:
    two = views_all
    foreign_type = two.foreign.event.ticket_types.get()
    page = reverse("admin:events_eventticket_add")
    assert "Foreign" not in two.back_office.get(page).content.decode()
    sent = {"event": two.foreign.event_id, "ticket_type": foreign_type.pk, "holder_name": "Eve", "quantity": 1}
    assert {"event", "ticket_type"} <= set(two.back_office.post(page, sent).context["adminform"].form.errors)
    assert EventTicket.objects.count() == 2

    for page in (reverse("admin:events_event_add"), reverse("admin:events_event_change", args=[two.own.event_id])):
        sent = {"title": "Given away", "organiser": two.foreign.event.organiser_id}
        assert "organiser" in two.back_office.post(page, sent).context["adminform"].form.errors


@pytest.mark.parametrize(("permission", "refused"), [("add_eventticket", False), ("change_eventticket", True)])
def test_only_the_add_permission_allows_adding_tickets_to_all_events(
    views_all: Two, permission: str, refused: bool
) -> None:
    two = views_all
    two.mona.user_permissions.add(Permission.objects.get(codename=permission))
    sent = {"event": two.foreign.event_id, "holder_name": "Ana", "quantity": 1}
    answer = two.back_office.post(reverse("admin:events_eventticket_add"), sent)

    assert answer.status_code == (200 if refused else 302)
    assert EventTicket.objects.filter(event=two.foreign.event_id).count() == (1 if refused else 2)


def test_the_change_permission_applies_to_the_tickets_of_all_teams(two: Two) -> None:
    two.mona.user_permissions.add(Permission.objects.get(codename="change_eventticket"))
    sent = {"action": "rerender_selected", "_selected_action": [two.own.pk, two.foreign.pk]}
    two.back_office.post(reverse("admin:events_eventticket_changelist"), sent)

    assert set(EventTicket.objects.values_list("revision", flat=True)) == {1}


def test_deleting_an_event_needs_the_permission_to_delete_its_tickets(two: Two) -> None:
    event = two.foreign.event
    two.mona.user_permissions.set(Permission.objects.filter(codename__in=["view_event", "delete_event"]))
    page = reverse("admin:events_event_delete", args=[event.pk])
    assert "event ticket" in str(two.back_office.get(page).context["perms_lacking"])
    assert two.back_office.post(page, {"post": "yes"}).status_code == 403
    assert EventTicket.objects.count() == 2

    two.mona.user_permissions.add(Permission.objects.get(codename="delete_eventticket"))
    assert two.back_office.post(page, {"post": "yes"}).status_code == 302
    assert list(EventTicket.objects.all()) == [two.own]


def test_superusers_see_every_page() -> None:
    root = User.objects.create_superuser("root@example.org", "correct horse battery staple")
    ticket = make_ticket()
    client = Client()
    client.force_login(root)
    lists = ["accounts_user", "accounts_organiser", "auth_group", "events_event", "events_eventticket"]
    lists += ["publishing_storedfiledeletion"]
    pages = [reverse(f"admin:{name}_changelist") for name in lists]
    pages += [reverse("admin:accounts_user_change", args=[root.pk]), reverse("admin:accounts_user_add")]
    pages += [reverse("admin:accounts_organiser_add"), *pages_of(ticket)]

    assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)


def test_pages_about_files_are_in_the_section_of_events() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "correct horse battery staple"))

    for page in (reverse("admin:index"), reverse("admin:app_list", args=["events"])):
        sections = {section["app_label"]: section["models"] for section in client.get(page).context["app_list"]}
        assert {"Background work", "Events", "Event tickets", "Storage checks"} <= {
            model["name"] for model in sections["events"]
        }
        assert not sections.keys() & {"publishing", "storage_checks"}
