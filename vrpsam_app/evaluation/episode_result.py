"""What one method answered to one question, in numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.metrics import boundary_iou, iou
from vrpsam_app.evaluation.object_scores import ObjectScores, object_scores
from vrpsam_app.evaluation.presence import covered_share, ungated_mask
from vrpsam_app.segmenter import Prediction


@dataclass(frozen=True, slots=True)
class Asked:
    """Which question it was: two results with the same key answer the same one.

    Attributes
    ----------
    key : hash of everything that can change the answer
    method : name
    dataset : name
    label : class that was asked for
    target : picture
    index : number of the episode in its list
    negative : whether the target lacks the class
    format : of the marks
    shots : references
    shift : how the pictures were changed, empty if they were not
    """

    key: str
    method: str
    dataset: str
    label: str
    target: str
    index: int
    negative: bool
    format: str
    shots: int
    shift: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How good the answer was; pixels of which nobody knows the truth are left out.

    Attributes
    ----------
    intersection, union : pixels of the object
    background_intersection, background_union : pixels of the rest
    boundary_iou : IoU of the two outlines' surroundings
    objects : how many were found, are there and agree; None where the data have no objects
    ungated_iou : IoU of the mask as it would be if the object were never judged absent
    found_share : share of the picture's pixels that count which the mask covers
    score : what the method thought of its own mask
    presence : how sure it was that the object is there
    seconds : time of the answer
    fresh : whether nothing was known of the target: neither asked about nor shown before
    peak_bytes : most memory of the process so far, while this method was measured on this set
    """

    intersection: int
    union: int
    background_intersection: int
    background_union: int
    boundary_iou: float
    objects: ObjectScores | None
    ungated_iou: float
    found_share: float
    score: float
    presence: float
    seconds: float
    fresh: bool
    peak_bytes: int

    @property
    def iou(self) -> float:
        """Intersection over union, 1 where both masks are empty."""
        return self.intersection / self.union if self.union else 1.0


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """A question, and the figures of the answer or why there is none.

    Attributes
    ----------
    asked : the question
    figures : None if it failed
    error : why it failed, empty if it did not
    """

    asked: Asked
    figures: Figures | None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> EpisodeResult:
        """Build a result from what :meth:`to_json` gave.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        try:
            fields: dict[str, Any] = data  # type: ignore[assignment]
            figures = fields["figures"]
            if figures is not None and figures["objects"] is not None:
                figures = {**figures, "objects": ObjectScores(**figures["objects"])}
            return cls(
                Asked(**fields["asked"]),
                None if figures is None else Figures(**figures),
                str(fields["error"]),
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"{str(data)[:60]} is no result of an episode ({error}): it was written by another "
                "release. Measure into another folder."
            ) from error


def measure(
    question: Question, prediction: Prediction, *, seconds: float, fresh: bool, peak_bytes: int
) -> Figures:
    """Hold a prediction against the truth.

    Parameters
    ----------
    question : with the truth
    prediction : of the target's size
    seconds, fresh, peak_bytes : as in :class:`Figures`

    Raises
    ------
    ImageError
        If the sizes differ.
    """
    found, truth, ignored = prediction.mask, question.truth, question.ignored
    counted = ~ignored
    pixels = int(np.count_nonzero(counted))
    intersection = int(np.count_nonzero(found & truth & counted))
    union = int(np.count_nonzero((found | truth) & counted))
    objects = question.objects
    # A method that tells objects apart is not judged by the connected parts of its mask.
    apart = found if prediction.instance_labels is None else prediction.instance_labels
    return Figures(
        intersection=intersection,
        union=union,
        background_intersection=pixels - union,
        background_union=pixels - intersection,
        boundary_iou=boundary_iou(found, truth, ignored),
        objects=None if objects is None else object_scores(apart, objects, ignored),
        ungated_iou=iou(ungated_mask(prediction), truth, ignored),
        found_share=covered_share(found, ignored),
        score=float(prediction.score),
        presence=float(prediction.presence),
        seconds=seconds,
        fresh=fresh,
        peak_bytes=peak_bytes,
    )
