"""Threads ahead and behind: order, errors, and an end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import pytest

from vrpsam_app.prefetch import Behind, ahead


def threads() -> int:
    return sum(thread.name.startswith("vrpsam-") for thread in threading.enumerate())


def test_items_keep_their_order_and_are_made_elsewhere():
    made_in = []

    def items() -> Iterator[int]:
        for i in range(20):
            made_in.append(threading.current_thread().name)
            yield i

    assert list(ahead(items(), 2)) == list(range(20))
    assert set(made_in) == {"vrpsam-ahead"}


def test_no_more_than_asked_for_lie_ready():
    made = threading.Semaphore(0)
    count = 0

    def items() -> Iterator[int]:
        nonlocal count
        for i in range(100):
            count += 1
            made.release()
            yield i

    with closing(ahead(items(), 2)) as ready:
        assert next(ready) == 0
        for _ in range(4):  # the one that was taken, two that lie ready, one in the hand
            made.acquire(timeout=5)
        assert count == 4


def test_an_error_comes_after_what_was_made_before_it():
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    seen: list[int] = []
    with pytest.raises(OSError, match="gone"):
        seen.extend(ahead(items(), 3))
    assert seen == [1]


def test_giving_up_ends_the_thread_and_closes_the_source():
    closed = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    before = threads()
    with closing(ahead(items(), 1)) as ready:
        next(ready)
    assert (threads(), closed) == (before, [True])


def give(values: Iterable[int], call: Callable[[int], None], depth: int = 1) -> None:
    """Give values to calls that are made behind, and fail if there is none."""
    with Behind(call, depth) as writer:
        for value in values:
            writer.give(value)


def full(value: int) -> None:
    if value == 3:
        raise OSError("full")


def test_calls_are_made_in_order_and_waited_for():
    done: list[int] = []
    give(range(30), done.append, 2)
    assert done == list(range(30))


def test_a_failed_call_stops_those_who_give():
    given = iter(range(10_000))
    with pytest.raises(OSError, match="full"):
        give(given, full)
    assert next(given) < 9_999


def test_a_failure_of_the_last_call_is_noticed():
    with pytest.raises(OSError, match="full"):
        give([1, 2, 3], full, 5)


def test_what_was_given_is_done_even_if_the_giver_fails():
    def values() -> Iterator[int]:
        yield from range(4)
        raise KeyError

    done: list[int] = []
    with pytest.raises(KeyError):
        give(values(), done.append, 5)
    assert done == [0, 1, 2, 3]
