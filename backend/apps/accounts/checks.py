"""System checks of `manage.py check --deploy` for ALLOWED_HOSTS and demo accounts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import OperationalError, connection

from .models import User
from .public_url import is_local, public_host


def register() -> None:
    checks.register(check_hosts, checks.Tags.security, deploy=True)
    checks.register(check_demo_accounts, checks.Tags.security, deploy=True)


def check_hosts(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        checks.Warning(
            "The site accepts every Host header (ALLOWED_HOSTS=*), including forged ones.",
            hint=f"Set ALLOWED_HOSTS={re.sub(r':[0-9]+$', '', public_host())}, the host of PUBLIC_URL.",
            id="accounts.W001",
        )
    ]


def check_demo_accounts(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    if is_local():
        return []
    try:
        emails = _demo_emails()
    except OperationalError as error:
        return [
            checks.Warning(
                f"The database could not be searched for demo accounts: {str(error).strip()}.",
                hint="Run this check again where the database of DATABASE_URL can be reached.",
                id="accounts.W003",
            )
        ]
    if not emails:
        return []
    return [
        checks.Warning(
            f"The database holds demo accounts, whose password is public: {', '.join(emails)}.",
            hint="They can't sign in here. Delete them, or run `manage.py make_demo` to give them new passwords.",
            id="accounts.W002",
        )
    ]


def _demo_emails() -> list[str]:
    with connection.cursor() as cursor:
        columns = (
            connection.introspection.get_table_description(cursor, User._meta.db_table)
            if (User._meta.db_table in connection.introspection.table_names(cursor))
            else []
        )
    if "is_demo" not in {column.name for column in columns}:  # checks run before `migrate`
        return []
    return list(User.objects.filter(is_demo=True).order_by("pk").values_list("email", flat=True))
