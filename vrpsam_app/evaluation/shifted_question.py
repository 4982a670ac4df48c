"""A question under another look or magnification: target, truth and references changed alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.shift_suite import Shift
from vrpsam_app.references import Reference


def shifted(question: Question, shift: Shift) -> Question:
    """Change the pictures of a question, and its truth with them.

    Parameters
    ----------
    question : Question
    shift : of `SHIFTS`; one that is for targets alone leaves the references as they are
    """
    objects = question.truth.astype(np.int32) if question.objects is None else question.objects
    target, truth, ignored, numbered = shift(
        question.target, question.truth, question.ignored, objects
    )
    references = question.references
    return Question(
        references=references
        if shift.targets_only
        else tuple(_shown(r, shift) for r in references),
        target=target,
        truth=truth,
        ignored=ignored,
        objects=None if question.objects is None else numbered,
    )


def _shown(reference: Reference, shift: Shift) -> Reference:
    image, positive, negative = shift(reference.image, reference.positive, reference.negative)
    return replace(reference, image=image, positive=positive, negative=negative)
