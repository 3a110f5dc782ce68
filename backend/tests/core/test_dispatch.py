"""A task without arguments is sent once a transaction, and never before the commit or for nothing."""

from __future__ import annotations

import contextlib

import pytest
from django.db import transaction

from apps.core.jobs import dispatch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(dispatch, "send", lambda task, arguments, queue: sent.append(task))
    return sent


def roll_back() -> None:
    """Ask for the task in a transaction, or a savepoint, that is rolled back."""
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        dispatch.send_once("work off", "bulk")
        raise ZeroDivisionError


def test_a_transaction_that_asks_often_sends_one_task_after_its_commit(sent: list[str]) -> None:
    with transaction.atomic():
        for _ in range(3):
            dispatch.send_once("work off", "bulk")
        with transaction.atomic():
            dispatch.send_once("work off", "bulk")
        dispatch.send_once("another", "bulk")
        assert sent == []
    assert sent == ["work off", "another"]


def test_each_transaction_sends_its_own(sent: list[str]) -> None:
    for _ in range(2):
        with transaction.atomic():
            dispatch.send_once("work off", "bulk")
    dispatch.send_once("work off", "bulk")
    assert sent == ["work off"] * 3, "outside of a transaction it is sent at once"


def test_what_is_rolled_back_sends_nothing_and_keeps_nothing_from_being_sent(sent: list[str]) -> None:
    roll_back()
    with transaction.atomic():
        roll_back()
    assert sent == []
    with transaction.atomic():
        roll_back()
        dispatch.send_once("work off", "bulk")
        roll_back()
    assert sent == ["work off"]


def test_a_callback_of_the_commit_may_begin_another_transaction(sent: list[str]) -> None:
    def work() -> None:
        with transaction.atomic():
            dispatch.send_once("work off", "bulk")

    with transaction.atomic():
        transaction.on_commit(work)
        dispatch.send_once("work off", "bulk")
        transaction.on_commit(work)
    assert sent == ["work off"] * 2, "what was written after the first was sent has one of its own"
