"""Marks on the target: what they touch changes, the rest stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Mask, Point, Scribble
from vrpsam_app.corrected import predict_corrected
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import Cancelled, ConfigError
from vrpsam_app.progress import CancelToken
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference, references_for
from vrpsam_app.segmenter import Prediction
from vrpsam_app.tiles.plan import TileOptions

HW = (60, 90)


class Bright(ReferenceSegmenter):
    """Finds what is brighter than 100; after hearing marks, what is as bright as these."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[int, ...], int]] = []

    def describe(self) -> dict[str, object]:
        return {}

    def _predict_one(self, target, references, label, corrections, intensity_range, threshold):
        marks = 0 if corrections is None else len(corrections.annotations)
        self.asked.append((label, target.shape, marks))
        probability = np.where(target > 100, 0.9, 0.1).astype(np.float32)
        if corrections is not None:
            (own,) = corrections.as_references(target, label)
            if own.positive.any():
                shown = np.unique(target[own.positive])
                like = np.isin(target, shown[shown > 0])
                probability = np.where(like, 0.8, 0.1).astype(np.float32)
        mask = probability > threshold
        return Prediction(mask, probability, 0.5, 1.0, bool(mask.any()), probability, label, {})


@pytest.fixture
def target() -> np.ndarray:
    """Two bright discs that touch, one beside them, two dim ones, and ground."""
    rows, cols = np.indices(HW)
    image = np.zeros(HW, np.uint8)
    for row, col, grey in ((20, 20, 200), (20, 36, 200), (20, 70, 200), (45, 20, 60), (45, 60, 60)):
        image[np.hypot(rows - row, cols - col) <= 8.5] = grey
    return image


@pytest.fixture
def references() -> list[Reference]:
    image = np.zeros((20, 30), np.uint8)
    return [
        Reference.from_annotations(image, [Box(1, 1, 5, 5)], label="a"),
        Reference.from_annotations(image, [Box(8, 8, 12, 12)], label="b"),
    ]


def corrected(target, references, *marks, segmenter=None, **settings) -> Prediction:
    found = predict_corrected(
        segmenter or Bright(), target, references[:1], {"a": Corrections(marks)}, **settings
    )
    return found.predictions["a"]


def test_not_this_takes_the_clicked_object_and_nothing_else(target, references):
    segmenter = Bright()
    found = corrected(target, references, Point(20, 20, positive=False), segmenter=segmenter)
    before = target > 100
    assert not found.mask[:, :27].any()
    np.testing.assert_array_equal(found.mask[:, 30:], before[:, 30:])
    assert segmenter.asked == [("a", HW, 0)]
    np.testing.assert_array_equal(found.at_threshold(0.05).mask[10:30, 10:27], False)


@pytest.mark.parametrize(
    "mark",
    [
        Scribble(((20, 66), (20, 74)), positive=False),
        Box(8, 58, 32, 82, positive=False),
        Point(20, 74, positive=False),
    ],
)
def test_strokes_and_boxes_take_away_as_well(target, references, mark):
    found = corrected(target, references, mark)
    assert not found.mask[:, 50:].any()
    np.testing.assert_array_equal(found.mask[:, :50], (target > 100)[:, :50])


def test_a_painted_area_is_taken_as_it_is(target, references):
    painted = np.zeros(HW, np.bool_)
    painted[18:22, 66:90] = True
    found = corrected(target, references, Mask(painted, positive=False))
    np.testing.assert_array_equal(found.mask, (target > 100) & ~painted)
    found = corrected(target, references, Mask(painted))
    np.testing.assert_array_equal(found.mask, (target > 100) | painted)


def test_this_too_adds_what_is_like_it_and_loses_nothing(target, references):
    found = corrected(target, references, Point(45, 20))
    np.testing.assert_array_equal(found.mask, target > 0)


def test_of_an_object_that_stands_alone_the_model_says_what_remains(target, references):
    target[:, :50] = 0
    target[20:29, 62:79][target[20:29, 62:79] == 200] = 160  # the lower half is darker

    class Unlike(Bright):
        """Leaves out what is as bright as what was refused."""

        def _predict_one(self, target, references, label, corrections, *rest):
            found = super()._predict_one(target, references, label, None, *rest)
            if corrections is None:
                return found
            (own,) = corrections.as_references(target, label)
            refused = np.isin(target, np.unique(target[own.negative]))
            return replace(found, probability=np.where(refused, 0, found.probability))

    found = corrected(target, references, Point(25, 70, positive=False), segmenter=Unlike())
    assert not found.mask[20:].any()
    np.testing.assert_array_equal(found.mask[:20], (target > 100)[:20])


