"""The strip of bars, without a viewer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from qtpy.QtCore import Qt

from napari_plugin.review_strip import DOUBTFUL, EDITED, SURE, Bar, ScoreStrip


@pytest.fixture
def strip(qtbot):
    made = ScoreStrip()
    qtbot.addWidget(made)
    made.resize(200, 84)
    return made


def bars(doubts, **about):
    return [Bar(f"z {i}", doubt, **about) for i, doubt in enumerate(doubts)]


def test_the_most_doubtful_fifth_has_the_colour_of_doubt(strip):
    strip.show_bars(bars([0.1, 0.2, 0.9, 0.3, 0.15, 0.25, 0.8, 0.1, 0.1, 0.1]), 0)
    doubtful = [i for i, bar in enumerate(strip.bars) if strip.colour_of(bar) == DOUBTFUL]
    assert doubtful == [2, 6]
    assert strip.colour_of(strip.bars[0]) == SURE
    assert strip.colour_of(Bar("", 0.9, edited=True)) == EDITED


def test_the_surest_bar_is_the_highest(strip):
    strip.show_bars(bars([0.1, 0.5, 0.9, None]), 0)
    heights = [strip.height_of(bar) for bar in strip.bars]
    assert heights[0] == 1
    assert heights[0] > heights[1] > heights[2] > 0.2
    assert heights[3] == 0
    strip.show_bars(bars([0.5, 0.51]), 0)
    assert strip.height_of(strip.bars[1]) > 0.9  # small differences stay small


def test_every_plane_can_be_clicked(strip, qtbot):
    strip.show_bars(bars([0.1] * 20), 0)
    chosen = []
    strip.chosen.connect(chosen.append)
    for plane in (3, 19, 1):
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.position_of(plane))
    assert chosen == [3, 19, 1]


def test_more_planes_than_pixels_share_bars_that_lead_to_the_worst(strip):
    doubts = [0.1] * 1000
    doubts[503] = 0.9
    strip.show_bars(bars(doubts), 0)
    assert strip.bar_at(strip.position_of(503).x()) == 503
    assert strip.bar_at(strip.position_of(508).x()) == 503
    assert strip.bar_at(199.5) > 980


def test_times_stand_apart(strip):
    planes = [Bar("", 0.1, group=t) for t in range(2) for _ in range(4)]
    strip.show_bars(planes, 0)
    places = [strip.position_of(i).x() for i in range(8)]
    steps = [b - a for a, b in pairwise(places)]
    assert steps[3] > max(steps[:3] + steps[4:])
    assert strip.bar_at(places[7]) == 7


def test_arrow_keys_step(strip, qtbot):
    strip.show_bars(bars([0.1, 0.2, 0.3]), 1)
    chosen = []
    strip.chosen.connect(chosen.append)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    strip.show_current(2)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert chosen == [2, 0]


@pytest.mark.parametrize("count", [0, 1, 7, 5000])
def test_it_is_drawn_whatever_there_is(strip, count):
    edited = [Bar("", i / 5000, present=i % 2 == 0, edited=i % 3 == 0) for i in range(count)]
    strip.show_bars(edited, count // 2)
    picture = strip.grab().toImage()
    colours = {picture.pixelColor(x, y).rgb() for x in range(200) for y in range(0, 84, 3)}
    assert (len(colours) > 3) == (count > 0)
