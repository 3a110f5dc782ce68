"""The admin class for tickets: search, the state of files and reasons of failures, re-render, re-issue."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import FieldListFilter
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

import ticketkit
from apps.events import audit_log, issuing
from apps.events.codes import code_of
from apps.events.models import Event, EventTicket, TicketType
from apps.publishing import requests, ticket_rendering
from apps.storage import gateway

from .printing import PRINTED_DIFFERENTLY, in_words
from .team_scope import ROWS_NAMED, TeamScopedAdmin, first_few

STATE_COLOURS = {"Ready": "success", "On its way": "info", "Failed": "danger"}
ELEMENTS = {"holder": "Name", "ticket_type": "Ticket type", "order_reference": "Order reference"}
STATE_NAMES = {"ready": "Ready", "pending": "On its way", "failed": "Failed"}


class OwnEventsFilter(admin.RelatedFieldListFilter):
    """A filter that offers only events that the user may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        events = model_admin.admin_site.get_model_admin(field.related_model).get_queryset(request)
        return [(pk, str(title)) for pk, title in events.order_by("-starts_at").values_list("pk", "title")]


class UsedFilter(admin.EmptyFieldListFilter):
    def choices(self, changelist: Any) -> Any:
        for choice, name in zip(super().choices(changelist), ("All", "Not used", "Used"), strict=True):
            yield {**choice, "display": name}


FILTERS: tuple[str | tuple[str, type[FieldListFilter]], ...] = (
    "state",
    ("event", OwnEventsFilter),
    ("used_at", UsedFilter),
)


