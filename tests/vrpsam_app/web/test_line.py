from __future__ import annotations

import threading

import pytest

from vrpsam_app.errors import BusyError, Cancelled
from vrpsam_app.progress import CancelToken
from vrpsam_app.web.line import Line


def test_everybody_is_served_in_order_and_alone():
    line, served, inside = Line(), [], []
    started = threading.Barrier(2)

    def visitor(name: int) -> None:
        with line.join() as place:
            started.wait()
            place.wait()
            inside.append(name)
            assert len(inside) == 1
            served.append(name)
            inside.remove(name)

    with line.join() as first:
        first.wait()
        threads = []
        for name in range(5):
            threads.append(threading.Thread(target=visitor, args=(name,)))
            threads[-1].start()
            started.wait()  # so that they come one after the other
    for thread in threads:
        thread.join(10)
    assert served == [0, 1, 2, 3, 4]
    assert len(line) == 0


def test_the_place_is_told_while_waiting():
    line = Line()
    with line.join() as first:
        first.wait()
        with line.join() as second:
            places = second.waiting()
            assert [next(places), next(places)] == [1, 1]


def test_whoever_stops_leaves_the_line():
    line, token = Line(), CancelToken()
    with line.join(), line.join() as second:
        places = second.waiting(token)
        assert next(places) == 1
        token.cancel()
        with pytest.raises(Cancelled):
            next(places)
    assert len(line) == 0


def test_a_stopped_search_does_not_begin():
    line, token = Line(), CancelToken()
    token.cancel()
    with pytest.raises(Cancelled), line.join() as place:
        place.wait(token)
    assert len(line) == 0


def test_a_line_that_is_too_long_is_a_sentence():
    line = Line(most=1)
    with line.join(), line.join(), pytest.raises(BusyError, match="Try again"), line.join():
        pytest.fail("a third one was let in")
    with line.join():
        assert len(line) == 1


def test_the_length_is_a_setting_of_the_server():
    line = Line()
    places = [line.join().__enter__() for _ in range(65)]
    with pytest.raises(BusyError, match="64 people"):
        line.join().__enter__()
    for place in places:
        place.__exit__(None, None, None)
    assert len(line) == 0
