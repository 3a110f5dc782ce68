"""Call the command as operators do, and read everything that it could change."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from django.core.management import call_command

from apps.events.models import EventTicket


def migrate(*arguments: str, **options: Any) -> str:
    """Run the command and return its output, warnings included."""
    out = io.StringIO()
    options = {"workers": 1} | options
    call_command("migrate_tickets_to_cloudinary", *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def everything(root: Path) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Return all rows and all local files, by path."""
    rows = list(EventTicket.objects.order_by("pk").values())
    return rows, {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
