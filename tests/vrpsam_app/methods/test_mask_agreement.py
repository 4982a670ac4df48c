from __future__ import annotations

import torch

from vrpsam_app.methods.mask_agreement import Guesses, merge_by_agreement


def guesses(*blocks: tuple[int, int, int, int, float, int]) -> Guesses:
    """Make guesses of (top, left, bottom, right, score, prompt) on a grid of 40."""
    logits = torch.full((len(blocks), 40, 40), -4.0)
    for own, (top, left, bottom, right, _, _) in zip(logits, blocks, strict=True):
        own[top:bottom, left:right] = 4.0
    return Guesses(
        logits, torch.tensor([b[4] for b in blocks]), torch.tensor([b[5] for b in blocks])
    )


def evidence(*blocks: tuple[int, int, int, int]) -> torch.Tensor:
    drawn = torch.full((40, 40), 0.05)
    for top, left, bottom, right in blocks:
        drawn[top:bottom, left:right] = 0.9
    return drawn


OBJECT = (5, 5, 25, 25)


def test_what_several_prompts_say_wins_over_what_one_is_surer_of():
    found = merge_by_agreement(
        guesses((5, 5, 15, 15, 0.95, 0), (*OBJECT, 0.86, 1), (5, 5, 25, 24, 0.85, 2)),
        evidence(OBJECT),
        0.4,
    )
    assert len(found) == 1
    assert (found[0].logits > 0).sum() == 400
    # Merged: only one of the two that agree has the last column.
    assert 0 < found[0].logits[10, 24] < found[0].logits[10, 20]


def test_several_answers_of_one_prompt_do_not_support_each_other():
    alone = guesses((*OBJECT, 0.81, 0), (5, 5, 25, 24, 0.8, 0), (5, 5, 15, 25, 0.84, 1))
    assert (merge_by_agreement(alone, evidence(OBJECT), 0.4)[0].logits > 0).sum() == 200
    apart = Guesses(alone.logits, alone.scores, torch.tensor([0, 2, 1]))
    assert (merge_by_agreement(apart, evidence(OBJECT), 0.4)[0].logits > 0).sum() == 400


def test_what_the_evidence_does_not_support_is_no_object():
    everywhere = guesses((0, 0, 40, 40, 0.99, 0), (28, 28, 38, 38, 0.99, 1))
    assert merge_by_agreement(everywhere, evidence(OBJECT), 0.4) == []


def test_two_objects_stay_two():
    other = (28, 5, 38, 25)
    found = merge_by_agreement(
        guesses((*OBJECT, 0.9, 0), (*other, 0.8, 1), (5, 5, 38, 25, 0.5, 2)),
        evidence(OBJECT, other),
        0.4,
    )
    assert len(found) == 2
    assert found[0].score > found[1].score


def test_empty_guesses_are_nothing():
    empty = Guesses(torch.full((2, 40, 40), -1.0), torch.ones(2), torch.arange(2))
    assert merge_by_agreement(empty, evidence(OBJECT), 0.4) == []


def test_a_speck_too_small_to_compare_is_an_object_of_its_own():
    logits = torch.full((1, 400, 400), -4.0)
    logits[0, 10, 10] = 4.0
    found = merge_by_agreement(
        Guesses(logits, torch.ones(1), torch.zeros(1)), torch.ones(400, 400), 0.4
    )
    assert len(found) == 1


def test_joined_guesses_keep_their_prompts_apart():
    joined = Guesses.join(guesses((*OBJECT, 0.9, 0), (*OBJECT, 0.9, 1)), guesses((*OBJECT, 0.5, 0)))
    assert joined.sources.tolist() == [0, 1, 2]
    assert joined.logits.shape == (3, 40, 40)
