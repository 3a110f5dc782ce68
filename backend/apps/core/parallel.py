"""Runs one function over very many items on a few threads, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

from django.db import connections

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield `function(item)` for every item, in the order in which they are done.

    At most twice as many items as workers are taken from `items` ahead of their results. One worker means no thread
    at all. What the function raises is raised here. However the iteration ends, items that were begun are finished,
    and each thread closes its database connections.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pool = _WorkerPool(function, workers)
    under_way = 0
    try:
        for item in items:
            pool.inbox.put(item)
            under_way += 1
            if under_way == 2 * workers:
                yield pool.next_result()
                under_way -= 1
        while under_way:
            yield pool.next_result()
            under_way -= 1
    finally:
        pool.dismiss()


class _End:
    """Tells a thread that there is nothing more to do."""


class _WorkerPool(Generic[Item, Result]):
    def __init__(self, function: Callable[[Item], Result], workers: int) -> None:
        self.inbox: SimpleQueue[Item | type[_End]] = SimpleQueue()
        self._outbox: SimpleQueue[tuple[Result, None] | tuple[None, BaseException]] = SimpleQueue()
        self._function = function
        self._dismissed = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def next_result(self) -> Result:
        result, error = self._outbox.get()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # there is one when there is no error

    def dismiss(self) -> None:
        self._dismissed.set()
        for _ in self._threads:
            self.inbox.put(_End)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (item := self.inbox.get()) is not _End and not self._dismissed.is_set():
                try:
                    self._outbox.put((self._function(item), None))  # type: ignore[arg-type]  # _End is behind us
                except BaseException as error:  # noqa: BLE001 # it is raised where the results are read
                    self._outbox.put((None, error))
        finally:
            connections.close_all()
