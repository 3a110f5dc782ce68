"""The admin class for the outbox of webhooks: view messages, and send them again."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.backoffice.team_scope import TeamScopedAdmin
from apps.webhooks import maintenance, payloads
from apps.webhooks.models import WebhookMessage, WebhookMessageQuerySet

COLOURS = {"Delivered": "success", "Waiting to be sent": "info", "Given up": "danger"}


class OwnEndpointsFilter(admin.RelatedFieldListFilter):
    """A filter that offers only endpoints that the user may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        endpoints = model_admin.admin_site.get_model_admin(field.related_model).get_queryset(request)
        return [(endpoint.pk, str(endpoint)) for endpoint in endpoints]


@admin.register(WebhookMessage)
class WebhookMessageAdmin(TeamScopedAdmin):
    team_path = "endpoint__organiser"
    managers_may_add = False
    managers_may_delete = False
    list_display = ("event_type", "outcome", "last_status", "attempts", "created_at", "endpoint", "message_id")
    list_select_related = ("endpoint",)
    list_filter = ("state", "event_type", ("endpoint", OwnEndpointsFilter))
    search_fields = ("message_id", "=ticket_id")
    search_help_text = "A message’s or a ticket’s whole id"
    show_full_result_count = False
    actions = ("send_again",)
    fields = readonly_fields = (
        "message_id", "endpoint", "event_type", "ticket_id", "body", "created_at", "outcome", "attempts",
        "last_attempt_at", "last_status", "reason", "delivered_at", "next_attempt_at", "give_up_at",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def within_reach(self, request: HttpRequest, rows: Any, *permissions: str) -> Any:
        """Treat "send_again" as the Django permission to change messages."""
        return super().within_reach(
            request, rows, *("change" if name == "send_again" else name for name in permissions)
        )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find a message by its whole id or its ticket's, by index. A text search would scan millions of messages."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(ticket_id=UUID(search_term.strip())), False
        except ValueError:
            return queryset.filter(message_id=search_term.strip()), False

    @admin.action(description="Send again", permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: WebhookMessageQuerySet) -> None:
        chosen, again = queryset.count(), maintenance.resend(queryset)
        if again:
            messages_are = "message is" if again == 1 else "messages are"
            messages.success(request, f"{again} {messages_are} sent again, under the same id.")
        if chosen > again:
            messages.warning(
                request, f"{chosen - again} not sent: the endpoint is off, or the message is being sent now."
            )

    @display(description="State", ordering="state", label=COLOURS)  # type: ignore[untyped-decorator]
    def outcome(self, message: WebhookMessage) -> str:
        return message.get_state_display()

    @display(description="Body")  # type: ignore[untyped-decorator]
    def body(self, message: WebhookMessage) -> SafeString:
        shown = json.dumps(json.loads(payloads.body_of(message)), indent=2, ensure_ascii=False)
        return format_html('<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>', shown)