def test_an_answer_that_runs_away_adds_the_clicked_object_only(target, references):
    target[:, 29:50] = 0
    target[:10], target[31:36], target[55:] = 60, 60, 60
    found = corrected(target, references, Point(45, 20))
    clicked = np.zeros(HW, np.bool_)
    clicked[36:55, :40] = target[36:55, :40] == 60
    np.testing.assert_array_equal(found.mask, (target > 100) | clicked)


def test_what_the_model_does_not_find_is_marked_all_the_same(target, references):
    class Deaf(Bright):
        def _predict_one(self, target, references, label, corrections, *rest):
            return super()._predict_one(target, references, label, None, *rest)

    found = corrected(target, references, Point(45, 75, radius=3), segmenter=Deaf())
    assert found.mask[45, 75]
    np.testing.assert_array_equal(found.mask[:30], (target > 100)[:30])


def test_where_nothing_was_found_a_mark_begins_the_answer(target, references):
    target[target == 200] = 60
    found = corrected(target, references, Point(45, 20))
    assert found.present
    np.testing.assert_array_equal(found.mask, target > 0)


def test_where_all_was_refused_nothing_is_there(target, references):
    everything = Box(0, 0, *HW, positive=False)
    found = corrected(target, references, everything)
    assert not found.present
    assert not found.at_threshold(0).mask.any()


def test_an_object_with_marks_of_both_kinds_is_as_the_model_answers(target, references):
    target[20:29, 62:79][target[20:29, 62:79] == 200] = 160  # the lower half is darker
    found = corrected(target, references, Point(15, 70), Point(25, 70, positive=False))
    assert found.mask[15, 70]
    assert not found.mask[21:, 60:].any()
    assert found.mask[20, 20]


def test_in_tiles_the_model_sees_the_neighbourhood_of_each_mark(target, references):
    segmenter = Bright()
    shown = TileOptions("tiles", tile=30, overlap=10)
    found = corrected(target, references, Point(45, 20), segmenter=segmenter, tiling=shown)
    asked = [size for _, size, marks in segmenter.asked if marks]
    assert asked == [(30, 30)]
    assert found.mask[45, 20]
    assert not found.mask[45, 60], "too far away to be seen"
    np.testing.assert_array_equal(found.mask[:30], (target > 100)[:30])


def test_objects_told_apart_stay_told_apart(target, references):
    class Numbered(Bright):
        def _predict_one(self, *arguments):
            found = super()._predict_one(*arguments)
            numbers = np.zeros(HW, np.int32)
            numbers[:, :28], numbers[:, 28:50], numbers[:, 50:] = 1, 2, 3
            object.__setattr__(found, "instance_labels", np.where(found.mask, numbers, 0))
            return found

    marks = (Point(20, 36, positive=False), Point(45, 20))
    found = corrected(target, references, *marks, segmenter=Numbered())
    assert found.instance_labels is not None
    assert found.instance_labels[20, 20] == 1
    assert found.instance_labels[20, 36] == 0
    assert found.instance_labels[45, 20] > 3
    np.testing.assert_array_equal(found.instance_labels > 0, found.mask)


def test_a_long_stroke_is_heard_along_its_whole_length(references):
    target = np.zeros((60, 300), np.uint8)
    for col in range(10, 300, 30):
        target[24:36, col : col + 12] = 60
    segmenter = Bright()
    stroke = Scribble(((30, 4), (30, 296)))
    shown = TileOptions("tiles", tile=60, overlap=20)
    found = corrected(target, references, stroke, segmenter=segmenter, tiling=shown)
    np.testing.assert_array_equal(found.mask[24:36], target[24:36] > 0)
    assert sum(marks > 0 for *_, marks in segmenter.asked) > 5


def test_no_object_is_cut_by_the_side_of_a_window(references):
    target = np.zeros((60, 300), np.uint8)
    target[20:32, 20:32] = target[20:32, 44:70] = target[20:32, 270:290] = 60
    shown = TileOptions("tiles", tile=60, overlap=20)
    found = corrected(target, references, Point(26, 26), tiling=shown)
    expected = np.zeros(target.shape, np.bool_)
    expected[20:32, 20:32] = True
    np.testing.assert_array_equal(found.mask, expected)


def test_of_a_plane_in_tiles_only_the_neighbourhood_is_asked_again(target, references):
    segmenter = Bright()
    shown = TileOptions("tiles", tile=30, overlap=10)
    corrected(target, references, Point(45, 20), segmenter=segmenter, tiling=shown)
    before = len(segmenter.asked)
    corrected(target, references, Point(45, 60), segmenter=segmenter, tiling=shown)
    assert len(segmenter.asked) == before + 1
    target[0, 0] = 1  # another picture
    corrected(target, references, Point(45, 60), segmenter=segmenter, tiling=shown)
    assert len(segmenter.asked) > before + 5


