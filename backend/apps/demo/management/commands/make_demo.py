from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.demo.content import make_demo


class Command(BaseCommand):
    help = "Create a demo event with tickets and accounts to sign in with. Safe to repeat: keeps what exists."

    def handle(self, *args: Any, **options: Any) -> None:
        demo = make_demo()
        self.stdout.write(f"{demo.event}: {len(demo.tickets)} tickets")
        for sign_in in demo.sign_ins:
            password = sign_in.password or "(as shown when it was made)"
            self.stdout.write(f"  {sign_in.role:<11}{sign_in.email:<24}{password:<18}{sign_in.name}")
        for ticket in demo.tickets:
            self.stdout.write(f"  {settings.PUBLIC_URL}{ticket.get_absolute_url()}")
