"""Move models to another app without touching their tables."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, migrations, transaction


def move_content_types(old_app: str, new_app: str, *models: str) -> migrations.RunPython:
    """Return the operation that has permission grants and admin history follow the models, named in lower case.

    A row that exists already under the new app's label is left alone, as Django leaves it when a model is renamed.
    """

    def move(source: str, target: str) -> Any:
        def code(apps: Any, schema_editor: Any) -> None:
            content_types = apps.get_model("contenttypes", "ContentType").objects.using(schema_editor.connection.alias)
            for model in models:
                try:
                    with transaction.atomic(using=schema_editor.connection.alias):
                        content_types.filter(app_label=source, model=model).update(app_label=target)
                except IntegrityError:
                    continue

        return code

    return migrations.RunPython(move(old_app, new_app), move(new_app, old_app))
