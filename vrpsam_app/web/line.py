"""The line before the model: one piece of work at a time, in the order of arrival, in sight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from vrpsam_app.errors import BusyError
from vrpsam_app.progress import CancelToken
from vrpsam_app.web.limits import limits
from vrpsam_app.web.worker import Worker

T = TypeVar("T")

# How often a place is told anew, and a pressed button looked at.
_TELL_SECONDS = 0.25


class Line:
    """Who may use the model now, and who is next.

    A search over many pictures stands in line for each of them anew, so that a stroke of somebody
    else is answered in between.

    Parameters
    ----------
    most : people who may wait; None takes the server's limit
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._places: list[Place] = []
        self._worker = Worker()
        self._moved = threading.Condition()

    def __len__(self) -> int:
        return len(self._places)

    def join(self) -> Place:
        """Return a place at the end of the line; it is taken in a ``with`` block.

        Raises
        ------
        BusyError
            When the block begins, if too many are waiting.
        """
        return Place(self)

    def _enter(self, place: Place) -> None:
        most = limits().waiting if self._most is None else self._most
        with self._moved:
            if len(self._places) > most:
                raise BusyError(
                    f"{len(self._places) - 1} people are waiting for the model already. Try again "
                    "in a minute, or run it on your own computer: vrpsam app."
                )
            self._places.append(place)

    def _leave(self, place: Place) -> None:
        with self._moved:
            self._places.remove(place)
            self._moved.notify_all()

    def _before(self, place: Place, seconds: float) -> int:
        """Return how many are before a place, once it changed or the time is over."""
        with self._moved:
            before = self._places.index(place)
            if before:
                self._moved.wait_for(lambda: self._places.index(place) < before, seconds)
                before = self._places.index(place)
            return before


class Place:
    """One piece of work in a :class:`Line`; left when the ``with`` block ends, however it does."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __enter__(self) -> Self:
        self._line._enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line._leave(self)

    def waiting(self, cancel: CancelToken | None = None) -> Iterator[int]:
        """Yield how many are before this place, a few times a second, until it is the first.

        Raises
        ------
        Cancelled
            If that was asked for.
        """
        while before := self._line._before(self, _TELL_SECONDS):
            if cancel is not None:
                cancel.raise_if_cancelled()
            yield before
        if cancel is not None:
            cancel.raise_if_cancelled()

    def wait(self, cancel: CancelToken | None = None) -> None:
        """Wait until this place is the first; see :meth:`waiting`."""
        for _ in self.waiting(cancel):
            pass

    def do(self, work: Callable[[], T]) -> T:
        """Have work done by the line's one thread; this place has to be the first by now."""
        return self._line._worker.do(work)
