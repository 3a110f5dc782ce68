"""The gate before storage: more at once while all is well, less in trouble, and nobody through a rate limit."""

from __future__ import annotations

import threading
import time

import pytest

from apps.storage.concurrency_limit import AdaptiveLimit, HeldBack, Signal


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def round_trip(limiter: AdaptiveLimit, clock: Clock, seconds: float = 0.1, signal: Signal = Signal.FINE) -> None:
    """As many calls as there are places, all of them answered after the same time."""
    entered = [limiter.enter(timeout_seconds=0) for _ in range(limiter.limit)]
    clock.now += seconds
    for moment in entered:
        limiter.leave(moment, "upload", signal)


def test_it_opens_wide_while_all_is_well_and_never_wider_than_allowed(clock: Clock) -> None:
    limiter = AdaptiveLimit(40, clock)
    limits = []
    for _ in range(60):
        round_trip(limiter, clock)
        limits.append(limiter.limit)
    assert limits == sorted(limits)
    assert limits[-1] == 40


def test_trouble_halves_it_once_a_round_trip_and_it_comes_back(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(80):
        round_trip(limiter, clock)
    round_trip(limiter, clock, signal=Signal.OVERLOADED)
    assert limiter.limit == 32, "64 failures of one round trip are one piece of news"
    round_trip(limiter, clock, signal=Signal.OVERLOADED)
    assert limiter.limit == 16
    for _ in range(60):
        round_trip(limiter, clock)
    assert limiter.limit == 64


def test_lasting_trouble_leaves_one_place(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(20):
        round_trip(limiter, clock, signal=Signal.OVERLOADED)
    assert limiter.limit == 1


def test_slow_answers_are_trouble_too(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(80):
        round_trip(limiter, clock, seconds=0.1)
    for _ in range(5):
        round_trip(limiter, clock, seconds=2.0)
    assert limiter.limit < 32


def test_storage_that_is_always_slow_is_not_in_trouble(clock: Clock) -> None:
    limiter = AdaptiveLimit(16, clock)
    for _ in range(80):
        round_trip(limiter, clock, seconds=3.0)
    assert limiter.limit == 16


def test_slowness_alone_never_closes_it_further_than_it_began(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(80):
        round_trip(limiter, clock, seconds=0.01)
    for _ in range(15):
        round_trip(limiter, clock, seconds=1.5)
    assert limiter.limit == 8


def test_kinds_of_calls_are_compared_with_their_own(clock: Clock) -> None:
    limiter = AdaptiveLimit(16, clock)
    for _ in range(80):
        for kind, seconds in (("small", 0.05), ("large", 1.0)):
            entered = [limiter.enter(timeout_seconds=0) for _ in range(limiter.limit)]
            clock.now += seconds
            for moment in entered:
                limiter.leave(moment, kind, Signal.FINE)
    assert limiter.limit == 16


def test_a_rate_limit_holds_back_everybody_until_it_is_lifted(clock: Clock) -> None:
    limiter = AdaptiveLimit(8, clock)
    entered = limiter.enter(timeout_seconds=0)
    limiter.leave(entered, "upload", Signal.RATE_LIMITED, hold=1800)
    with pytest.raises(HeldBack) as held:
        limiter.enter(timeout_seconds=20)
    assert held.value.seconds == pytest.approx(1800)
    clock.now += 1801
    limiter.leave(limiter.enter(timeout_seconds=0), "upload", Signal.FINE)


def test_a_rate_limit_without_a_date_is_probed_ever_more_rarely(clock: Clock) -> None:
    limiter = AdaptiveLimit(8, clock)
    holds = []
    for _ in range(8):
        limiter.leave(limiter.enter(timeout_seconds=0), "upload", Signal.RATE_LIMITED)
        holds.append(round(limiter.held_for()))
        clock.now += limiter.held_for()
    assert holds == [1, 2, 4, 8, 16, 32, 60, 60]


def test_who_waits_gets_the_place_that_comes_free() -> None:
    limiter = AdaptiveLimit(1)
    first = limiter.enter(timeout_seconds=0)
    with pytest.raises(HeldBack):
        limiter.enter(timeout_seconds=0.01)
    threading.Timer(0.05, limiter.leave, (first, "upload", Signal.FINE)).start()
    limiter.leave(limiter.enter(timeout_seconds=5), "upload", Signal.FINE)
    assert limiter.in_flight == 0


def test_never_more_at_once_than_configured() -> None:
    limiter = AdaptiveLimit(5)
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal most
        for _ in range(20):
            entered = limiter.enter(timeout_seconds=20)
            with lock:
                most = max(most, limiter.in_flight)
            time.sleep(0.001)
            limiter.leave(entered, "upload", Signal.FINE)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 5
    assert limiter.in_flight == 0
