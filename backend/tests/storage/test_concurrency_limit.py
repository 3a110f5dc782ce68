"""The adaptive concurrency limit: rises while calls succeed, falls on errors and latency, pauses on rate limits."""

from __future__ import annotations

import threading
import time

import pytest

from apps.storage.concurrency_limit import AdaptiveLimit, Signal, ThrottledError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def round_trip(limiter: AdaptiveLimit, clock: Clock, seconds: float = 0.1, signal: Signal = Signal.FINE) -> None:
    """Make as many concurrent calls as the limit allows, all with the same latency."""
    acquired = [limiter.acquire(timeout_seconds=0) for _ in range(limiter.limit)]
    clock.now += seconds
    for acquired_at in acquired:
        limiter.release(acquired_at, "upload", signal)


def test_limit_rises_to_the_maximum_while_calls_succeed(clock: Clock) -> None:
    limiter = AdaptiveLimit(40, clock)
    limits = []
    for _ in range(60):
        round_trip(limiter, clock)
        limits.append(limiter.limit)
    assert limits == sorted(limits)
    assert limits[-1] == 40


def test_errors_halve_the_limit_once_a_round_trip_and_it_recovers(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(80):
        round_trip(limiter, clock)
    round_trip(limiter, clock, signal=Signal.OVERLOADED)
    assert limiter.limit == 32, "64 failures of one round trip count as one"
    round_trip(limiter, clock, signal=Signal.OVERLOADED)
    assert limiter.limit == 16
    for _ in range(60):
        round_trip(limiter, clock)
    assert limiter.limit == 64


def test_limit_never_falls_below_one(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(20):
        round_trip(limiter, clock, signal=Signal.OVERLOADED)
    assert limiter.limit == 1


def test_high_latency_lowers_the_limit(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(80):
        round_trip(limiter, clock, seconds=0.1)
    for _ in range(5):
        round_trip(limiter, clock, seconds=2.0)
    assert limiter.limit < 32


def test_constant_latency_does_not_lower_the_limit(clock: Clock) -> None:
    limiter = AdaptiveLimit(16, clock)
    for _ in range(80):
        round_trip(limiter, clock, seconds=3.0)
    assert limiter.limit == 16


def test_latency_alone_never_lowers_the_limit_below_the_initial_one(clock: Clock) -> None:
    limiter = AdaptiveLimit(64, clock)
    for _ in range(80):
        round_trip(limiter, clock, seconds=0.01)
    for _ in range(15):
        round_trip(limiter, clock, seconds=1.5)
    assert limiter.limit == 8


def test_latencies_are_compared_between_calls_of_one_kind_only(clock: Clock) -> None:
    limiter = AdaptiveLimit(16, clock)
    for _ in range(80):
        for kind, seconds in (("small", 0.05), ("large", 1.0)):
            acquired = [limiter.acquire(timeout_seconds=0) for _ in range(limiter.limit)]
            clock.now += seconds
            for acquired_at in acquired:
                limiter.release(acquired_at, kind, Signal.FINE)
    assert limiter.limit == 16


def test_rate_limit_pauses_all_calls_until_it_is_lifted(clock: Clock) -> None:
    limiter = AdaptiveLimit(8, clock)
    acquired_at = limiter.acquire(timeout_seconds=0)
    limiter.release(acquired_at, "upload", Signal.RATE_LIMITED, retry_after=1800)
    with pytest.raises(ThrottledError) as throttled:
        limiter.acquire(timeout_seconds=20)
    assert throttled.value.retry_after == pytest.approx(1800)
    clock.now += 1801
    limiter.release(limiter.acquire(timeout_seconds=0), "upload", Signal.FINE)


def test_pauses_double_for_rate_limits_without_a_date(clock: Clock) -> None:
    limiter = AdaptiveLimit(8, clock)
    pauses = []
    for _ in range(8):
        limiter.release(limiter.acquire(timeout_seconds=0), "upload", Signal.RATE_LIMITED)
        pauses.append(round(limiter.retry_after()))
        clock.now += limiter.retry_after()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_waiting_call_proceeds_when_another_one_ends() -> None:
    limiter = AdaptiveLimit(1)
    first = limiter.acquire(timeout_seconds=0)
    with pytest.raises(ThrottledError):
        limiter.acquire(timeout_seconds=0.01)
    threading.Timer(0.05, limiter.release, (first, "upload", Signal.FINE)).start()
    limiter.release(limiter.acquire(timeout_seconds=5), "upload", Signal.FINE)
    assert limiter.in_flight == 0


def test_limiter_never_exceeds_the_maximum() -> None:
    limiter = AdaptiveLimit(5)
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal most
        for _ in range(20):
            acquired_at = limiter.acquire(timeout_seconds=20)
            with lock:
                most = max(most, limiter.in_flight)
            time.sleep(0.001)
            limiter.release(acquired_at, "upload", Signal.FINE)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 5
    assert limiter.in_flight == 0
