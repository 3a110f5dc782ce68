"""The command as operators call it, and all that it could change."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from django.core.management import call_command

from apps.events.models import EventTicket


def migrate(*arguments: str, **options: Any) -> str:
    """What the command says, warnings included."""
    out = io.StringIO()
    options = {"workers": 1} | options
    call_command("migrate_tickets_to_cloudinary", *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def everything(root: Path) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """All rows and all local files."""
    rows = list(EventTicket.objects.order_by("pk").values())
    return rows, {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
