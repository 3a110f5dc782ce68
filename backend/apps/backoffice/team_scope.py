"""Limit managers in the back office to the rows of their own teams.

A manager with staff status needs no Django permissions. Those are for users who work for all teams, here as in the API
(`apps.events.permissions`). A user can be both: view all teams by a Django permission, and manage one team. The lists
then show more rows than the user may change, so actions and forms must filter again by `within_reach`.
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
    """Return the ids of the organisers that the user manages. Cached on the request."""
    cached: frozenset[int] | None = getattr(request, "managed_team_ids", None)
    if cached is None:
        memberships = cast(User, request.user).memberships.filter(role=Membership.Role.MANAGER)
        cached = frozenset(memberships.values_list("organiser", flat=True))
        request.managed_team_ids = cached  # type: ignore[attr-defined]
    return cached


def has_for_all_teams(request: HttpRequest, model: type[Model], action: str) -> bool:
    """Return whether the user has the Django permission, which applies to all teams."""
    name = get_permission_codename(action, model._meta)
    return cast(User, request.user).has_perm(f"{model._meta.app_label}.{name}")


NOT_YOURS = "%d of the selected rows were not changed: you may view them, but you don't manage their team."
CHANGED_LIST = "Nothing was done: the list has changed since you selected the rows. Select them again."
ROWS_NAMED = 10  # on pages and in messages about any number of rows

Action = Callable[[Any, HttpRequest, QuerySet[Any]], Any]


class TeamScopedAdmin(CarefulListMixin, ModelAdmin):  # type: ignore[misc] # unfold has no types
    """An admin class that shows managers the rows of their own teams.

    `team_path` is the lookup from the model to its organiser, such as `event__organiser`.
    """

    team_path: str
    managers_may_add = True
    managers_may_delete = True
    delete_selected_confirmation_template = "backoffice/delete_selected.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.within_reach(request, super().get_queryset(request), "view", "change")

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """Return the URL of the object's own page, which checks permissions itself."""
        return obj.get_absolute_url() if obj is not None and hasattr(obj, "get_absolute_url") else None

    def within_reach(self, request: HttpRequest, rows: QuerySet[Any], *permissions: str) -> QuerySet[Any]:
        """Return the rows for which the user has one of the permissions: all rows, or those of the user's own teams."""
        if any(has_for_all_teams(request, self.model, permission) for permission in permissions):
            return rows
        return rows.filter(**{f"{self.team_path}__in": managed_teams(request)})

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Action, str, str]]:
        """Wrap each action so that it gets only the selected rows that its permissions reach.

        If the action returns a confirmation page, that gets `choice`: hidden fields that select the same rows again.
        """
        actions = super().get_actions(request)
        return {name: (self._limited(action), name, text) for name, (action, _, text) in actions.items()}

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Restrict the choices of foreign keys to rows that the user may refer to."""
        form = super().get_form(request, obj, change=change, **kwargs)
        for field in form.base_fields.values():
            if isinstance(field, ModelChoiceField) and field.queryset is not None:
                field.queryset = self.choices_of(request, field.queryset, "change" if change else "add")
        return form

    def choices_of(self, request: HttpRequest, rows: QuerySet[Any], permission: str) -> QuerySet[Any]:
        """Return the rows of another model that the user may choose in a form of this one.

        These are the rows in that model's list, limited to the user's own teams unless the user has `permission` ("add"
        or "change") of this model for all teams.
        """
        if not self.admin_site.is_registered(rows.model):
            return rows
        related = self.admin_site.get_model_admin(rows.model)
        listed: QuerySet[Any] = related.get_queryset(request)
        if has_for_all_teams(request, self.model, permission) or not isinstance(related, TeamScopedAdmin):
            return listed
        return related.within_reach(request, listed)

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
        *relations, last = self.team_path.split("__")
        for relation in relations:
            team = getattr(team, relation)
        return getattr(team, last if last == "pk" else f"{last}_id") in managed_teams(request)

    def _limited(self, action: Action) -> Action:
        permissions = getattr(action, "allowed_permissions", ("change",))

        @wraps(action)
        def on_rows_within_reach(model_admin: TeamScopedAdmin, request: HttpRequest, selected: QuerySet[Any]) -> Any:
            rows = model_admin.within_reach(request, selected, *permissions)
            count = rows.count()
            if rows is not selected and (excluded := selected.count() - count):
                messages.warning(request, NOT_YOURS % excluded)
                if not count:
                    return None
            if request.POST.get("counted", str(count)) != str(count):
                messages.error(request, CHANGED_LIST)
                return None
            response = action(model_admin, request, rows)
            if isinstance(response, TemplateResponse):
                response.context_data = (response.context_data or {}) | {"choice": _choice(request, count)}
            return response

        return on_rows_within_reach


def first_few(rows: QuerySet[Any], count: int, name: Callable[[Any], str] = str) -> list[str]:
    """Return the names of the first `ROWS_NAMED` rows, and a text with the number of the others."""
    more = [f"… and {count - ROWS_NAMED} more"] if count > ROWS_NAMED else []
    return [name(row) for row in rows[:ROWS_NAMED]] + more


def _choice(request: HttpRequest, count: int) -> list[tuple[str, str]]:
    """Return (name, value) of the hidden fields that select the rows of this request again.

    If all rows of the list are selected, `counted` is their number: the action is refused if it has changed by then.
    """
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    if BooleanField().to_python(request.POST.get("select_across")):
        return [("select_across", "1"), ("counted", str(count)), (ACTION_CHECKBOX_NAME, selected[0])]
    return [(ACTION_CHECKBOX_NAME, pk) for pk in selected]


class PartOfParentInline(TabularInline):  # type: ignore[misc] # unfold has no types
    """An inline with the permissions of its parent: users who may change the parent may change the rows."""

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