@admin.register(EventTicket)
class EventTicketAdmin(TeamScopedAdmin):
    team_path = "event__organiser"
    list_display = ("who", "event", "ticket_type", "quantity", "file_state", "used", "issued")
    list_select_related = ("event", "ticket_type")
    list_filter = FILTERS
    search_fields = ("holder_name", "holder_email", "order_reference", "ticket_id")
    search_help_text = "Name, e-mail, ticket id or order"
    actions = ("rerender_selected", "reissue_selected")
    actions_detail = ("rerender_one", "reissue_one")
    readonly_fields = (
        "ticket_id", "holder", "issued", "used", "code_generation", "file_state", "explanation",
        "as_printed", "qr_preview", "pdf_preview", "published", "attempts", "next_attempt",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("event", "ticket_type", "holder_name", "holder_email", "quantity", "order_reference")}),
        ("Ticket", {"fields": ("ticket_id", "holder", "issued", "used", "code_generation")}),
        ("Files", {"fields": ("file_state", "explanation", "as_printed", "qr_preview", "pdf_preview", "published",
                              "attempts", "next_attempt")}),
    )  # fmt: skip
    add_fieldsets = (fieldsets[0],)

    def get_fieldsets(self, request: HttpRequest, obj: EventTicket | None = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: EventTicket | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "event") if obj else self.readonly_fields

    def choices_of(self, request: HttpRequest, rows: QuerySet[Any], permission: str) -> QuerySet[Any]:
        if rows.model is TicketType:
            events = self.choices_of(request, Event.objects.all(), permission)
            return rows.filter(event__in=events.values("pk")).select_related("event")
        return super().choices_of(request, rows, permission)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "ticket_type" and field is not None:
            field.label_from_instance = lambda kind: f"{kind.event}: {kind.name}"
        return field

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find a whole ticket id in any notation. Databases store UUIDs differently, so a text search would miss it."""
        try:
            return queryset.filter(ticket_id=UUID(search_term.strip())), False
        except ValueError:
            found: tuple[Any, bool] = super().get_search_results(request, queryset, search_term)
            return found

    def save_model(self, request: HttpRequest, obj: EventTicket, form: Any, change: bool) -> None:
        revision = obj.revision
        super().save_model(request, obj, form, change)
        if obj.revision != revision:
            messages.info(request, "The ticket's files are being re-rendered, with the same code.")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[Any], list[Any]]:
        """Return the first few tickets. Django's version would list all of them, and no other rows depend on them."""
        rows = EventTicket.objects.filter(pk__in=[ticket.pk for ticket in objs]) if isinstance(objs, list) else objs
        count = rows.count()
        is_lacking = self.within_reach(request, rows, "delete").count() < count
        shown = first_few(rows.select_related("event"), count)
        opts = EventTicket._meta
        return shown, {opts.verbose_name_plural: count}, {opts.verbose_name} if is_lacking else set(), []

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[EventTicket]) -> None:
        issuing.delete_many(queryset)

    # -- Actions -------------------------------------------------------------------------------------------------

    @admin.action(description="Re-render the files (same code)", permissions=["change"])
    def rerender_selected(self, request: HttpRequest, queryset: QuerySet[EventTicket]) -> None:
        count = requests.rerender_many(queryset)
        audit_log.note(
            request.user, queryset.select_related("event").iterator(audit_log.ROWS_PER_QUERY), audit_log.RERENDERED
        )
        messages.success(request, f"The files of {count} ticket{'s' if count != 1 else ''} are being re-rendered.")

    @admin.action(description="Re-issue: new codes; earlier copies and links become invalid", permissions=["change"])
    def reissue_selected(self, request: HttpRequest, queryset: QuerySet[EventTicket]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return self._confirm(request, queryset, "reissue_selected")
        done, refused = issuing.reissue_many(queryset)
        audit_log.note(request.user, done, audit_log.REISSUED)
        self._report_reissued(request, len(done), refused)
        return None

    @action(description="Re-render files", icon="refresh", url_path="rerender")  # type: ignore[untyped-decorator]
    def rerender_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        ticket = self._changeable(request, object_id)
        if request.method != "POST":
            return self._confirm(request, EventTicket.objects.filter(pk=ticket.pk), "rerender_one")
        requests.rerender(ticket)
        audit_log.note(request.user, [ticket], audit_log.RERENDERED)
        messages.success(request, "The files are being re-rendered, with the same code.")
        return self._redirect_to(ticket)

    @action(description="Re-issue", icon="autorenew", url_path="reissue")  # type: ignore[untyped-decorator]
    def reissue_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        ticket = self._changeable(request, object_id)
        if request.method != "POST":
            return self._confirm(request, EventTicket.objects.filter(pk=ticket.pk), "reissue_one")
        try:
            issuing.reissue(ticket)
        except issuing.TicketError as error:
            self._report_reissued(request, 0, [(ticket, error)])
        else:
            audit_log.note(request.user, [ticket], audit_log.REISSUED)
            self._report_reissued(request, 1, [])
        return self._redirect_to(ticket)

    def _changeable(self, request: HttpRequest, object_id: str) -> EventTicket:
        ticket: EventTicket | None = self.get_object(request, object_id)
        if ticket is None or not self.has_change_permission(request, ticket):
            raise Http404
        return ticket

    def _confirm(self, request: HttpRequest, selected: QuerySet[EventTicket], verb: str) -> HttpResponse:
        """Show a page that explains the action and asks for confirmation."""
        count, used = selected.count(), selected.exclude(used_at=None).count()
        context = {
            **self.admin_site.each_context(request),
            "title": "Re-render files" if verb == "rerender_one" else "Re-issue",
            "opts": self.model._meta,
            "count": count,
            "used": used,
            "changed": count - used,
            "names": first_few(selected.select_related("event"), count),
            "verb": verb,
            "back_url": reverse("admin:events_eventticket_changelist"),
        }
        return TemplateResponse(request, "backoffice/confirm.html", context)

    def _report_reissued(
        self, request: HttpRequest, done: int, refused: list[tuple[EventTicket, issuing.TicketError]]
    ) -> None:
        for ticket, error in refused[:ROWS_NAMED]:
            messages.error(request, f"{ticket}: {error}")
        if len(refused) > ROWS_NAMED:
            messages.error(request, f"{len(refused) - ROWS_NAMED} more were not re-issued.")
        if done:
            messages.success(
                request, f"{done} ticket{'s' if done != 1 else ''} re-issued. Earlier copies and links are invalid."
            )

    def _redirect_to(self, ticket: EventTicket) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:events_eventticket_change", args=[ticket.pk]))

    # -- Columns and fields --------------------------------------------------------------------------------------

    @display(description="Holder", ordering="holder_name")  # type: ignore[untyped-decorator]
    def who(self, ticket: EventTicket) -> str:
        name = format_html("<bdi>{}</bdi>", ticket.holder_name or ticket.holder_email or "(no name)")
        return name if ticket_rendering.shows_its_name(ticket) else format_html("{} {}", name, PRINTED_DIFFERENTLY)

    @display(description="Issued at", ordering="issued_at")  # type: ignore[untyped-decorator]
    def issued(self, ticket: EventTicket) -> str:
        return _on_clock(ticket, ticket.issued_at)

    @display(description="Used at", ordering="used_at")  # type: ignore[untyped-decorator]
    def used(self, ticket: EventTicket) -> str:
        return _on_clock(ticket, ticket.used_at)

    @display(description="Published at")  # type: ignore[untyped-decorator]
    def published(self, ticket: EventTicket) -> str:
        return _on_clock(ticket, ticket.published_at)

    @display(description="Next attempt at")  # type: ignore[untyped-decorator]
    def next_attempt(self, ticket: EventTicket) -> str:
        return _on_clock(ticket, ticket.next_attempt_at)

    @display(description="Files", ordering="state", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def file_state(self, ticket: EventTicket) -> str:
        return STATE_NAMES[ticket.state]

    @display(description="Details")  # type: ignore[untyped-decorator]
    def explanation(self, ticket: EventTicket) -> str:
        if ticket.state == EventTicket.State.READY:
            return "Both files are stored and have the current code."
        if ticket.state == EventTicket.State.FAILED:
            retry = "Another attempt will be made." if ticket.next_attempt_at else "No further attempt will be made."
            return f"{ticket.reason} {retry}"
        return "The files are being created."

    @display(description="On the ticket")  # type: ignore[untyped-decorator]
    def as_printed(self, ticket: EventTicket) -> SafeString | str:
        """Return which texts the PDF shows differently from how they were entered."""
        (found,) = ticket_rendering.compromises(ticket.event, [ticket_rendering.ticket_details(ticket)])
        lines = ((ELEMENTS.get(one.element, one.element), in_words(one)) for one in found)
        return format_html_join("", "<p>{}: {}</p>", lines) or "As entered."

    @display(description="QR code")  # type: ignore[untyped-decorator]
    def qr_preview(self, ticket: EventTicket) -> SafeString:
        """Return the current QR code, rendered here, with a link to the stored file."""
        drawn = base64.b64encode(ticketkit.render_qr_png(code_of(ticket))).decode()
        picture = format_html('<img src="data:image/png;base64,{}" alt="QR code" width="180" height="180">', drawn)
        if not ticket.qr_code_cloudinary_id:
            return picture
        url = gateway.delivery_url(gateway.QR_CODE, ticket.qr_code_cloudinary_id, ticket.qr_code_version)
        return format_html('<a href="{}" target="_blank" rel="noreferrer">{}</a>', url, picture)

    @display(description="PDF")  # type: ignore[untyped-decorator]
    def pdf_preview(self, ticket: EventTicket) -> SafeString | str:
        if not ticket.pdf_ticket_cloudinary_id:
            return "Not created yet."
        at = (gateway.PDF_TICKET, ticket.pdf_ticket_cloudinary_id, ticket.pdf_ticket_version)
        page = gateway.delivery_url(*at, transformation="w_520", page=True)
        picture = format_html('<img src="{}" alt="Open the PDF" width="260" loading="lazy">', page)
        return format_html('<a href="{}" target="_blank" rel="noreferrer">{}</a>', gateway.delivery_url(*at), picture)


def _on_clock(ticket: EventTicket, moment: datetime | None) -> str:
    """Return the moment in the time zone of the ticket's event."""
    return f"{ticket.event.local(moment):%d %b %Y, %H:%M} ({ticket.event.time_zone})" if moment else "–"
