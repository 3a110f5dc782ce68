"""Move models to another app without touching their tables."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def move_content_types(old_app: str, new_app: str, *models: str) -> migrations.RunPython:
    """Return the operation that moves the models' content types, with their permissions and admin history.

    `models` are names in lower case. The migration must depend on those of `admin`, `auth` and the user model.

    If the new label has a content type already, it is merged into the moved one. That happens when `migrate` stops
    between the migrations of the two apps, or when processes of the other version run at the same time.
    """
    return migrations.RunPython(_move(old_app, new_app, models), _move(new_app, old_app, models))


def _move(source: str, target: str, models: tuple[str, ...]) -> Any:
    def code(apps: Any, schema_editor: Any) -> None:
        content_types = apps.get_model("contenttypes", "ContentType").objects.using(schema_editor.connection.alias)
        for moving in content_types.filter(app_label=source, model__in=models):
            for existing in content_types.filter(app_label=target, model=moving.model):
                _merge(apps, existing, moving)
            content_types.filter(pk=moving.pk).update(app_label=target)

    return code


def _merge(apps: Any, existing: Any, moving: Any) -> None:
    """Move the grants and the history of the existing content type to the moving one, and delete the existing one."""
    using = existing._state.db
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    for permission in permissions.filter(content_type=existing):
        kept, _ = permissions.get_or_create(
            content_type=moving, codename=permission.codename, defaults={"name": permission.name}
        )
        kept.user_set.add(*permission.user_set.all())
        kept.group_set.add(*permission.group_set.all())
    history = apps.get_model("admin", "LogEntry").objects.using(using)
    history.filter(content_type=existing).update(content_type=moving)
    existing.delete()
