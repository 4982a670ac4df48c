"""A call in a thread of its own: what it tells, returns and raises, and how it is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from napari_plugin import threads
from napari_plugin.threads import in_thread
from vrpsam_app.progress import CancelToken


def test_everything_is_told_in_order_and_the_result_returned():
    def count(tell: Callable[[Any], None]) -> str:
        for i in range(50):
            tell(i)
        return "done"

    returned: list[Any] = []

    def listen() -> Any:
        returned.append((yield from in_thread(count, CancelToken())))

    assert list(listen()) == list(range(50))
    assert returned == ["done"]


def test_an_error_comes_after_what_was_told_before_it():
    def fail(tell: Callable[[Any], None]) -> None:
        tell(1)
        raise OSError("the disk is full")

    cancel = CancelToken()
    steps = in_thread(fail, cancel)
    assert next(steps) == 1
    with pytest.raises(OSError, match="the disk is full"):
        next(steps)
    assert not cancel.cancelled


def test_a_call_waits_for_a_slow_listener():
    told: list[int] = []

    def hurry(tell: Callable[[Any], None]) -> None:
        for i in range(30):
            tell(i)
            told.append(i)

    for i, value in enumerate(in_thread(hurry, CancelToken())):
        assert value == i
        time.sleep(0.005)
        assert len(told) <= i + 2 + threads._WAITING


def test_who_leaves_presses_cancel_and_waits_for_the_call():
    cancel, ended = CancelToken(), threading.Event()

    def go_on(tell: Callable[[Any], None]) -> None:
        i = 0
        while not cancel.cancelled:
            tell(i := i + 1)
        tell("what nobody hears")
        ended.set()

    steps = in_thread(go_on, cancel)
    assert next(steps) == 1
    steps.close()
    assert cancel.cancelled
    assert ended.is_set()
    assert "vrpsam-work" not in {thread.name for thread in threading.enumerate()}
