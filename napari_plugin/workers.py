"""Work beside the window: started from it, told to it, stopped with it.

A worker is a generator that runs in a thread of napari's, knows no layer and no widget, and yields
plain values; what is drawn is drawn on the GUI thread, by the functions that are given here. A
worker ends at its next value after it was cancelled, when its widget is closed, and when napari is.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QObject

from vrpsam_app.errors import Cancelled
from vrpsam_app.progress import CancelToken

_log = logging.getLogger(__name__)
CLOSING_WAIT = 60.0
"""Seconds that a closing window waits for its workers: a slice of a large model takes less."""


class Work:
    """One worker that is under way.

    Attributes
    ----------
    cancel : the token that the generator looks at
    running : whether it has not ended yet, as far as the GUI thread was told
    """

    def __init__(self) -> None:
        self.cancel = CancelToken()
        self.running = True
        self._ended = threading.Event()

    def stop(self) -> None:
        """Ask it to end; it does so at its next value."""
        self.cancel.cancel()

    def wait(self, seconds: float = CLOSING_WAIT) -> bool:
        """Wait until its thread is done; returns whether it is."""
        return self._ended.wait(seconds)


class Workers:
    """The workers of one widget.

    Parameters
    ----------
    parent : the widget; workers are stopped when it is destroyed
    """

    def __init__(self, parent: QObject) -> None:
        self._works: set[Work] = set()
        self._closed = False
        parent.destroyed.connect(self.close)

    @property
    def running(self) -> bool:
        """Whether any is under way."""
        return any(work.running for work in self._works)

    def start(
        self,
        generator: Callable[[CancelToken], Generator[Any, None, Any]],
        *,
        on_value: Callable[[Any], None] = lambda value: None,
        on_result: Callable[[Any], None] = lambda result: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> Work:
        """Start a worker.

        Parameters
        ----------
        generator : made with the token that cancels it; its ``return`` is the result
        on_value : called on the GUI thread with each value
        on_result : called with what was returned, unless it was cancelled
        on_error : called with what was raised; `Cancelled` is no error
        on_end : called last, however it ended
        """
        from napari.qt.threading import create_worker

        work = Work()
        steps = generator(work.cancel)

        def run() -> Generator[Any, None, Any]:
            try:
                while True:
                    try:
                        value = next(steps)
                    except StopIteration as end:
                        return end.value
                    yield value
                    work.cancel.raise_if_cancelled()
            except Cancelled:
                return _CANCELLED
            except Exception as error:
                _log.info("A worker of the plugin failed", exc_info=True)
                return _Failure(error)

        def leave() -> None:
            try:
                steps.close()
            finally:
                work._ended.set()

        worker = create_worker(run, _start_thread=False, _worker_class=_worker_class())
        worker.leave = leave
        self._works.add(work)

        def value(item: Any) -> None:
            if not self._closed and not work.cancel.cancelled:
                on_value(item)

        def returned(result: Any) -> None:
            if self._closed:
                return
            if isinstance(result, _Failure):
                on_error(result.error)
            elif result is not _CANCELLED:
                on_result(result)

        def finished() -> None:
            work.running = False
            self._works.discard(work)
            if not self._closed:
                on_end()

        worker.yielded.connect(value)
        worker.returned.connect(returned)
        worker.finished.connect(finished)
        worker.start()
        return work

    def stop(self) -> None:
        """Ask all to end."""
        for work in list(self._works):
            work.stop()

    def close(self) -> None:
        """Ask all to end and wait until they have; nothing is drawn any more."""
        self._closed = True
        self.stop()
        for work in list(self._works):
            work.wait()


@functools.cache
def _worker_class() -> Any:
    """Return napari's worker, with an end that is reached whatever ends it.

    A closing napari quits workers between two values and lets go of their generators without
    closing them; what these have started then goes on, and who waits for them waits in vain.
    """
    from napari.qt.threading import GeneratorWorker

    class LeavingWorker(GeneratorWorker):
        leave: Callable[[], None]

        def work(self) -> Any:
            try:
                return super().work()
            finally:
                self.leave()

    return LeavingWorker


class _Failure:
    def __init__(self, error: Exception) -> None:
        self.error = error


_CANCELLED = object()
