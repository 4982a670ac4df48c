"""Marks on the target, for one class or several."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.corrected import predict_corrected
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import Cancelled, ConfigError
from vrpsam_app.progress import CancelToken
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference, references_for
from vrpsam_app.segmenter import Prediction


class Echo(ReferenceSegmenter):
    """Finds the pixels that are marked on the target, and half a chance everywhere else."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def describe(self) -> dict[str, object]:
        return {}

    def _predict_one(self, target, references, label, corrections, intensity_range, threshold):
        self.asked.append((label, sum(r.is_not_this for r in references)))
        probability = np.full(target.shape, 0.4, np.float32)
        if corrections is not None:
            (marks,) = corrections.as_references(target, label)
            probability[marks.positive] = 0.9
        return Prediction(
            probability > threshold, probability, 0.5, 1.0, True, probability, label, {}
        )


@pytest.fixture
def references() -> list[Reference]:
    image = np.zeros((20, 30), np.uint8)
    return [
        Reference.from_annotations(image, [Box(1, 1, 5, 5)], label="a"),
        Reference.from_annotations(image, [Box(8, 8, 12, 12)], label="b"),
    ]


def test_marks_go_to_their_class_and_classes_compete(references):
    segmenter, target = Echo(), np.zeros((20, 30), np.uint8)
    marks = {"b": Corrections((Point(10, 10, radius=2),))}
    found = predict_corrected(segmenter, target, references, marks, threshold=0.3)
    assert segmenter.asked == [("a", 1), ("b", 1)]
    assert found.names == ("a", "b")
    assert found.labels[10, 10] == 2
    assert found.labels[0, 0] == 1
    assert not (found.predictions["a"].mask & found.predictions["b"].mask).any()


def test_one_class_is_what_predict_answers(references):
    segmenter, target = Echo(), np.zeros((20, 30), np.uint8)
    marks = Corrections((Point(10, 10, radius=2),))
    found = predict_corrected(segmenter, target, references[:1], {"a": marks})
    alone = segmenter.predict(target, references[0], corrections=marks)
    np.testing.assert_array_equal(found.predictions["a"].mask, alone.mask)


def test_marks_of_an_unknown_class_are_a_sentence(references):
    with pytest.raises(ConfigError, match=r"'c'.*a, b"):
        predict_corrected(
            Echo(), np.zeros((20, 30), np.uint8), references, {"c": Corrections((Point(1, 1),))}
        )


def test_it_can_be_stopped(references):
    token = CancelToken()
    token.cancel()
    segmenter = Echo()
    with pytest.raises(Cancelled):
        predict_corrected(segmenter, np.zeros((20, 30), np.uint8), references, {}, cancel=token)
    assert segmenter.asked == []


def test_references_of_a_class_with_the_others_against_it(references):
    against = references[1].as_not_this()
    (own, other) = references_for([*references, against], "a")
    assert own is references[0]
    assert other.is_not_this
    assert other.label == "a"
    np.testing.assert_array_equal(other.negative, references[1].positive)
