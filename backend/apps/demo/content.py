"""Create the demo: a team, an event next month, and holders whose names use four scripts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import Membership, Organiser, User
from apps.accounts.public_url import is_local
from apps.events.event_images import save_event_image
from apps.events.issuing import Holder, issue_many
from apps.events.models import Event, EventImage, EventTicket, TicketType

from .poster import draw_cover, draw_logo

LOCAL_PASSWORD = "lantern-nights"  # noqa: S105 # used only on sites that others can't reach
ORGANISER = "Lantern Nights"
TITLE = "Lanterns on the River"
TIME_ZONE = "Europe/Berlin"
MANAGER = ("organiser@example.org", "Jonas Weber")
DOOR = ("door@example.org", "Sofia Rossi")
# Address, name, tickets as (type, quantity).
HOLDERS = (
    ("amelie@example.org", "Amélie Laurent", (("Riverside", 2), ("Boat", 1))),
    ("layla@example.org", "ليلى حدّاد", (("Riverside", 1),)),
    ("xiaoming@example.org", "王小明", (("Boat", 2),)),
    ("priya@example.org", "प्रिया शर्मा", (("Riverside", 4),)),
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The credentials of a demo account. `password` is empty if an earlier run has shown it."""

    role: str
    name: str
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Demo:
    event: Event
    tickets: list[EventTicket]
    sign_ins: list[SignIn]


@transaction.atomic
def make_demo() -> Demo:
    """Create the missing parts of the demo and return all of it. Idempotent: tickets are issued once per event."""
    manager, door = _sign_in("organiser", *MANAGER), _sign_in("door staff", *DOOR)
    holders = [_sign_in("holder", email, name) for email, name, _ in HOLDERS]
    organiser, _ = Organiser.objects.get_or_create(name=ORGANISER)
    for sign_in, role in ((manager, Membership.Role.MANAGER), (door, Membership.Role.DOOR)):
        user = User.objects.get_by_natural_key(sign_in.email)
        Membership.objects.get_or_create(organiser=organiser, user=user, defaults={"role": role})
    User.objects.filter(email=MANAGER[0]).update(is_staff=True)
    event = Event.objects.filter(organiser=organiser, title=TITLE, starts_at__gt=timezone.now()).first()
    event = event or _make_event(organiser)
    return Demo(event, list(event.tickets.select_related("ticket_type")), [manager, door, *holders])


def _sign_in(role: str, email: str, name: str) -> SignIn:
    """Create the account, or change its password to fit the site: the public one locally, a random one elsewhere.

    Elsewhere, an account whose password is not public keeps it, and `password` of the result is empty.
    """
    user = User.objects.filter(email=email).first() or User(email=email, name=name)
    password = ""
    if is_local():
        password = LOCAL_PASSWORD
    elif user.pk is None or user.is_demo:
        password = secrets.token_urlsafe(9)
    if password and not (user.pk and user.is_demo == is_local() and user.check_password(password)):
        user.set_password(password)
        user.is_demo = is_local()
        user.save()
    EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return SignIn(role, name, email, password)


def _make_event(organiser: Organiser) -> Event:
    starts_at = _a_saturday_next_month()
    event = Event.objects.create(
        organiser=organiser,
        title=TITLE,
        description="An evening of music on the water. A thousand lanterns rise when the sun is down.",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=4),
        doors_at=starts_at - timedelta(hours=1),
        time_zone=TIME_ZONE,
        venue="Old Harbour Stage",
        address="Quay 7, 10317 Berlin",
        terms="Bring a warm coat. The ticket admits once; whoever leaves needs a stamp to come back in.",
        accent="#5b2a86",
    )
    save_event_image(event, EventImage.Kind.COVER, draw_cover())
    save_event_image(event, EventImage.Kind.LOGO, draw_logo())
    types = {
        name: TicketType.objects.create(event=event, name=name, price=price)
        for name, price in (("Riverside", "25.00"), ("Boat", "60.00"))
    }
    for number, (email, name, wanted) in enumerate(HOLDERS, start=1):
        for type_name, quantity in wanted:
            issue_many(event, [Holder(name, email, quantity)], types[type_name], order_reference=f"DEMO-{number:04}")
    return event


def _a_saturday_next_month() -> datetime:
    day = timezone.localdate() + timedelta(days=28)
    day += timedelta(days=(5 - day.weekday()) % 7)
    return datetime.combine(day, time(19, 30), ZoneInfo(TIME_ZONE))
