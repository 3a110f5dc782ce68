"""The admin class for events: details, pictures, ticket types, the state of ticket files, and issuing tickets."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import action, display

from apps.accounts.models import User
from apps.events import event_images, issuing
from apps.events.models import Event, EventImage, EventTicket, IssuedList, TicketType
from apps.publishing import invalidation
from apps.wallets import passes

from . import previews
from .event_form import EventForm
from .issuing import issue_page
from .layout_field import OWN, page_of
from .team_scope import PartOfParentInline, TeamScopedAdmin, first_few, managed_teams

LAYOUT = "Page and layout"
PICTURE_URLS = {EventImage.Kind.COVER: "event_cover", EventImage.Kind.LOGO: "event_logo"}


PARTS = (EventTicket, TicketType, EventImage, IssuedList)  # models whose rows are deleted with their event


class TicketTypeInline(PartOfParentInline):
    model = TicketType


@admin.register(Event)
class EventAdmin(TeamScopedAdmin):
    team_path = "organiser"
    form = EventForm
    inlines = (TicketTypeInline,)
    list_display = ("title", "when", "organiser", "tickets_issued", "files")
    list_select_related = ("organiser",)
    search_fields = ("title", "venue")
    date_hierarchy = "starts_at"
    readonly_fields = ("pictures", "file_states", "preview")
    actions_detail = ("issue",)
    fieldsets = (
        (None, {"fields": ("title", "organiser", "description")}),
        ("When", {"fields": ("starts_at", "ends_at", "doors_at", "time_zone")}),
        ("Where", {"fields": ("venue", "address")}),
        ("On the ticket", {"fields": ("cover", "logo", "pictures", "accent", "language", "terms", "preview")}),
        (LAYOUT, {"fields": ("page", "layout")}),
        ("Tickets", {"fields": ("file_states",)}),
    )

    class Media:
        css: ClassVar = {"all": ("backoffice/backoffice.css",)}
        js = ("backoffice/backoffice.js",)

    def get_urls(self) -> list[Any]:
        pages: list[Any] = [
            path(route, self.admin_site.admin_view(view), name=f"events_event_{name}")
            for route, name, view in (
                ("layouts/", "layouts", self.layouts_page),
                ("<int:event_id>/preview.<str:extension>", "preview_file", self.preview_file_page),
                ("<int:event_id>/preview/", "preview", self.preview_page),
            )
        ]
        return pages + list(super().get_urls())

    def get_fieldsets(self, request: HttpRequest, obj: Event | None = None) -> Any:
        """Collapse the section of the layout unless the event has its own layout."""
        is_open = obj is not None and page_of(obj.layout) == OWN
        return [
            (name, {**about, "classes": ("collapse",)} if name == LAYOUT and not is_open else about)
            for name, about in super().get_fieldsets(request, obj)
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Warn superusers if a wallet is off or its credentials expire soon. A POST redirects, so only GET warns."""
        if request.method == "GET" and cast(User, request.user).is_superuser:
            for wallet, problem in passes.problems().items():
                messages.error(request, f"{wallet} is off: {problem}.")
            for text in passes.expiring().values():
                messages.warning(request, text)
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        count = {
            f"{state}_count": Count("tickets", filter=Q(tickets__state=state)) for state in EventTicket.State.values
        }
        events: QuerySet[Event] = super().get_queryset(request)
        return events.annotate(ticket_count=Count("tickets"), **count)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        teams = managed_teams(request)
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return initial | ({"organiser": min(teams)} if len(teams) == 1 else {})

    def save_model(self, request: HttpRequest, obj: Event, form: EventForm, change: bool) -> None:
        """Save only the changed fields: the form would truncate the fractions of seconds of the others."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        invalidation.before_edit(obj.pk)
        changed = {"layout" if name == "page" else name for name in form.changed_data}
        if columns := Event.edited_columns(changed):
            obj.save(update_fields=columns)

    def save_related(self, request: HttpRequest, form: EventForm, formsets: Any, change: bool) -> None:
        """Save the pictures, and request new files for published tickets that would look different."""
        super().save_related(request, form, formsets, change)
        for kind in PICTURE_URLS:
            if content := form.cleaned_data.get(kind):
                event_images.save_event_image(form.instance, kind, content)
        for words in form.complaints:
            messages.warning(request, f"Printed differently: {words}.")
        if change and (count := invalidation.after_edit(form.instance.pk)):
            files = "the files of 1 ticket" if count == 1 else f"the files of {count} tickets"
            messages.info(request, f"In a moment, {files} will be re-rendered, with the same code.")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[Any], list[Any]]:
        """Return the first few events with their number of tickets. Django's version would list every ticket."""
        events = Event.objects.filter(pk__in=[event.pk for event in objs])
        parts = {model: model._default_manager.filter(event__in=events) for model in PARTS}
        counts: dict[type[Model], int] = {Event: len(objs)} | {model: rows.count() for model, rows in parts.items()}
        shown = first_few(events.annotate(ticket_count=Count("tickets")), counts[Event], _with_tickets)
        model_admins = {
            Event: (self, events),
            EventTicket: (self.admin_site.get_model_admin(EventTicket), parts[EventTicket]),
        }
        perms_lacking = {
            model._meta.verbose_name
            for model, (model_admin, rows) in model_admins.items()
            if model_admin.within_reach(request, rows, "delete").count() < counts[model]
        }
        # A ticket of another event that uses a ticket type of this one protects it. No form allows that.
        protected = EventTicket.objects.filter(ticket_type__event__in=events).exclude(event__in=events)
        model_count = {model._meta.verbose_name_plural: count for model, count in counts.items() if count}
        return shown, model_count, perms_lacking, first_few(protected.select_related("event"), protected.count())

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete the tickets in batches first. Django's single transaction would block other writers for too long."""
        if request.POST and (event := self.get_object(request, unquote(object_id))):
            *_, perms_lacking, protected = self.get_deleted_objects([event], request)
            if self.has_delete_permission(request, event) and not perms_lacking and not protected:
                issuing.delete_many(EventTicket.objects.filter(event=event))
        response: HttpResponse = super().delete_view(request, object_id, extra_context)
        return response

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        events = Event.objects.filter(pk__in=[event.pk for event in queryset])
        issuing.delete_many(EventTicket.objects.filter(event__in=events))
        events.delete()

    # -- Preview -------------------------------------------------------------------------------------------------

    @display(description="Preview")  # type: ignore[untyped-decorator]
    def preview(self, event: Event) -> SafeString | str:
        return previews.preview_html(event)

    def layouts_page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return previews.layouts_page(self, request)

    def preview_file_page(self, request: HttpRequest, event_id: int, extension: str) -> HttpResponse:
        event = self.get_object(request, str(event_id))
        if event is None or not self.has_view_permission(request, event):
            raise Http404
        return previews.preview_file(event, extension)

    @method_decorator(require_POST)
    def preview_page(self, request: HttpRequest, event_id: int) -> HttpResponse:
        event = self.get_object(request, str(event_id))
        if event is None or not self.has_change_permission(request, event):
            raise Http404
        form = self.get_form(request, event, change=True)(request.POST, request.FILES, instance=event)
        return previews.preview_page(self, request, form)

    # -- Issuing -------------------------------------------------------------------------------------------------

    @action(description="Issue tickets", icon="confirmation_number", url_path="issue")  # type: ignore[untyped-decorator]
    def issue(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.get_object(request, object_id)
        if event is None or not self.has_change_permission(request, event):
            raise Http404
        return issue_page(self, request, event)

    @display(description="Starts", ordering="starts_at")  # type: ignore[untyped-decorator]
    def when(self, event: Event) -> str:
        return f"{event.local(event.starts_at):%d %b %Y, %H:%M} ({event.time_zone})"

    @display(description="Tickets")  # type: ignore[untyped-decorator]
    def tickets_issued(self, event: Event) -> str:
        return format_html('<a href="{}">{}</a>', _tickets_url(event), event.ticket_count)  # type: ignore[attr-defined]

    @display(  # type: ignore[untyped-decorator]
        description="Files", label={"all ready": "success", "waiting": "info", "some failed": "danger"}
    )
    def files(self, event: Event) -> str:
        if event.failed_count:  # type: ignore[attr-defined]
            return "some failed"
        if event.pending_count:  # type: ignore[attr-defined]
            return "waiting"
        return "all ready" if event.ticket_count else "–"  # type: ignore[attr-defined]

    @display(description="Files of the tickets")  # type: ignore[untyped-decorator]
    def file_states(self, event: Event) -> SafeString | str:
        if not event.pk:
            return "Save the event first, then issue tickets."
        links = (
            (f"{_tickets_url(event)}&state__exact={state}", getattr(event, f"{state}_count"), label)
            for state, label in EventTicket.State.choices
        )
        return format_html_join(" · ", '<a class="underline" href="{}">{} – {}</a>', links)

    @display(description="Current pictures")  # type: ignore[untyped-decorator]
    def pictures(self, event: Event) -> SafeString | str:
        if not event.pk:
            return "–"
        shown = (
            (reverse(PICTURE_URLS[EventImage.Kind(image.kind)], args=[event.pk, image.sha256]), image.kind)
            for image in event.images.defer("content")
        )
        return (
            format_html_join(" ", '<img src="{}" alt="{}" style="max-height:9rem;display:inline-block">', shown) or "–"
        )


def _with_tickets(event: Event) -> str:
    count: int = event.ticket_count  # type: ignore[attr-defined]
    return f"{event} with {count} ticket{'s' if count != 1 else ''}"


def _tickets_url(event: Event) -> str:
    return f"{reverse('admin:events_eventticket_changelist')}?event__id__exact={event.pk}"
