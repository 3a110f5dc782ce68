"""Retry the tickets that were given up for a text: from this version on any text is printed.

They are due a quarter of an hour later: workers of the version before may still run, and would give them up again.
"""

from datetime import timedelta

from django.db import migrations
from django.db.models import Q
from django.utils import timezone

REASONS = (
    "no font has",
    "has no glyph for",
    "holds the control character",
    "is too long for its place on the ticket",
    "the texts need",
    "the event has no title",
    "format requires",  # struct.error, for marks without end
    "int too big to convert",
)


def take_up(apps, schema_editor):
    named = Q()
    for words in REASONS:
        named |= Q(reason__contains=words)
    tickets = apps.get_model("events", "EventTicket").objects.using(schema_editor.connection.alias)
    tickets.filter(named, state="failed", next_attempt_at=None).update(
        next_attempt_at=timezone.now() + timedelta(minutes=15), attempts=0, wished_at=timezone.now(), in_bulk=True
    )


class Migration(migrations.Migration):
    dependencies = [("events", "0011_public_id_suffix")]

    operations = [migrations.RunPython(take_up, migrations.RunPython.noop)]
