"""Define `manage.py replay_webhooks`, which sends messages again that an endpoint lost or that were given up."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.webhooks import maintenance
from apps.webhooks.models import WebhookMessage


def moment(text: str) -> datetime:
    try:
        found = parse_datetime(text) or parse_datetime(f"{text}T00:00")
    except ValueError:
        found = None
    if found is None:
        raise ArgumentTypeError("use a date or a time such as 2027-05-01 or 2027-05-01T09:30+02:00")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


class Command(BaseCommand):
    help = (
        "Send webhook messages again, in their order and under the same ids, so that receivers can ignore the ones "
        "that they have. Choose messages by one or more options; all of them must match."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--endpoint", type=int, metavar="ID", help="messages to this endpoint")
        parser.add_argument("--ticket", type=UUID, metavar="UUID", help="messages about this ticket")
        parser.add_argument("--since", type=moment, metavar="TIME", help="messages created at or after this time (UTC)")
        parser.add_argument("--failed", action="store_true", help="messages that were given up")
        parser.add_argument("--dry-run", action="store_true", help="only count the messages")

    def handle(self, *args: Any, **options: Any) -> None:
        filters = {
            "endpoint": options["endpoint"],
            "ticket_id": options["ticket"],
            "created_at__gte": options["since"],
            "state": WebhookMessage.State.FAILED if options["failed"] else None,
        }
        chosen = {name: value for name, value in filters.items() if value is not None}
        if not chosen:
            raise CommandError("Choose what to send again: --endpoint, --ticket, --since or --failed.")
        messages = WebhookMessage.objects.filter(**chosen)
        if options["dry_run"]:
            self.stdout.write(f"{messages.count():>8} would be sent again")
            return
        found, again = messages.count(), maintenance.resend(messages)
        self.stdout.write(f"{again:>8} are sent again")
        if found > again:
            self.stdout.write(f"{found - again:>8} are not: their endpoint is off, or they are being sent right now")
