"""The page that issues tickets to a list of holders. It shows the parsed list first, then issues all or none."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.validators import refuse_control_characters
from apps.events import audit_log, issuing
from apps.events.issuing import CHECKED_LIST_LIFETIME
from apps.events.models import Event, EventTicket, TicketType
from apps.imports.attendee_lists import AttendeeList, Column, read_attendee_list
from apps.imports.list_files import ListFile, read_list_file
from apps.imports.list_headings import Meaning

from .printing import note_names

if TYPE_CHECKING:
    from .events import EventAdmin

MAX_UPLOAD_BYTES = 2 * 1024 * 1024
NO_HEADING = "(no heading)"
MEANINGS: list[tuple[str, str]] = [
    ("", "Choose …"),
    (Meaning.IGNORED, "Ignored"),
    (Meaning.NAME, "Name"),
    (Meaning.GIVEN, "Given name"),
    (Meaning.MIDDLE, "Middle name"),
    (Meaning.FAMILY, "Family name"),
    (Meaning.EMAIL, "E-mail address"),
    (Meaning.QUANTITY, "Quantity"),
]


class IssueForm(forms.Form):
    holders = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 10, "dir": "auto", "placeholder": "Amélie Laurent, amelie@example.org, 2"}
        ),
        help_text="One holder per line: name, e-mail, quantity. You may omit the quantity, and the name or the e-mail.",
    )
    file = forms.FileField(
        label="Or a file",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.xlsb,.xls,.ods,text/csv"}),
        help_text="CSV (commas, semicolons or tabs), or a workbook of Excel or LibreOffice. "
        "The first line may contain headings, in your language.",
    )
    ticket_type: forms.ModelChoiceField[TicketType] = forms.ModelChoiceField(
        queryset=None, required=False, widget=UnfoldAdminSelectWidget()
    )
    order_reference = forms.CharField(
        required=False,
        max_length=EventTicket._meta.get_field("order_reference").max_length,
        validators=[refuse_control_characters],
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, *args: Any, event: Event, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = AttendeeList([])
        self.list_file = ListFile("")
        self.fields["ticket_type"].queryset = event.ticket_types.all()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if upload is not None and cleaned.get("holders", "").strip():
            raise ValidationError("You pasted lines and chose a file. Remove one of them.")
        if upload is not None and upload.size > MAX_UPLOAD_BYTES:
            raise ValidationError("The file is larger than 2 MB. Split it.")
        self.list_file = ListFile(
            cleaned.get("holders", ""), self.data.get("note", ""), bool(self.data.get("is_guess"))
        )
        if upload is not None:
            self.list_file = read_list_file(upload.read())
        # Put the lines of a file into the text area, where they can be corrected.
        self.data = {**cast(QueryDict, self.data).dict(), "holders": self.list_file.text}
        self.lines = read_attendee_list(self.list_file.text, self.data, ignore_rest="ignore_rest" in self.data)
        return cleaned

    @property
    def problems(self) -> int:
        return sum(bool(line.problems) for line in self.lines)

    @property
    def may_be_issued(self) -> bool:
        return bool(self.lines) and not self.problems and not self.lines.unassigned

    @property
    def is_confirmed(self) -> bool:
        """Return whether the organiser has confirmed the letters of a file whose encoding was guessed."""
        return not self.list_file.is_guess or "letters_are_right" in self.data

    def column_choices(self) -> list[tuple[Column, str]]:
        """Return the columns of the list, each with the HTML of the field for its meaning."""
        return [
            (
                column,
                UnfoldAdminSelectWidget(choices=MEANINGS).render(
                    column.field, column.meaning or "", {"id": column.field, "required": False}
                ),
            )
            for column in self.lines.columns
        ]

    def columns_by_meaning(self) -> list[tuple[str, list[str]]]:
        """Return the headings of each meaning that the list has, as (label of the meaning, headings)."""
        read_as = []
        for meaning in Meaning:
            headings = [column.heading or NO_HEADING for column in self.lines.columns if column.meaning is meaning]
            if headings:
                read_as.append((dict(MEANINGS)[meaning], headings))
        return read_as


def issue_page(event_admin: EventAdmin, request: HttpRequest, event: Event) -> HttpResponse:
    """Show the form, check a list, or issue it. A checked list can be issued once."""
    form = IssueForm(request.POST or None, request.FILES or None, event=event)
    checked = request.method == "POST" and form.is_valid() and "change" not in request.POST
    ready = checked and form.may_be_issued
    if ready and form.is_confirmed and "issue" in request.POST:
        return _issue(request, event, form)
    noted = note_names(event, form.lines) if checked else 0
    context = {
        **event_admin.admin_site.each_context(request),
        "title": f"Issue tickets – {event}",
        "opts": Event._meta,
        "original": event,
        "form": form,
        "checked": checked,
        "ready": ready,
        "noted": noted,
        "admits": sum(int(line.quantity or 1) for line in form.lines) if ready else 0,
        "key": _new_key(request, event) if ready else "",
        "event_url": reverse("admin:events_event_change", args=[event.pk]),
    }
    return TemplateResponse(request, "backoffice/issue.html", context)


def _issue(request: HttpRequest, event: Event, form: IssueForm) -> HttpResponse:
    try:
        issued = issuing.issue_once(
            _key_of(request, event),
            event,
            [line.to_holder() for line in form.lines],
            form.cleaned_data["ticket_type"],
            form.cleaned_data["order_reference"],
        )
    except signing.SignatureExpired:
        messages.error(request, "Nothing was issued: this list was checked days ago. Check it again.")
        return HttpResponseRedirect(request.path)
    except signing.BadSignature:
        messages.error(request, "Nothing was issued: this list was not checked on this page. Check it first.")
        return HttpResponseRedirect(request.path)
    except issuing.IssuedAlreadyError as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(request.path)
    except ValidationError as error:
        messages.error(request, f"Nothing was issued. {' '.join(error.messages)}")
        return HttpResponseRedirect(request.path)
    if noted := note_names(event, form.lines):
        messages.warning(
            request,
            f"{noted} of the names {'is' if noted == 1 else 'are'} printed differently from how they are written.",
        )
    count = len(issued)
    audit_log.note(request.user, [event], f"{count} tickets issued from a list.")
    done = f"{count} ticket{'s were' if count != 1 else ' was'} issued, and the files are being created."
    messages.success(request, f"{done} No mail is sent: holders find their tickets by signing in with their address.")
    return HttpResponseRedirect(f"{reverse('admin:events_eventticket_changelist')}?event__id__exact={event.pk}")


# -- The key of a checked list: proves that this user has seen the list, and makes issuing it idempotent --------------


def _signer(request: HttpRequest, event: Event) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"tickets to issue: event {event.pk}, user {request.user.pk}")


def _new_key(request: HttpRequest, event: Event) -> str:
    return _signer(request, event).sign(secrets.token_urlsafe(12))


def _key_of(request: HttpRequest, event: Event) -> str:
    """Return the key of the submitted list.

    Raises BadSignature if it was not made for this user and event, and SignatureExpired if it is too old: used keys
    are forgotten after that time, so that an older one could issue the list twice.
    """
    return _signer(request, event).unsign(request.POST.get("key", ""), max_age=CHECKED_LIST_LIFETIME)
