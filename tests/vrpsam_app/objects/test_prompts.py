from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import AnnotationError, Cancelled, ImageError
from vrpsam_app.objects.prompts import prompt_objects
from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

HW = (40, 60)
TARGET = np.zeros((*HW, 3), np.uint8)
REFERENCE = Reference.from_annotations(TARGET, [Point(5, 5)])


def boxes(*corners: tuple[int, int, int, int]) -> np.ndarray:
    labels = np.zeros(HW, np.int32)
    for number, (top, left, bottom, right) in enumerate(corners, start=1):
        labels[top:bottom, left:right] = number
    return labels


class Oracle:
    """Answers with the true object below the point, as sure as it was told."""

    def __init__(self, truth: np.ndarray, scores: dict[int, float]) -> None:
        self.truth, self.scores = truth, scores
        self.asked: list[Corrections] = []
        self.settings: list[dict] = []

    def predict_from_prompts(self, target, references, prompts, **settings) -> Prediction:
        self.asked.append(prompts)
        self.settings.append(settings)
        (point,) = [a for a in prompts.annotations if isinstance(a, Point)]
        number = int(self.truth[int(point.row), int(point.col)])
        mask = (self.truth == number) & (number > 0)
        score = self.scores.get(number, 0.0)
        probability = np.where(mask, 0.8, 0.1).astype(np.float32)
        return Prediction(mask, probability, score, 1.0, True, probability, "a", {}, 0.5)


def asked(truth: np.ndarray, cut: np.ndarray, scores: dict[int, float], **settings):
    oracle = Oracle(truth, scores)
    found = prompt_objects(
        oracle, TARGET, [REFERENCE], cut, probability=np.where(cut > 0, 0.6, 0.0), **settings
    )
    return oracle, found


def test_each_object_is_asked_by_its_middle_and_a_box_around_it():
    cut = boxes((10, 10, 20, 30), (0, 50, 10, 60))
    oracle, _ = asked(cut, cut, {1: 0.9, 2: 0.9}, threshold=0.4)
    assert len(oracle.asked) == 2
    first, second = (c.annotations for c in oracle.asked)
    point = next(a for a in first if isinstance(a, Point))
    assert 14 <= point.row <= 16
    assert 14 <= point.col <= 26
    assert Box(8, 8, 22, 32) in first
    assert Box(0, 49, 11, 60) in second  # cut off at the border of the target
    assert oracle.settings[0] == {"intensity_range": None, "threshold": 0.4}


def test_answers_take_the_place_of_what_was_cut():
    truth = boxes((10, 10, 20, 30))
    cut = boxes((11, 11, 19, 28))
    _, found = asked(truth, cut, {1: 0.9})
    assert np.array_equal(found.instance_labels, truth)
    assert found.scores.tolist() == [0.9]


def test_two_halves_of_one_object_become_one():
    truth = boxes((10, 10, 20, 30))
    cut = boxes((10, 10, 20, 20), (10, 20, 20, 30))
    # The box of a half reaches a little into the other one only.
    _, found = asked(truth, cut, {1: 0.9})
    assert found.instance_labels.max() == 2
    # One that is cut off-centre brings most of it.
    _, found = asked(truth, boxes((10, 10, 20, 28), (10, 28, 20, 30)), {1: 0.9})
    assert found.instance_labels.max() == 1
    assert np.array_equal(found.instance_labels > 0, truth > 0)


def test_overlaps_go_to_the_surer_answer():
    class Generous(Oracle):
        def predict_from_prompts(self, *args, **settings) -> Prediction:
            found = super().predict_from_prompts(*args, **settings)
            wide = np.zeros(HW, bool)
            rows, cols = np.nonzero(found.mask)
            wide[rows.min() : rows.max() + 1, cols.min() : cols.max() + 3] = True
            probability = np.where(wide, 0.8, 0.1).astype(np.float32)
            return Prediction(wide, probability, found.score, 1, True, probability, "a", {}, 0.5)

    cut = boxes((10, 10, 20, 30), (10, 30, 20, 50))
    for scores, border in (({1: 0.9, 2: 0.5}, 32), ({1: 0.5, 2: 0.9}, 30)):
        oracle = Generous(cut, scores)
        found = prompt_objects(oracle, TARGET, [REFERENCE], cut, probability=cut > 0)
        left, right = found.instance_labels[15, 11], found.instance_labels[15, 45]
        assert found.scores.tolist() == [0.9, 0.5]
        row = found.instance_labels[15]
        assert (row == left).sum() == border - 10
        assert (row == right).sum() == 52 - border


@pytest.mark.parametrize("truth", [boxes((0, 0, 3, 3)), boxes((13, 13, 16, 16)) * 1])
def test_an_answer_to_something_else_is_not_used(truth):
    cut = boxes((10, 10, 20, 30))
    _, found = asked(truth, cut, {1: 0.9})
    assert np.array_equal(found.instance_labels, cut)
    assert found.scores.tolist() == pytest.approx([0.6])


def test_only_the_part_under_the_object_counts():
    truth = boxes((10, 10, 20, 30))
    truth[10:20, 31:33] = 1  # belongs to the answer, and is none of this object
    cut = boxes((10, 10, 20, 30))
    _, found = asked(truth, cut, {1: 0.9})
    assert np.array_equal(found.instance_labels, cut)


def test_nothing_gives_nothing():
    _, found = asked(boxes(), boxes(), {})
    assert found.instance_labels.max() == 0
    assert found.scores.shape == (0,)


def test_sizes_must_agree():
    oracle = Oracle(boxes(), {})
    with pytest.raises(ImageError, match="4 x 5 pixels, the target 40 x 60"):
        prompt_objects(
            oracle, TARGET, [REFERENCE], np.zeros((4, 5), int), probability=np.zeros((4, 5))
        )
    with pytest.raises(AnnotationError, match="4 x 5"):
        prompt_objects(oracle, TARGET, [REFERENCE], boxes(), probability=np.zeros((4, 5)))


def test_it_can_be_stopped_between_two_objects():
    cut = boxes((10, 10, 20, 30), (0, 50, 10, 60))
    token = CancelToken()
    token.cancel()
    oracle = Oracle(cut, {})
    with pytest.raises(Cancelled):
        prompt_objects(oracle, TARGET, [REFERENCE], cut, probability=cut > 0, cancel=token)
    assert len(oracle.asked) == 1
