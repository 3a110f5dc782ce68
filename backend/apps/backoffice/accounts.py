"""Admin classes for users, groups and teams."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminEmailInputWidget

from apps.accounts.models import Membership, Organiser, User
from apps.accounts.rights import grantable_groups, may_edit_account, permissions_of

from .change_lists import CarefulListMixin
from .team_scope import PartOfParentInline, TeamScopedAdmin, managed_teams

admin.site.unregister(Group)
admin.site.unregister(EmailAddress)  # shown with its user


@admin.register(Group)
class GroupAdmin(CarefulListMixin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc] # unfold has no types
    """Groups. Editors may change a group only if they have all of its permissions."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        return _within_rights(super().formfield_for_manytomany(db_field, request, **kwargs), request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or grantable_groups(_editor(request)).filter(pk=obj.pk).exists())

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or grantable_groups(_editor(request)).filter(pk=obj.pk).exists())


class EmailAddressInline(TabularInline):  # type: ignore[misc] # unfold has no types
    """E-mail addresses of an account. Only superusers edit them: a confirmed address gives access to its tickets."""

    model = EmailAddress
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _editor(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _editor(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _editor(request).is_superuser


@admin.register(User)
class UserAdmin(CarefulListMixin, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg] # unfold has no types
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (EmailAddressInline,)
    ordering = ("email",)
    list_display = ("email", "name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("email", "name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (
            "Permissions",
            {
                "fields": ("is_active", "is_staff", "is_superuser", "is_demo", "groups", "user_permissions"),
                "description": "Managers of a team need only “staff status” to work in the back office, where they see "
                "the events of their own teams. Groups and permissions apply to the events of all teams.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Make the flags read-only that only superusers may set."""
        only_superusers = () if _editor(request).is_superuser else ("is_superuser", "is_demo")
        return (*super().get_readonly_fields(request, obj), *only_superusers)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        return _within_rights(super().formfield_for_manytomany(db_field, request, **kwargs), request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or may_edit_account(_editor(request), obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or may_edit_account(_editor(request), obj))


def _editor(request: HttpRequest) -> User:
    return cast(User, request.user)


def _within_rights(field: Any, request: HttpRequest) -> Any:
    """Restrict the choices of a form field to permissions and groups that the editor may grant."""
    if field is not None and field.queryset.model is Permission:
        field.queryset = field.queryset.filter(pk__in=permissions_of(_editor(request)).values("pk"))
    elif field is not None and field.queryset.model is Group:
        field.queryset = field.queryset.filter(pk__in=grantable_groups(_editor(request)).values("pk"))
    return field


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]
    """A member, chosen by e-mail address: managers of a team must not see the list of all users."""

    email = forms.EmailField(label="E-mail address", widget=UnfoldAdminEmailInputWidget())

    class Meta:
        model = Membership
        fields = ("role",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["email"] = self.instance.user.email
            self.fields["email"].disabled = True

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        try:
            user = User.objects.get_by_natural_key(email)
        except User.DoesNotExist as error:
            message = "There is no account with this address. Ask this person to create one first."
            raise ValidationError(message) from error
        others = Membership.objects.filter(user=user, organiser=self.instance.organiser_id).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError("This person is already in the team.")
        self.instance.user = user
        return email.lower()


class MembershipFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        super().clean()
        emails = [form.cleaned_data["email"] for form in self.forms if (form.cleaned_data or {}).get("email")]
        if len(set(emails)) < len(emails):
            raise ValidationError("The same address is listed twice.")


class MembershipInline(PartOfParentInline):
    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    fields = ("email", "role")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and self._may_name_members(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_name_members(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_name_members(request, obj)

    def _may_name_members(self, request: HttpRequest, team: Organiser | None) -> bool:
        """Return whether the user has the permissions of a manager of the team. A new team has no data to protect."""
        may_manage = _editor(request).has_perms(("events.change_event", "events.change_eventticket"))
        return team is None or may_manage or team.pk in managed_teams(request)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")


@admin.register(Organiser)
class OrganiserAdmin(TeamScopedAdmin):
    team_path = "pk"
    managers_may_add = False
    managers_may_delete = False
    inlines = (MembershipInline,)
    search_fields = ("name",)
    list_display = ("name",)