@pytest.mark.parametrize(
    "refusal",
    [Scribble(((45, 8), (45, 32)), width=20, positive=False), Box(30, 5, 60, 35, positive=False)],
)
def test_a_mark_can_be_taken_back_by_another(target, references, refusal):
    found = corrected(target, references, Point(45, 20), Point(45, 60), refusal)
    assert not found.mask[40:50, 12:28].any()
    assert found.mask[45, 60]
    alone = corrected(target, references, Point(45, 20), refusal)
    np.testing.assert_array_equal(alone.mask, target > 100)


def test_several_boxes_are_heard(target, references):
    boxes = Box(36, 11, 54, 29), Box(36, 51, 54, 69)
    found = corrected(target, references, *boxes)
    assert found.mask[45, 20]
    assert found.mask[45, 60]


def test_marks_that_reach_over_the_border_count_inside(target, references):
    target[:9] = 60
    marks = Point(-2, 80, radius=6), Scribble(((-3, 10), (-3, 80)), width=20)
    for mark in marks:
        assert corrected(target, references, mark).mask[0, 70]


def test_a_threshold_beforehand_is_one_afterwards(target, references):
    class Soft(Bright):
        def _predict_one(self, target, *rest):
            found = super()._predict_one(target, *rest)
            rows, cols = np.indices(target.shape)
            wave = (np.sin(rows / 7) * np.cos(cols / 5) / 3).astype(np.float32)
            return replace(found, probability=np.clip(found.probability + wave, 0, 1))

    marks = Point(45, 20), Point(20, 70, positive=False)
    middle = corrected(target, references, *marks, segmenter=Soft())
    for threshold in (0.05, 0.3, 0.8):
        found = corrected(target, references, *marks, segmenter=Soft(), threshold=threshold)
        np.testing.assert_array_equal(found.mask, middle.at_threshold(threshold).mask)


def test_logits_alone_are_a_sentence(target, references):
    alone = Corrections((), np.zeros(HW, np.float32))
    with pytest.raises(ConfigError, match="no marks"):
        predict_corrected(Bright(), target, references[:1], {"a": alone})


def test_a_large_wrong_region_goes_whole(references):
    target = np.full(HW, 200, np.uint8)
    target[::20, 40:], target[:, 40:44] = 0, 0  # one region beside three small ones
    target[:, 60:62] = 0
    found = corrected(target, references, Point(30, 20, positive=False))
    assert not found.mask[:, :40].any()
    np.testing.assert_array_equal(found.mask[:, 46:], (target > 100)[:, 46:])


def test_two_classes_share_what_they_both_claim(references):
    target = np.zeros(HW, np.uint8)
    target[20:32, 10:70] = 200  # two bars, end to end
    marks = {"a": Corrections((Point(26, 20),)), "b": Corrections((Point(26, 60),))}
    found = predict_corrected(Bright(), target, references, marks)
    np.testing.assert_array_equal(found.labels > 0, target > 0)
    assert (found.labels[26, 12], found.labels[26, 68]) == (1, 2)
    same = {label: Corrections((Point(26, 20),)) for label in "ab"}
    found = predict_corrected(Bright(), target, references, same)
    np.testing.assert_array_equal(found.labels == 1, target > 0)


def test_marks_go_to_their_class_and_what_one_got_the_other_has_not(target, references):
    segmenter = Bright()
    marks = {"b": Corrections((Point(20, 70),))}
    found = predict_corrected(segmenter, target, references, marks)
    assert segmenter.asked == [("a", HW, 0), ("b", HW, 0), ("b", HW, 1)]
    assert found.names == ("a", "b")
    assert found.labels[20, 70] == 2, "the first of equals would have it else"
    assert found.labels[20, 20] == 1
    assert not (found.predictions["a"].mask & found.predictions["b"].mask).any()


def test_a_method_that_only_answers_marks_is_asked_by_them(target, references):
    class Answering(Bright):
        answers_marks = True

    segmenter = Answering()
    found = corrected(target, references, Point(45, 20), segmenter=segmenter)
    np.testing.assert_array_equal(found.mask, target == 60)
    assert segmenter.asked == [("a", HW, 1)]


def test_marks_of_an_unknown_class_are_a_sentence(target, references):
    with pytest.raises(ConfigError, match=r"'c'.*a, b"):
        predict_corrected(Bright(), target, references, {"c": Corrections((Point(1, 1),))})


def test_it_can_be_stopped(target, references):
    token = CancelToken()
    token.cancel()
    segmenter = Bright()
    with pytest.raises(Cancelled):
        predict_corrected(segmenter, target, references, {}, cancel=token)
    assert segmenter.asked == []


def test_references_of_a_class_with_the_others_against_it(references):
    against = references[1].as_not_this()
    (own, other) = references_for([*references, against], "a")
    assert own is references[0]
    assert other.is_not_this
    assert other.label == "a"
    np.testing.assert_array_equal(other.negative, references[1].positive)
