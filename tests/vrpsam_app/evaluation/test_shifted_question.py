from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.shift_suite import SHIFTS
from vrpsam_app.evaluation.shifted_question import shifted
from vrpsam_app.references import Reference


@pytest.fixture
def question() -> Question:
    objects = np.zeros((20, 30), np.int32)
    objects[4:12, 6:18] = 7
    target = np.repeat(np.where(objects > 0, 200, 40)[..., None], 3, 2).astype(np.uint8)
    reference = Reference.from_mask(target, objects > 0, exhaustive=True, label="it")
    ignored = np.zeros((20, 30), bool)
    ignored[:, :4] = True
    return Question((reference,), target, objects > 0, ignored, objects)


def test_a_look_changes_target_and_references_alike(question: Question):
    changed = shifted(question, SHIFTS["inverted"])
    assert np.array_equal(changed.target, 255 - question.target)
    assert np.array_equal(changed.references[0].image, 255 - question.target)
    assert np.array_equal(changed.references[0].positive, question.references[0].positive)
    assert changed.references[0].exhaustive
    assert np.array_equal(changed.truth, question.truth)
    assert np.array_equal(changed.objects, question.objects)


def test_a_magnification_changes_the_target_alone(question: Question):
    changed = shifted(question, SHIFTS["double_size"])
    assert changed.target.shape == (40, 60, 3)
    assert changed.truth.sum() == 4 * question.truth.sum()
    assert changed.ignored.sum() == 4 * question.ignored.sum()
    assert set(np.unique(changed.objects)) == {0, 7}
    assert changed.references is question.references


def test_without_objects_there_are_none_afterwards(question: Question):
    plain = Question(question.references, question.target, question.truth, question.ignored, None)
    assert shifted(plain, SHIFTS["half_size"]).objects is None


@pytest.mark.parametrize("name", SHIFTS)
def test_every_change_keeps_sizes_together(question: Question, name: str):
    changed = shifted(question, SHIFTS[name])
    hw = changed.target.shape[:2]
    assert changed.truth.shape == changed.ignored.shape == changed.objects.shape == hw
    assert changed.truth.any()
