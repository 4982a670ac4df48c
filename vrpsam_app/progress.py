"""How far a long run is, how long it will still take, and how to stop it: for every surface."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from vrpsam_app.errors import Cancelled

RECENT = 15
"""The time left is judged by this many of the last items."""


class CancelToken:
    """A button that stops a run: pressed in one thread, looked at in those that work.

    Examples
    --------
    >>> token = CancelToken()
    >>> token.cancel()
    >>> token.cancelled
    True
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the run to stop at the next plane or tile."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Stop here if that was asked for.

        Raises
        ------
        Cancelled
            If :meth:`cancel` was called.
        """
        if self.cancelled:
            raise Cancelled("Stopped, as asked. What was finished is kept: start again to go on.")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total : items (planes, tiles or files), those of an earlier part of the run included
    seconds : since this part of the run began
    seconds_left : estimate; None until an item was measured
    message : what is being worked on, in a few words
    """

    done: int
    total: int
    seconds: float
    seconds_left: float | None
    message: str = ""

    @property
    def fraction(self) -> float:
        """Share that is done, in [0, 1]; 1 where there is nothing to do."""
        return self.done / self.total if self.total else 1.0

    def __str__(self) -> str:
        left = "" if self.seconds_left is None else f", {in_words(self.seconds_left)} left"
        about = f": {self.message}" if self.message else ""
        return f"{self.done} of {self.total}{left}{about}"


ProgressCallback = Callable[[Progress], None]


class ProgressMeter:
    """Counts what is finished, judges the time left, and tells a callback.

    Parameters
    ----------
    total : number of items
    callback : told at once, and after each item; None tells nobody
    done : items that an earlier part of the run has finished
    side_by_side : items that are worked on at the same time, and so end in bursts
    cancel : looked at after each item
    clock : seconds that only grow

    Notes
    -----
    The time of an item is the median over the last fifteen, so that one slow disk access or a
    paused machine changes nothing. The first item also pays for loading and compiling: it is
    forgotten as soon as there are three others.
    """

    def __init__(
        self,
        total: int,
        callback: ProgressCallback | None = None,
        *,
        done: int = 0,
        side_by_side: int = 1,
        cancel: CancelToken | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.done = done
        self._callback = callback
        self._cancel = cancel
        self._clock = clock
        self._width = max(1, side_by_side)
        self._started = clock()
        # When items ended, the start of the run first.
        self._ends = deque([self._started], maxlen=RECENT + self._width)
        self._measured = 0
        self._tell("")

    def finished(self, message: str = "") -> None:
        """Count one item.

        Raises
        ------
        Cancelled
            If that was asked for; the item counts all the same.
        """
        self.done += 1
        self._measured += 1
        self._ends.append(self._clock())
        if self._measured == 1 + 3 * self._width:
            for _ in range(self._width):
                self._ends.popleft()
        self._tell(message)
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()

    def seconds_left(self) -> float | None:
        """Return the estimate, None before the first item has ended."""
        ends = list(self._ends)
        if not self._measured:
            return None
        width = min(self._width, len(ends) - 1)
        each = [
            (end - begin) / width for begin, end in zip(ends[:-width], ends[width:], strict=True)
        ]
        return statistics.median(each) * (self.total - self.done)

    def _tell(self, message: str) -> None:
        if self._callback is not None:
            seconds = self._clock() - self._started
            self._callback(Progress(self.done, self.total, seconds, self.seconds_left(), message))


def in_words(seconds: float) -> str:
    """Return a time as a person says it.

    Examples
    --------
    >>> in_words(40), in_words(200), in_words(9000)
    ('less than a minute', '3 min', '2 h 30 min')
    """
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
