"""Factory functions for tests. Each takes overrides and has defaults for the rest."""

from __future__ import annotations

import io
import itertools
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.utils import timezone
from PIL import Image, ImageDraw

from apps.accounts.models import Membership, Organiser, User
from apps.events.models import Event, EventTicket, TicketType
from apps.webhooks.models import WebhookEndpoint

_numbers = itertools.count(1)
PASSWORD = "correct horse battery staple"


def make_user(email: str = "", *, confirmed: bool = True, **overrides: Any) -> User:
    email = email or f"person{next(_numbers)}@example.org"
    user = User.objects.create_user(email, overrides.pop("password", PASSWORD), **overrides)
    EmailAddress.objects.create(user=user, email=email, verified=confirmed, primary=True)
    return user


def make_organiser(
    name: str = "Night Shift Concerts", *, manager: User | None = None, door: User | None = None
) -> Organiser:
    organiser = Organiser.objects.create(name=name)
    for user, role in ((manager, Membership.Role.MANAGER), (door, Membership.Role.DOOR)):
        if user is not None:
            Membership.objects.create(organiser=organiser, user=user, role=role)
    return organiser


def make_event(**overrides: Any) -> Event:
    starts_at = timezone.now().replace(microsecond=0) + timedelta(days=30)
    values: dict[str, Any] = {
        "title": "Concert Night",
        "starts_at": starts_at,
        "doors_at": starts_at - timedelta(hours=1),
        "time_zone": "Europe/Berlin",
        "venue": "Old Mill",
        "address": "Mill Street 1, Berlin",
    }
    if "organiser" not in overrides:
        values["organiser"] = make_organiser()
    return Event.objects.create(**values | overrides)


def make_ticket_type(event: Event, **overrides: Any) -> TicketType:
    return TicketType.objects.create(event=event, **{"name": "Standing", "price": "25.00"} | overrides)


def make_ticket(**overrides: Any) -> EventTicket:
    values: dict[str, Any] = {"holder_name": "John Doe", "holder_email": "john@example.org", "quantity": 2}
    if "event" not in overrides:
        values["event"] = make_event()
    return EventTicket.objects.create(**values | overrides)


def make_picture(width: int = 640, height: int = 320, image_format: str = "JPEG") -> bytes:
    """Return a small picture with some structure, like a poster."""
    picture = Image.new("RGB", (width, height), "#123456")
    draw = ImageDraw.Draw(picture)
    for step in range(0, width, 16):
        draw.line((step, 0, width - step, height), fill=(step % 255, 120, 200), width=5)
    buffer = io.BytesIO()
    picture.save(buffer, image_format)
    return buffer.getvalue()


def make_endpoint(
    organiser: Organiser, url: str = "https://hooks.example.org/admit", **overrides: Any
) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(organiser=organiser, url=url, **overrides)
