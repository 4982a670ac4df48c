"""One long-lived thread for the work of a model, whoever asks for it."""

from __future__ import annotations

import contextvars
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from vrpsam_app.web.allocator import give_memory_back

T = TypeVar("T")
_Task = tuple[Callable[[], Any], Future[Any]]
# While there is work, and once more after it, memory that is free goes back to the system so often.
TIDY_SECONDS = 5.0
# How long the end of the process waits for the piece of work that is being done.
LAST_SECONDS = 5.0


class Worker:
    """Does what other threads give it, one piece after the other, in a thread of its own.

    Requests are answered by any of some forty threads. PyTorch keeps scratch memory for every
    thread that has ever computed, and the C library gives each thread a heap that it seldom gives
    back: with all of them a server needs hundreds of megabytes more than with one.

    Parameters
    ----------
    name : of the thread
    """

    def __init__(self, name: str = "vrpsam-model") -> None:
        self._name = name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        # The thread knows only the queue, so that it ends once nobody holds the worker any more,
        # or the process ends.
        weakref.finalize(self, _end, self._tasks, self._threads)

    def do(self, work: Callable[[], T]) -> T:
        """Have a piece of work done, wait for it, and return or raise what comes of it.

        It sees the context variables of the caller: gradio keeps there whose request it is.
        """
        with self._starting:
            if not self._threads:
                thread = threading.Thread(
                    target=_do_all, args=(self._tasks,), name=self._name, daemon=True
                )
                thread.start()
                self._threads.append(thread)
        done: Future[T] = Future()
        self._tasks.put((partial(contextvars.copy_context().run, work), done))
        try:
            return done.result()
        finally:
            del done  # an error would hold the pictures of its own frames until a collection


def _end(tasks: SimpleQueue[_Task | None], threads: list[threading.Thread]) -> None:
    """Let the thread finish what it is at: Python cannot end while it is inside PyTorch."""
    tasks.put(None)
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(LAST_SECONDS)


def _do_all(tasks: SimpleQueue[_Task | None]) -> None:
    due: float | None = None
    worked = 0.0
    while True:
        try:
            task = tasks.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
        except Empty:  # between two answers, or after the last one
            give_memory_back()
            # The answer before may have been on its way to a page still, with all that it held.
            last = worked + TIDY_SECONDS
            due = last if last > (due or 0.0) else None
            continue
        if task is None:
            return
        work, done = task
        try:
            done.set_result(work())
        except BaseException as error:  # raised again by whoever waits
            done.set_exception(error)
        del task, work, done  # nothing of an answer stays here until the next one
        worked = time.monotonic()
        due = due or worked + TIDY_SECONDS
