"""What a team's manager sees and does in the back office: things of the own teams, and nothing else.

Being a manager is the permission: a manager who is staff needs none of Django's. Those are for people who look after
every team, here as in the API (`apps.events.permissions`). Somebody may be both, and look at every team while managing
one: what is shown is then more than what may be touched, so actions and forms ask for the latter (`within_reach`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_permission_codename
from django.db.models import Model, QuerySet
from django.forms import BooleanField, ModelChoiceField
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin, TabularInline

from apps.accounts.models import Membership, User

from .change_lists import CarefulListMixin


def managed_teams(request: HttpRequest) -> frozenset[int]:
    """Ids of the organisers that the user manages, asked for once a request."""
    known: frozenset[int] | None = getattr(request, "managed_team_ids", None)
    if known is None:
        memberships = cast(User, request.user).memberships.filter(role=Membership.Role.MANAGER)
        known = frozenset(memberships.values_list("organiser", flat=True))
        request.managed_team_ids = known  # type: ignore[attr-defined]
    return known


def has_for_all_teams(request: HttpRequest, model: type[Model], action: str) -> bool:
    """Whether the user holds Django's permission, which knows no teams."""
    name = get_permission_codename(action, model._meta)
    return cast(User, request.user).has_perm(f"{model._meta.app_label}.{name}")


NOT_YOURS = "%d of the chosen rows stay as they are: you do not manage their team, and may only look at them."
CHANGED_LIST = "Nothing was done: the list has changed while you were asked. Choose again."
FEW = 10

Action = Callable[[Any, HttpRequest, QuerySet[Any]], Any]


class TeamScopedAdmin(CarefulListMixin, ModelAdmin):  # type: ignore[misc] # unfold has no types
    """Shows managers the rows of their own teams. `team_path` leads from the model to its organiser's id."""

    team_path: str
    managers_may_add = True
    managers_may_delete = True
    delete_selected_confirmation_template = "backoffice/delete_selected.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.within_reach(request, super().get_queryset(request), "view", "change")

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """Link to the object's own page, which asks for its own permissions."""
        return obj.get_absolute_url() if obj is not None and hasattr(obj, "get_absolute_url") else None

    def within_reach(self, request: HttpRequest, rows: QuerySet[Any], *permissions: str) -> QuerySet[Any]:
        """Those of the rows for which the user has one of the permissions: all of them, or those of the own teams."""
        if any(has_for_all_teams(request, self.model, permission) for permission in permissions):
            return rows
        return rows.filter(**{f"{self.team_path}__in": managed_teams(request)})

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Action, str, str]]:
        """Actions get those of the chosen rows that their permissions reach, never all that are shown.

        A page that asks before anything happens gets `choice`: the hidden fields that choose the same rows again.
        """
        actions = super().get_actions(request)
        return {name: (self._limited(action), name, text) for name, (action, _, text) in actions.items()}

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Offers, and accepts, only rows of other models that a row of this one may be written for."""
        form = super().get_form(request, obj, change=change, **kwargs)
        for field in form.base_fields.values():
            if isinstance(field, ModelChoiceField) and field.queryset is not None:
                field.queryset = self.choices_of(request, field.queryset, "change" if change else "add")
        return form

    def choices_of(self, request: HttpRequest, rows: QuerySet[Any], permission: str) -> QuerySet[Any]:
        """Those of another model's rows that the user sees in its list, and with whose team the user may do so much.

        The permission is one for this model: whoever may add tickets to all events may choose each that is shown.
        """
        if not self.admin_site.is_registered(rows.model):
            return rows
        related = self.admin_site.get_model_admin(rows.model)
        shown: QuerySet[Any] = related.get_queryset(request)
        if has_for_all_teams(request, self.model, permission) or not isinstance(related, TeamScopedAdmin):
            return shown
        return related.within_reach(request, shown)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_module_permission(request) or managed_teams(request))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super().has_view_permission(request, obj)) or self._manages(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) or self._manages(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_add_permission(request)) or (self.managers_may_add and self._manages(request, None))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed or (self.managers_may_delete and self._manages(request, obj))

    def _manages(self, request: HttpRequest, obj: Model | None) -> bool:
        if obj is None:
            return bool(managed_teams(request))
        team: Any = obj
        *way, last = self.team_path.split("__")
        for step in way:
            team = getattr(team, step)
        return getattr(team, last if last == "pk" else f"{last}_id") in managed_teams(request)

    def _limited(self, action: Action) -> Action:
        permissions = getattr(action, "allowed_permissions", ("change",))

        @wraps(action)
        def on_rows_within_reach(model_admin: TeamScopedAdmin, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
            rows = model_admin.within_reach(request, chosen, *permissions)
            count = rows.count()
            if rows is not chosen and (beyond := chosen.count() - count):
                messages.warning(request, NOT_YOURS % beyond)
                if not count:
                    return None
            if request.POST.get("counted", str(count)) != str(count):
                messages.error(request, CHANGED_LIST)
                return None
            answer = action(model_admin, request, rows)
            if isinstance(answer, TemplateResponse):
                answer.context_data = (answer.context_data or {}) | {"choice": _choice(request, count)}
            return answer

        return on_rows_within_reach


def first_few(rows: QuerySet[Any], count: int, name: Callable[[Any], str] = str) -> list[str]:
    """The names of a few of the rows, of which there may be very many, and how many more there are."""
    return [name(row) for row in rows[:FEW]] + ([f"… and {count - FEW} more"] if count > FEW else [])


def _choice(request: HttpRequest, count: int) -> list[tuple[str, str]]:
    """Names and values of the fields that choose again what this request has chosen.

    All rows of the list are two fields however many they are, and their number, which must still be the same then.
    """
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    if BooleanField().to_python(request.POST.get("select_across")):
        return [("select_across", "1"), ("counted", str(count)), (ACTION_CHECKBOX_NAME, chosen[0])]
    return [(ACTION_CHECKBOX_NAME, pk) for pk in chosen]


class PartOfParentInline(TabularInline):  # type: ignore[misc] # unfold has no types
    """Rows that whoever may change their parent may change."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._parent_admin().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._parent_admin().has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._parent_admin().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._parent_admin().has_change_permission(request, obj)

    def _parent_admin(self) -> TeamScopedAdmin:
        return cast(TeamScopedAdmin, self.admin_site.get_model_admin(self.parent_model))
