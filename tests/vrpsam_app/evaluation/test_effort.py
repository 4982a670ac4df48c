from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Point, Scribble, rasterize
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.effort import (
    EffortResult,
    ObjectByObject,
    correct_until_good,
    with_reference,
    without_reference,
)
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.references import Reference

HW = (60, 80)
BLOCKS = {1: (5, 5, 45, 35), 2: (5, 45, 25, 75), 3: (40, 60, 50, 75)}


@pytest.fixture
def question() -> Question:
    """Ask for three blocks, one of which nobody knows; the picture shows each in its own grey."""
    objects = np.zeros(HW, np.int32)
    for number, (top, left, bottom, right) in BLOCKS.items():
        objects[top:bottom, left:right] = number
    target = np.repeat((60 * objects)[..., None], 3, 2).astype(np.uint8)
    reference = Reference.from_mask(target, objects == 1, label="block")
    return Question((reference,), target, objects > 0, objects == 3, objects)


def nearby(question: Question):
    """Answer like one who fills the block under each positive click, and cuts under negatives."""

    def answer(marks):
        found = np.zeros(HW, bool)
        for mark in marks:
            number = question.objects[
                rasterize([Point(mark.row, mark.col, radius=0.5)], HW).positive
            ]
            found |= (question.objects == number[0]) & mark.positive
        return found

    return answer


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_largest_mistake_is_marked_first(question: Question):
    course = correct_until_good(nearby(question), question, rng(), goal=1.0)
    first, second = course.marks
    assert 5 <= first.row < 45
    assert 5 <= first.col < 35
    assert 5 <= second.row < 25
    assert 45 <= second.col < 75
    assert course.ious == (0.0, 1200 / 1800, 1.0)


def test_a_good_first_answer_costs_nothing(question: Question):
    course = correct_until_good(nearby(question), question, rng(), first=question.truth)
    assert (course.marks, course.ious) == ((), (1.0,))


def test_what_is_too_much_is_marked_negative(question: Question):
    asked = []

    def answer(marks):
        asked.append(marks)
        return question.truth

    everything = np.ones(HW, bool)
    course = correct_until_good(answer, question, rng(), mark="stroke", first=everything)
    assert isinstance(course.marks[0], Scribble)
    assert not course.marks[0].positive
    assert not question.truth[rasterize([course.marks[0]], HW).negative].all()
    assert len(asked) == 1


def test_patience_ends(question: Question):
    course = correct_until_good(lambda _: np.zeros(HW, bool), question, rng(), most=4)
    assert len(course.marks) == 4
    assert course.ious == (0.0,) * 5


def test_pixels_that_nobody_knows_are_no_mistake(question: Question):
    course = correct_until_good(lambda marks: question.objects > 0, question, rng())
    assert course.ious[-1] == 1.0


def test_the_reference_answers_before_any_mark(question: Question, colour_segmenter):
    answer = with_reference(colour_segmenter, question)
    assert np.array_equal(answer(()), question.objects == 1)


def test_without_a_reference_the_marks_are_all_there_is(question: Question, colour_segmenter):
    answer = without_reference(colour_segmenter, question)
    assert not answer((Point(2.0, 2.0, positive=False),)).any()
    found = answer((Point(15.0, 60.0, radius=2.0), Point(2.0, 2.0, positive=False, radius=1.0)))
    assert np.array_equal(found, question.objects == 2)


class ClickedBlocks:
    """A SAM that fills the block under the first click."""

    def __init__(self, question: Question) -> None:
        self.question, self.calls = question, []

    def segment(self, target, prompts):
        self.calls.append(len(prompts.annotations))
        first = prompts.annotations[0]
        number = self.question.objects[int(first.row), int(first.col)]

        class Found:
            mask = self.question.objects == number

        return Found


def test_objects_are_begun_one_by_one(question: Question):
    sam = ClickedBlocks(question)
    ask = ObjectByObject(sam, question)
    first = Point(20.0, 20.0)
    second = Point(10.0, 60.0)
    beside = Point(21.0, 21.0, positive=False)
    assert np.array_equal(ask((first,)), question.objects == 1)
    assert np.array_equal(ask((first, second)), question.objects % 3 > 0)
    ask((first, second, beside))
    assert sam.calls == [1, 1, 2]


def test_results_are_read_as_they_were_written():
    result = EffortResult("k", "way", "cells", "cell", "p0", 3, 2, 0.1, 0.9, True)
    assert EffortResult.from_json(result.to_json()) == result
    with pytest.raises(ConfigError, match="no measured effort"):
        EffortResult.from_json({"key": "k"})
