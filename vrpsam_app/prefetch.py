"""Work that goes on in a thread of its own, a few steps ahead of or behind those who need it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
# How long a consumer that gives up waits for the producer between two looks, in seconds.
_LOOK = 0.05


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


def ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yield items that another thread makes meanwhile, in their order.

    Parameters
    ----------
    items : iterated in the other thread only
    depth : items that may lie ready, beside the one that is being made

    Raises
    ------
    BaseException
        What `items` raises, after all items before it.

    Notes
    -----
    Who stops in the middle has to close the generator (a ``for`` loop that is left by an exception
    does so once the generator is let go); the other thread then ends after its current item.
    """
    queue: Queue[T | _Failure | _End] = Queue(depth)
    stopped = threading.Event()

    def work() -> None:
        last: _Failure | _End = _End()
        try:
            for item in items:
                queue.put(item)
                if stopped.is_set():
                    break
            if isinstance(items, Generator):
                items.close()
        except BaseException as error:
            last = _Failure(error)
        queue.put(last)

    thread = threading.Thread(target=work, name="vrpsam-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stopped.set()
        while thread.is_alive():
            with suppress(Empty):
                queue.get_nowait()
            thread.join(_LOOK)


class Behind(Generic[T]):
    """Calls that another thread makes one after the other, while the caller goes on.

    Parameters
    ----------
    call : made once for each value that is given
    depth : values that may wait; the caller waits where there are more

    Notes
    -----
    The first error of a call is raised in the caller, at the next value or at the end. Leaving the
    ``with`` block waits for all calls, also where it is left by an exception.
    """

    def __init__(self, call: Callable[[T], None], depth: int) -> None:
        self._call = call
        self._depth = depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="vrpsam-behind")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True)
        while self._pending:
            failed = self._pending.popleft().exception()
            if failed is not None and error is None:
                raise failed

    def give(self, value: T) -> None:
        """Hand over one value."""
        while len(self._pending) > self._depth or (self._pending and self._pending[0].done()):
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._call, value))
