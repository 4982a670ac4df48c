"""One thread for all: in order, with the caller's context, and nothing of an answer stays there."""

from __future__ import annotations

import contextvars
import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty
from types import SimpleNamespace

import numpy as np
import pytest

from vrpsam_app.web import worker as worker_module
from vrpsam_app.web.worker import Worker


def test_everybody_is_served_by_the_same_thread():
    worker, seen = Worker("the one"), set()

    def ask() -> None:
        seen.add(worker.do(lambda: (threading.get_ident(), threading.current_thread().name)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 1
    ((ident, name),) = seen
    assert ident not in {thread.ident for thread in threads}
    assert name == "the one"


def test_an_error_is_the_callers_and_the_next_is_served():
    worker = Worker()
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: 1 / 0)
    assert worker.do(lambda: 5) == 5


def test_the_callers_context_is_seen():
    request = contextvars.ContextVar[str]("request", default="nobody's")
    worker = Worker()
    assert worker.do(request.get) == "nobody's"
    request.set("mine")
    assert worker.do(request.get) == "mine"


def test_nothing_of_an_answer_stays_in_the_thread():
    worker = Worker()
    answer = worker.do(lambda: np.zeros(10))
    kept = weakref.ref(answer)
    del answer
    worker.do(lambda: None)  # the thread has let go of the first before it does this
    assert kept() is None


def test_pictures_of_a_failed_answer_go_at_once():
    worker, kept = Worker(), []

    def fail() -> None:
        picture = np.zeros(10)
        kept.append(weakref.ref(picture))
        raise MemoryError

    gc.disable()
    try:
        with pytest.raises(MemoryError) as caught:
            worker.do(fail)
        del caught
        worker.do(lambda: None)
        assert kept[0]() is None
    finally:
        gc.enable()


def test_free_memory_is_given_back_after_work_and_not_without(monkeypatch):
    given = threading.Event()
    monkeypatch.setattr(worker_module, "TIDY_SECONDS", 0.05)
    monkeypatch.setattr(worker_module, "give_memory_back", given.set)
    worker = Worker()
    worker.do(lambda: None)
    assert given.wait(10)
    given.clear()
    assert not given.wait(0.3)
    worker.do(lambda: None)
    assert given.wait(10)


def test_free_memory_is_given_back_while_there_is_work_and_once_more_after_it(monkeypatch):
    clock, given = [0.0], []

    class Tasks:
        """Work at given seconds; nobody has any in between."""

        def __init__(self, *at: float) -> None:
            self.at = [*at]

        def get(self, timeout: float | None) -> tuple[Callable[[], None], Future[None]] | None:
            waited = float("inf") if timeout is None else clock[0] + timeout
            if not self.at and timeout is None:
                return None
            if not self.at or self.at[0] > waited:
                clock[0] = waited
                raise Empty
            clock[0] = max(clock[0], self.at.pop(0))
            return (lambda: None), Future()

    monkeypatch.setattr(worker_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(worker_module, "give_memory_back", lambda: given.append(clock[0]))
    worker_module._do_all(Tasks(1.0))
    assert given == [6.0]
    given.clear()
    worker_module._do_all(Tasks(11.0, 12.0, 15.5, 17.0, 40.0))
    assert given == [16.0, 20.5, 22.0, 45.0]


def test_the_thread_ends_with_its_worker():
    worker = Worker("short-lived")
    thread = worker.do(threading.current_thread)
    assert thread.daemon
    del worker
    thread.join(10)
    assert not thread.is_alive()


WORK_AT_THE_END = """
import threading, time
from vrpsam_app.web.worker import Worker

worker, begun = Worker(), threading.Event()

def work():
    begun.set()
    time.sleep(0.5)
    print("finished", flush=True)

threading.Thread(target=worker.do, args=(work,), daemon=True).start()
begun.wait()
"""


def test_the_end_of_the_process_waits_for_what_is_being_done():
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", WORK_AT_THE_END],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")
