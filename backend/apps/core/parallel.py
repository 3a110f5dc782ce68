"""Map a function over any number of items with a few threads, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

from django.db import connections

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield `function(item)` for every item, in order of completion.

    At most `2 * workers` items are taken from `items` ahead of their results (backpressure). With one worker, the
    function runs in the calling thread. An exception of the function is raised here. However the iteration ends, the
    items that were started are finished, and each thread closes its database connections.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pool = _WorkerPool(function, workers)
    in_flight = 0
    try:
        for item in items:
            pool.inbox.put(item)
            in_flight += 1
            if in_flight == 2 * workers:
                yield pool.next_result()
                in_flight -= 1
        while in_flight:
            yield pool.next_result()
            in_flight -= 1
    finally:
        pool.shut_down()


class _End:
    """The queue item that ends a thread."""


class _WorkerPool(Generic[Item, Result]):
    def __init__(self, function: Callable[[Item], Result], workers: int) -> None:
        self.inbox: SimpleQueue[Item | type[_End]] = SimpleQueue()
        self._outbox: SimpleQueue[tuple[Result, None] | tuple[None, BaseException]] = SimpleQueue()
        self._function = function
        self._shutting_down = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def next_result(self) -> Result:
        result, error = self._outbox.get()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # there is one when there is no error

    def shut_down(self) -> None:
        self._shutting_down.set()
        for _ in self._threads:
            self.inbox.put(_End)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (item := self.inbox.get()) is not _End and not self._shutting_down.is_set():
                try:
                    self._outbox.put((self._function(item), None))  # type: ignore[arg-type]  # it is not _End
                except BaseException as error:  # noqa: BLE001 # next_result() raises it in the caller's thread
                    self._outbox.put((None, error))
        finally:
            connections.close_all()
