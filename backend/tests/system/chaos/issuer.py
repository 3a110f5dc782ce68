"""Sell tickets and mail each buyer, as one of several processes.

Print the id of each ticket, once it is committed and its mail is in the outbox.

python -m tests.system.chaos.issuer EVENT_PK TICKETS SECONDS SEED
"""

from __future__ import annotations

import random
import sys
import time

SALES = (1, 1, 1, 5, 20, 50)  # tickets of one sale
MEAN_SALE = sum(SALES) / len(SALES)


def sell(event_pk: int, number: int, seconds: float, seed: str) -> None:
    """Sell the number of tickets, in sales of different sizes, over about the number of seconds."""
    from django.core.mail import EmailMessage, get_connection

    from apps.events import issuing
    from apps.events.models import Event

    chance = random.Random(seed)  # noqa: S311 # reproducible, no secret
    event = Event.objects.get(pk=event_pk)
    pause = 2 * seconds * MEAN_SALE / number
    while number:
        size = min(number, chance.choice(SALES))
        sold = issuing.issue_many(event, [issuing.Holder(name=f"Guest {number - n}") for n in range(size)])
        mails = [EmailMessage(str(ticket.ticket_id), "Thank you.", to=["guest@example.org"]) for ticket in sold]
        get_connection().send_messages(mails)
        sys.stdout.write("".join(f"{ticket.ticket_id}\n" for ticket in sold))
        sys.stdout.flush()
        number -= size
        time.sleep(chance.random() * pause)


if __name__ == "__main__":
    import django

    from .haste import make_haste

    make_haste()
    django.setup()
    sell(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
