from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.presence import (
    PresenceFigures,
    covered_share,
    presence_figures,
    ungated_mask,
)
from vrpsam_app.segmenter import Prediction


def test_figures_by_hand():
    figures = presence_figures([0.0, 0.01, 0.011, 0.5], [0.0, 0.8, 0.6], [0.9, 0.8, 0.6])
    # A mask over exactly 1 % is none; of three present targets one was gated away.
    assert figures.false_alarms == 0.5
    assert figures.iou_lost == pytest.approx(0.3)


def test_a_gate_can_also_gain():
    assert presence_figures([], [1.0], [0.0]).iou_lost == -1


def test_what_was_not_measured_is_none():
    assert presence_figures([], [], []) == PresenceFigures(None, None)
    assert presence_figures([0.2], [], []) == PresenceFigures(1.0, None)


def test_both_figures_of_each_target_are_needed():
    with pytest.raises(ConfigError, match="1 gated and 2 ungated"):
        presence_figures([], [0.5], [0.5, 0.5])


@pytest.mark.parametrize("present", [True, False])
def test_the_ungated_mask_asks_only_the_probability(present: bool):
    probability = np.array([[0.2, 0.6, 0.9]], np.float32)
    prediction = Prediction(
        mask=(probability > 0.7) & present,
        probability=probability,
        score=0.5,
        presence=0.1,
        present=present,
        pseudo_mask=probability,
        label="it",
        made_by={},
        threshold=0.7,
    )
    np.testing.assert_array_equal(ungated_mask(prediction), [[False, False, True]])


def test_the_share_is_that_of_the_pixels_that_count():
    mask = np.array([[1, 1, 0, 0]], bool)
    assert covered_share(mask) == 0.5
    assert covered_share(mask, np.array([[0, 1, 1, 0]], bool)) == 0.5
    assert covered_share(mask, np.array([[1, 0, 0, 0]], bool)) == pytest.approx(1 / 3)
    assert covered_share(mask, np.ones((1, 4), bool)) == 0
