from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.segmenter import ClassPredictions, Prediction


def prediction(present=True):
    probability = np.array([[0.2, 0.5], [0.7, 1.0]], np.float32)
    return Prediction(
        mask=(probability > 0.5) & present,
        probability=probability,
        score=0.8,
        presence=0.9,
        present=present,
        pseudo_mask=np.zeros((1, 1), np.float32),
        label="cell",
        made_by={"model": "test"},
    )


@pytest.mark.parametrize(("threshold", "pixels"), [(0, 4), (0.3, 3), (0.5, 2), (0.9, 1), (1, 0)])
def test_a_threshold_cuts_the_probability(threshold, pixels):
    cut = prediction().at_threshold(threshold)
    assert cut.mask.sum() == pixels
    assert cut.mask.dtype == np.bool_
    assert cut.threshold == threshold


def test_printed_it_is_one_line():
    said = "Prediction(label='cell', present=True, score=0.80, 2 x 2)"
    assert repr(prediction()) == said
    both = ClassPredictions.compete({"cell": prediction()})
    assert repr(both) == f"ClassPredictions({said})"


def test_everything_else_stays():
    before = prediction()
    after = before.at_threshold(0.9)
    assert after.probability is before.probability
    assert (after.score, after.presence, after.label) == (0.8, 0.9, "cell")
    assert before.mask.sum() == 2
    assert before.threshold == 0.5


def test_an_absent_object_stays_absent():
    assert not prediction(present=False).at_threshold(0.1).mask.any()


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_must_be_a_probability(threshold):
    with pytest.raises(ConfigError, match="Threshold"):
        prediction().at_threshold(threshold)


def told_apart() -> Prediction:
    return replace(prediction(), instance_labels=np.array([[0, 0], [1, 2]], np.int32))


def test_objects_end_where_the_mask_does():
    cut = told_apart().at_threshold(0.9)
    assert cut.instance_labels.tolist() == [[0, 0], [0, 2]]
    assert cut.instance_labels.dtype == np.int32
    wider = told_apart().at_threshold(0.1)
    assert wider.mask.all()
    assert wider.instance_labels.tolist() == [[0, 0], [1, 2]]


def test_a_rival_takes_pixels_from_objects_too():
    rival = prediction()
    rival.probability[1, 1] = 0.9
    rival.probability[1, 0] = 0.8
    both = ClassPredictions.compete({"a": told_apart(), "b": rival})
    assert both.predictions["a"].instance_labels.tolist() == [[0, 0], [0, 2]]
    assert both.predictions["b"].instance_labels is None


def competing(**settings) -> ClassPredictions:
    rival = prediction()
    rival.probability[:] = [[0.3, 0.4], [0.8, 0.9]]
    rival = replace(rival, **settings).at_threshold(0.5)
    return ClassPredictions.compete({"a": prediction(), "b": rival})


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [
        (0.1, [[2, 1], [2, 1]]),
        (0.3, [[0, 1], [2, 1]]),
        (0.5, [[0, 0], [2, 1]]),
        (0.9, [[0, 0], [0, 1]]),
    ],
)
def test_at_every_threshold_a_pixel_has_one_class(threshold, labels):
    cut = competing().at_threshold(threshold)
    assert cut.labels.tolist() == labels
    for number, found in enumerate(cut.predictions.values(), start=1):
        assert found.threshold == threshold
        np.testing.assert_array_equal(found.mask, cut.labels == number)
    alone = [p.at_threshold(threshold).mask for p in competing().predictions.values()]
    assert (alone[0] + 2 * alone[1]).tolist() == labels


def test_nothing_is_won_by_a_class_that_is_absent_or_was_found_elsewhere():
    assert competing(present=False).at_threshold(0.1).labels.tolist() == [[1, 1], [1, 1]]
    below = np.array([[False, False], [True, True]])
    assert competing(found_in=below).at_threshold(0.1).labels.tolist() == [[1, 1], [2, 1]]


def test_what_was_won_at_thresholds_of_their_own_is_kept():
    rival = prediction()
    rival.probability[:] = 0.4
    both = ClassPredictions.compete({"a": prediction(), "b": rival.at_threshold(0.3)})
    assert both.labels.tolist() == [[2, 2], [1, 1]]
    assert both.at_threshold(0.3).labels.tolist() == [[2, 2], [1, 1]]
