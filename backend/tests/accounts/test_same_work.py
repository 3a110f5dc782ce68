"""Response times do not reveal accounts (timing attacks): sign-up and sign-in do the same work for every address.

The tests count work instead of measuring time, which varies too much: hashed passwords, written rows, mail, statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import hashers
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.databases]
UNKNOWN = "unknown@example.org"
KNOWN = {
    "known": "known@example.org",
    "unconfirmed": "unconfirmed@example.org",
    "inactive": "inactive@example.org",
    "without a password": "passwordless@example.org",
}
TOLERATED_READS = 2  # queries by key, each far below a millisecond


@pytest.fixture(autouse=True)
def _people() -> None:
    make_user(KNOWN["known"])
    make_user(KNOWN["unconfirmed"], confirmed=False)
    make_user(KNOWN["inactive"], is_active=False)
    make_user(KNOWN["without a password"], password=None)


@dataclass
class Work:
    status: int
    hashed: int
    written: int
    mailed: int
    statements: int


@contextmanager
def hashes_counted() -> Iterator[list[int]]:
    """Record every call of the password hasher."""
    done: list[int] = []
    hasher = type(hashers.get_hasher())
    encode = hasher.encode

    def counted(*args: Any, **options: Any) -> str:
        done.append(1)
        return str(encode(*args, **options))

    with mock.patch.object(hasher, "encode", counted):
        yield done


def work_of(post: Callable[[str], Any], email: str) -> Work:
    cache.clear()
    mail.outbox.clear()
    with CaptureQueriesContext(connection) as queries, hashes_counted() as hashed:
        status = post(email).status_code
    statements = [query["sql"] for query in queries.captured_queries]
    written = sum(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in statements)
    return Work(status, len(hashed), written, len(mail.outbox), len(statements))


def page(path: str, **form: str) -> Callable[[str], Any]:
    return lambda email: Client().post(path, {k: v.replace("EMAIL", email) for k, v in form.items()})


def json(client: str, path: str, **body: str) -> Callable[[str], Any]:
    url = f"/_allauth/{client}/v1/auth/{path}"
    return lambda email: Client().post(url, {"email": email, **body}, content_type="application/json")


WAYS: dict[str, Callable[[str], Any]] = {
    "sign-up, page": page("/accounts/signup/", email="EMAIL", password1=PASSWORD, password2=PASSWORD),
    "sign-up, app": json("app", "signup", password=PASSWORD),
    "sign-up, browser": json("browser", "signup", password=PASSWORD),
    "sign-in, page": page("/accounts/login/", login="EMAIL", password="a wrong one"),
    "sign-in, app": json("app", "login", password="a wrong one"),
    "sign-in, browser": json("browser", "login", password="a wrong one"),
    "new password, page": page("/accounts/password/reset/", email="EMAIL"),
    "new password, app": json("app", "password/request"),
    "new password, browser": json("browser", "password/request"),
}


@pytest.mark.parametrize("way", WAYS)
def test_known_and_unknown_addresses_take_the_same_work(way: str) -> None:
    known = {kind: work_of(WAYS[way], email) for kind, email in KNOWN.items()}
    unknown = work_of(WAYS[way], UNKNOWN)
    for kind, work in known.items():
        assert abs(work.statements - unknown.statements) <= TOLERATED_READS, (kind, work, unknown)
        work.statements = unknown.statements
        assert work == unknown, kind


def test_a_rejected_password_takes_the_same_work() -> None:
    for post in (
        page("/accounts/signup/", email="EMAIL", password1="short", password2="short"),
        json("app", "signup", password="short"),
    ):
        assert work_of(post, KNOWN["known"]) == work_of(post, UNKNOWN)
