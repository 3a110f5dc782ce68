"""The outbox of file deletions, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.publishing.models import StoredFileDeletion

from .change_lists import CarefulListMixin


@admin.register(StoredFileDeletion)
class StoredFileDeletionAdmin(CarefulListMixin, ModelAdmin):  # type: ignore[misc] # unfold has no types
    list_display = ("name", "kind", "created_at", "attempts", "next_attempt_at", "reason")
    list_filter = ("kind",)
    search_fields = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StoredFileDeletion | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StoredFileDeletion | None = None) -> bool:
        return False
