"""`send_once` sends a task once for each transaction, after commit, and not after a rollback."""

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
    """Request the task in a transaction, or in a savepoint, that is rolled back."""
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        dispatch.send_once("process", "bulk")
        raise ZeroDivisionError


def test_many_requests_in_a_transaction_send_one_task_after_commit(sent: list[str]) -> None:
    with transaction.atomic():
        for _ in range(3):
            dispatch.send_once("process", "bulk")
        with transaction.atomic():
            dispatch.send_once("process", "bulk")
        dispatch.send_once("another", "bulk")
        assert sent == []
    assert sent == ["process", "another"]


def test_each_transaction_sends_its_own_task(sent: list[str]) -> None:
    for _ in range(2):
        with transaction.atomic():
            dispatch.send_once("process", "bulk")
    dispatch.send_once("process", "bulk")
    assert sent == ["process"] * 3, "outside of a transaction, the task is sent at once"


def test_rolled_back_request_sends_nothing_and_blocks_no_other_request(sent: list[str]) -> None:
    roll_back()
    with transaction.atomic():
        roll_back()
    assert sent == []
    with transaction.atomic():
        roll_back()
        dispatch.send_once("process", "bulk")
        roll_back()
    assert sent == ["process"]


def test_on_commit_callback_may_start_another_transaction(sent: list[str]) -> None:
    def work() -> None:
        with transaction.atomic():
            dispatch.send_once("process", "bulk")

    with transaction.atomic():
        transaction.on_commit(work)
        dispatch.send_once("process", "bulk")
        transaction.on_commit(work)
    assert sent == ["process"] * 2, "rows written after the first task was sent need a second one"
