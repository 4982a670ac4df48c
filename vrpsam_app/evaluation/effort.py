"""How many marks a person needs until a mask is good, with a reference and without.

A simulated person looks at the answer, marks the middle of its largest mistake, and looks again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation, Point
from vrpsam_app.corrected import predict_corrected
from vrpsam_app.corrections import Corrections
from vrpsam_app.data.annotation_simulation import click, stroke
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.plain_sam import PlainSAM
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Segmenter

GOAL = 0.85
"""IoU at which a person is content."""

MOST_MARKS = 12
"""Marks after which a person gives up on a picture."""

Mark = Literal["click", "stroke"]
Answer = Callable[[tuple[Annotation, ...]], NDArray[np.bool_]]
"""From all marks made on the target so far to a mask of its size."""


@dataclass(frozen=True, slots=True)
class EffortResult:
    """What one picture cost one way of working.

    Attributes
    ----------
    key : hash of everything that can change it
    approach : way of working
    dataset, label, target, index : episode
    marks : made on the target; the reference's are not among them
    start, end : IoU of the first answer and of the last
    reached : whether the last one is good
    error : why it failed, empty if it did not
    """

    key: str
    approach: str
    dataset: str
    label: str
    target: str
    index: int
    marks: int
    start: float
    end: float
    reached: bool
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> EffortResult:
        """Build a result from what :meth:`to_json` gave.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        try:
            return cls(**data)  # type: ignore[arg-type]
        except TypeError as error:
            raise ConfigError(
                f"{str(data)[:60]} is no measured effort ({error}): it was written by another "
                "release. Measure into another folder."
            ) from error


@dataclass(frozen=True, slots=True)
class Course:
    """How a picture went.

    Attributes
    ----------
    marks : that were made
    ious : of the first answer and of the one after each mark
    """

    marks: tuple[Annotation, ...]
    ious: tuple[float, ...]


def correct_until_good(
    answer: Answer,
    question: Question,
    rng: np.random.Generator,
    *,
    mark: Mark = "click",
    first: NDArray[np.bool_] | None = None,
    goal: float = GOAL,
    most: int = MOST_MARKS,
) -> Course:
    """Mark the largest mistake again and again, until the mask is good or patience ends.

    Parameters
    ----------
    answer : segments the target after the marks made so far; it is asked after each
    question : with the truth, which only the simulated person knows
    rng : chance in where exactly a mark falls
    mark : what the person draws
    first : shape (H, W), the answer before any mark; None where there is none: an empty mask
    goal : IoU
    most : marks

    Returns
    -------
    course : Course
    """
    counted = ~question.ignored
    truth = question.truth & counted
    found = np.zeros_like(truth) if first is None else first & counted
    marks: list[Annotation] = []
    ious = [iou(found, truth)]
    while ious[-1] < goal and len(marks) < most:
        missed = _largest_part(truth & ~found)
        false = _largest_part(found & ~truth)
        positive = bool(np.count_nonzero(missed) >= np.count_nonzero(false))
        draw = click if mark == "click" else stroke
        marks.append(draw(rng, missed if positive else false, positive=positive))
        found = answer(tuple(marks)) & counted
        ious.append(iou(found, truth))
    return Course(tuple(marks), tuple(ious))


def with_reference(segmenter: Segmenter, question: Question) -> Answer:
    """Return the product's way: the references first, then corrections of the answer."""

    def answer(marks: tuple[Annotation, ...]) -> NDArray[np.bool_]:
        corrections = {question.references[0].label: Corrections(marks)}
        found = predict_corrected(segmenter, question.target, question.references, corrections)
        return found.predictions[question.references[0].label].mask

    return answer


def without_reference(segmenter: Segmenter, question: Question) -> Answer:
    """Return the way of a pixel classifier on each picture anew: the marks on it are all it has."""

    def answer(marks: tuple[Annotation, ...]) -> NDArray[np.bool_]:
        if not any(m.positive for m in marks):
            return np.zeros_like(question.truth)
        own = Reference.from_annotations(question.target, marks, label="object")
        return segmenter.predict(question.target, [own]).mask

    return answer


class ObjectByObject:
    """The way of SAM: clicks on one object give that object, and the next one is begun anew.

    The person tells for each click on the object which one it belongs to, as one does by starting a
    new one; a click beside the objects goes to all whose mask it lies in.

    Parameters
    ----------
    sam : asked by the clicks on one object at a time
    question : with the objects of the truth; without objects, all clicks are of one
    """

    def __init__(self, sam: PlainSAM, question: Question) -> None:
        self._sam = sam
        self._question = question
        self._clicks: dict[int, list[Point]] = {}
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._heard = 0

    def __call__(self, marks: tuple[Annotation, ...]) -> NDArray[np.bool_]:
        """Return all objects' masks together after the marks so far."""
        for mark in marks[self._heard :]:
            if isinstance(mark, Point):
                for number in self._meant(mark):
                    self._clicks.setdefault(number, []).append(mark)
                    clicks = Corrections(tuple(self._clicks[number]))
                    self._masks[number] = self._sam.segment(self._question.target, clicks).mask
        self._heard = len(marks)
        return np.logical_or.reduce([np.zeros_like(self._question.truth), *self._masks.values()])

    def _meant(self, mark: Point) -> list[int]:
        height, width = self._question.truth.shape
        row, col = min(int(mark.row), height - 1), min(int(mark.col), width - 1)
        if not mark.positive:
            return [number for number, mask in self._masks.items() if mask[row, col]]
        objects = self._question.objects
        return [1 if objects is None else int(objects[row, col])]


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part of a mask, nothing of an empty one."""
    from scipy import ndimage

    parts, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(parts.ravel())
    largest: NDArray[np.bool_] = parts == 1 + int(sizes[1:].argmax())
    return largest
