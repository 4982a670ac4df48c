"""What learned prompts are worth: the same prompts, paired by picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.evaluation.prompt_gain import (
    OBJECTS,
    UNTRAINED,
    PromptAnswer,
    answers_to_prompts,
    mean_of,
    paired_difference,
)
from vrpsam_app.methods.prompt_examples import PromptExample
from vrpsam_app.methods.sam_pictures import SAMAnswers


class Whole:
    """Answers with the whole picture; with a learner, with its left half."""

    prompt_dim, needs_map, frozen_count, device = 32, False, 0, torch.device("cpu")

    def __init__(self):
        self.asked = []

    def describe(self):
        return {"model": "whole", "sha256": ""}

    def open(self, rgb):
        self._hw = rgb.shape[:2]
        return self

    def prepare(self, prompts):
        self.asked += prompts
        return prompts

    def decode(self, prepared, learner=None):
        logits = torch.full((1, 1, *self._hw), 9.0)
        if learner is not None:
            logits[..., self._hw[1] // 2 :] = -9.0
        return SAMAnswers(logits, torch.tensor([[0.5]]))

    def resized(self, logits):
        return logits


def halves(count: int) -> list[PromptExample]:
    """Pictures whose left half is one object."""
    objects = np.zeros((20, 40), np.int32)
    objects[:, :20] = 1
    return [PromptExample(np.full((20, 40, 3), i, np.uint8), objects) for i in range(count)]


def test_ways_are_asked_the_same():
    model = Whole()
    ways = {UNTRAINED: None, "learned": object()}
    answers = answers_to_prompts(model, halves(3), ways, ("click", "box"), task="t")
    assert len(answers) == 3 * 2 * 2
    assert len(model.asked) == 3 * 2  # each prompt once, for both ways
    assert mean_of(answers, "click", UNTRAINED) == pytest.approx(0.5)
    assert mean_of(answers, "box", "learned") == pytest.approx(1.0)
    change = paired_difference(answers, "click", "learned", UNTRAINED)
    assert (change.mean, change.low, change.high) == pytest.approx((0.5, 0.5, 0.5))
    assert change.count == 3
    assert change.excludes_zero
    again = answers_to_prompts(Whole(), halves(3), ways, ("click", "box"), task="t")
    assert again == answers


def test_few_of_many_objects_are_asked_for():
    objects = np.arange(1, 10).repeat(16 * 16).reshape(3, 3, 16, 16).swapaxes(1, 2)
    example = PromptExample(np.zeros((48, 48, 3), np.uint8), objects.reshape(48, 48))
    (answer,) = answers_to_prompts(Whole(), [example], {UNTRAINED: None}, ("click",))
    assert answer.objects == OBJECTS


def test_tasks_count_alike():
    answers = [PromptAnswer("a", i, "click", "x", 1.0, 1) for i in range(9)]
    answers += [PromptAnswer("b", 0, "click", "x", 0.0, 1)]
    assert mean_of(answers, "click", "x") == pytest.approx(0.5)
    assert np.isnan(mean_of(answers, "box", "x"))
    lone = paired_difference(answers, "click", "x", "y")
    assert lone.count == 0
