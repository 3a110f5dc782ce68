"""The admin class for webhook endpoints: URL, event types, health, secret rotation and test messages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apps.backoffice.team_scope import TeamScopedAdmin, managed_teams
from apps.webhooks import maintenance, outbox
from apps.webhooks.models import EventType, WebhookEndpoint

HEALTH = {"Works": "success", "New": "info", "Fails": "warning", "Does not answer": "danger", "Off": "default"}
ROTATION = (
    "The endpoint gets a new secret, which is shown once. For 24 hours every message is signed with both secrets, so "
    "that you can change the receiver without losing messages. After a leak, change the receiver at once."
)
TEST_MESSAGE = "A message of the type “webhook.test” is sent to the endpoint, signed like all others."


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, f"{name} – {label}") for name, label in EventType.choices],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("organiser", "url", "description", "event_types", "enabled")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TeamScopedAdmin):
    team_path = "organiser"
    form = EndpointForm
    list_display = ("name", "organiser", "health", "last_success_at", "last_failure_at")
    list_select_related = ("organiser",)
    search_fields = ("url", "description")
    actions_detail = ("test", "new_secret")
    readonly_fields = (
        "id", "health", "created_at", "last_success_at", "last_failure_at", "last_failure", "failures", "held_until",
        "messages_link",
    )  # fmt: skip
    add_fieldsets = ((None, {"fields": ("organiser", "url", "description", "event_types", "enabled")}),)
    fieldsets = (*add_fieldsets, ("Health", {"fields": readonly_fields}))

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organiser") if obj else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        teams = managed_teams(request)
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return initial | ({"organiser": min(teams)} if len(teams) == 1 else {})

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            self._show_secret(request, obj)
        elif {"url", "enabled"} & set(form.changed_data):
            maintenance.reset_failures(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[Any], list[Any]]:
        """Return the endpoints with their number of messages. Django's version would list every message."""
        counts = [(endpoint, endpoint.messages.count()) for endpoint in objs]
        shown = [f"{endpoint} with {count} message{'s' if count != 1 else ''}" for endpoint, count in counts]
        model_count = {self.model._meta.verbose_name_plural: len(counts), "messages": sum(n for _, n in counts)}
        is_lacking = any(not self.has_delete_permission(request, endpoint) for endpoint, _ in counts)
        return shown, model_count, {self.model._meta.verbose_name} if is_lacking else set(), []

    # -- Actions -------------------------------------------------------------------------------------------------

    @action(description="Send a test message", icon="send", url_path="test")  # type: ignore[untyped-decorator]
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self._changeable(request, object_id)
        if request.method != "POST":
            return self._confirm(request, endpoint, "Send a test message", TEST_MESSAGE)
        if not endpoint.enabled:
            messages.error(request, "The endpoint is off. Turn it on first.")
            return HttpResponseRedirect(_change_url(endpoint))
        outbox.enqueue_test(endpoint)
        messages.success(request, "The message will be sent in a moment. Reload this list to see the result.")
        return HttpResponseRedirect(_messages_url(endpoint))

    @action(description="New secret", icon="key", url_path="secret")  # type: ignore[untyped-decorator]
    def new_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self._changeable(request, object_id)
        if request.method != "POST":
            return self._confirm(request, endpoint, "New secret", ROTATION)
        endpoint.change_secret(timezone.now())
        self._show_secret(request, endpoint)
        return HttpResponseRedirect(_change_url(endpoint))

    def _changeable(self, request: HttpRequest, object_id: str) -> WebhookEndpoint:
        endpoint: WebhookEndpoint | None = self.get_object(request, object_id)
        if endpoint is None or not self.has_change_permission(request, endpoint):
            raise Http404
        return endpoint

    def _confirm(self, request: HttpRequest, endpoint: WebhookEndpoint, title: str, explanation: str) -> HttpResponse:
        """Show a page that explains the action and asks for confirmation."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            "explanation": explanation,
            "subject": endpoint,
            "back_url": _change_url(endpoint),
        }
        return TemplateResponse(request, "backoffice/webhook_confirm.html", context)

    def _show_secret(self, request: HttpRequest, endpoint: WebhookEndpoint) -> None:
        """Show the secret on the next page only. Django deletes a message once it has been shown."""
        text = "The endpoint’s secret. It is shown only once, so store it for the receiver now: <code>{}</code>"
        messages.warning(request, format_html(text, endpoint.secret))

    # -- Columns and fields --------------------------------------------------------------------------------------

    @display(description="Endpoint", ordering="description")  # type: ignore[untyped-decorator]
    def name(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.description or endpoint.url

    @display(description="Health", label=HEALTH)  # type: ignore[untyped-decorator]
    def health(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.enabled:
            return "Off"
        if endpoint.is_troubled:
            return "Does not answer"
        if endpoint.failures:
            return "Fails"
        return "Works" if endpoint.last_success_at else "New"

    @display(description="Messages")  # type: ignore[untyped-decorator]
    def messages_link(self, endpoint: WebhookEndpoint) -> str:
        return format_html('<a class="underline" href="{}">Messages to this endpoint</a>', _messages_url(endpoint))


def _change_url(endpoint: Model) -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])


def _messages_url(endpoint: Model) -> str:
    return f"{reverse('admin:webhooks_webhookmessage_changelist')}?endpoint__id__exact={endpoint.pk}"
