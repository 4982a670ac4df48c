"""How far, how long, and how to stop."""

from __future__ import annotations

import pytest

from vrpsam_app.errors import Cancelled
from vrpsam_app.progress import CancelToken, Progress, ProgressMeter, in_words


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def timed(total: int, seconds: list[float], **settings: int) -> list[Progress]:
    """Return what is told while items take these times."""
    clock, told = Clock(), []
    meter = ProgressMeter(total, told.append, clock=clock, **settings)
    for second in seconds:
        clock.now += second
        meter.finished()
    return told


def test_it_is_told_at_once_and_after_each_item():
    told = timed(3, [1, 1, 1])
    assert [(p.done, p.total, p.seconds) for p in told] == [
        (0, 3, 0),
        (1, 3, 1),
        (2, 3, 2),
        (3, 3, 3),
    ]
    assert [p.fraction for p in told] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_nothing_is_promised_before_an_item_was_measured():
    told = timed(10, [2])
    assert told[0].seconds_left is None
    assert told[1].seconds_left == pytest.approx(18)


def test_one_slow_item_changes_nothing():
    told = timed(20, [1, 1, 1, 1, 50, 1, 1])
    assert told[-1].seconds_left == pytest.approx(13)


def test_the_first_item_is_forgotten_once_there_are_others():
    told = timed(20, [30, 1, 1, 1])
    assert told[1].seconds_left == pytest.approx(30 * 19)
    assert told[-1].seconds_left == pytest.approx(16)


def test_it_follows_a_run_that_becomes_slower():
    told = timed(100, [1] * 20 + [3] * 20)
    assert told[-1].seconds_left == pytest.approx(180)


def test_items_that_end_in_bursts_are_not_taken_for_quick_ones():
    told = timed(40, [4, 0, 0, 0] * 6, side_by_side=4)
    assert told[-1].seconds_left == pytest.approx(16, rel=0.2)


def test_what_was_done_before_counts_as_done_but_was_not_measured():
    told = timed(10, [2, 2], done=6)
    assert (told[0].done, told[0].seconds_left) == (6, None)
    assert (told[-1].done, told[-1].seconds_left) == (8, pytest.approx(4))


def test_nothing_to_do_is_done():
    assert timed(0, [])[0].fraction == 1


def test_cancelling_counts_the_item_and_stops():
    token, told = CancelToken(), []
    meter = ProgressMeter(5, told.append, cancel=token)
    meter.finished()
    token.cancel()
    with pytest.raises(Cancelled, match="is kept"):
        meter.finished()
    assert told[-1].done == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (90, "2 min"), (3600, "1 h 0 min"), (5400, "1 h 30 min")],
)
def test_times_in_words(seconds: float, words: str):
    assert in_words(seconds) == words


def test_a_line_for_people():
    assert str(Progress(2, 8, 60, 180, "t 2")) == "2 of 8, 3 min left: t 2"
    assert str(Progress(0, 8, 0, None)) == "0 of 8"
