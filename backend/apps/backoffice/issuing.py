"""The page that issues tickets to a list of holders: it shows what it read, then issues all or nothing."""

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
from apps.events.issuing import CHECKED_LISTS_GOOD
from apps.events.models import Event, EventTicket, TicketType
from apps.imports.attendee_lists import Column, AttendeeList, read_attendee_list
from apps.imports.list_files import ListFile, read_list_file
from apps.imports.list_headings import Meaning

from .printing import note_names

if TYPE_CHECKING:
    from .events import EventAdmin

MAX_UPLOAD = 2 * 1024 * 1024
NO_HEADING = "(no heading)"
MEANINGS: list[tuple[str, str]] = [
    ("", "Choose …"),
    (Meaning.IGNORED, "Left out"),
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
        help_text="One holder a line: name, e-mail, quantity. Quantity may be left out, and one of name and e-mail.",
    )
    file = forms.FileField(
        label="Or a file",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.xlsb,.xls,.ods,text/csv"}),
        help_text="CSV (commas, semicolons or tabs), or a workbook of Excel or LibreOffice. "
        "The first line may name the columns, in your language.",
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
            raise ValidationError("There are lines and a file. Remove one of them.")
        if upload is not None and upload.size > MAX_UPLOAD:
            raise ValidationError("The file is larger than 2 MB. Split it.")
        self.list_file = ListFile(
            cleaned.get("holders", ""), self.data.get("note", ""), bool(self.data.get("is_guess"))
        )
        if upload is not None:
            self.list_file = read_list_file(upload.read())
        self.data = {
            **cast(QueryDict, self.data).dict(),
            "holders": self.list_file.text,
        }  # a file's lines can then be corrected in the page
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
        """Whether a file whose letters were guessed was looked at."""
        return not self.list_file.is_guess or "letters_are_right" in self.data

    def column_choices(self) -> list[tuple[Column, str]]:
        """The columns of the list, each with the field that says what it holds."""
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
        """What the list was read as, in the words of the choices: the headings behind each of them."""
        read_as = []
        for meaning in Meaning:
            headings = [column.heading or NO_HEADING for column in self.lines.columns if column.meaning is meaning]
            if headings:
                read_as.append((dict(MEANINGS)[meaning], headings))
        return read_as


def issue_page(event_admin: EventAdmin, request: HttpRequest, event: Event) -> HttpResponse:
    """Shows the form, checks a list, or issues it. A list that was checked can be issued once."""
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
        messages.error(request, "Nothing was issued: this list was checked days ago. Check it once more.")
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
            request, f"{noted} of the names {'is' if noted == 1 else 'are'} printed otherwise than written."
        )
    count = len(issued)
    audit_log.note(request.user, [event], f"{count} tickets issued from a list.")
    done = f"{count} ticket{'s were' if count != 1 else ' was'} issued, and the files are being made."
    messages.success(request, f"{done} Nobody is mailed: holders find their tickets by signing in with their address.")
    return HttpResponseRedirect(f"{reverse('admin:events_eventticket_changelist')}?event__id__exact={event.pk}")


# -- The key of a checked list: it says that this user was shown the list, and which pressing of the button is which --


def _signer(request: HttpRequest, event: Event) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"tickets to issue: event {event.pk}, user {request.user.pk}")


def _new_key(request: HttpRequest, event: Event) -> str:
    return _signer(request, event).sign(secrets.token_urlsafe(12))


def _key_of(request: HttpRequest, event: Event) -> str:
    """Raises BadSignature; SignatureExpired before the key, if it was used, is forgotten."""
    return _signer(request, event).unsign(request.POST.get("key", ""), max_age=CHECKED_LISTS_GOOD)
