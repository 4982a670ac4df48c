"""What one visitor has on the page: pictures, the question asked of them, the answers so far."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.image_files import decode_png, encode_png, write_image
from vrpsam_app.images import IntensityRange
from vrpsam_app.segmenter import Prediction
from vrpsam_app.web.examples import coin_example
from vrpsam_app.web.pictures import Picture, new_folder, open_picture

# Steps of the slider. A probability is kept as the number of steps it lies above, which is enough
# to cut it at any of them exactly.
THRESHOLD_STEPS = 100
_STEPS = (np.arange(1, THRESHOLD_STEPS) / THRESHOLD_STEPS).astype(np.float32)


@dataclass(frozen=True)
class Session:
    """The pictures of one visitor. A change gives a new session; results are kept apart.

    Parameters
    ----------
    reference
        The picture that is marked.
    marks
        Marks it is shown with at first, in JSON form.
    targets
        The pictures to look in, no two with the same id.
    folder
        Where this visitor's files lie; None in what everybody starts from.
    intensity_range
        The one range of reference and targets; None where all have 8 bits.
    """

    reference: Picture
    marks: tuple[Mapping[str, Any], ...]
    targets: tuple[Picture, ...]
    folder: Path | None = None
    intensity_range: IntensityRange | None = None


@functools.cache
def opening_session() -> Session:
    """Return what everybody finds on the page when it opens."""
    example = coin_example()
    folder = new_folder()
    return Session(
        reference=open_picture(write_image(folder / "coins.png", example.reference)),
        marks=example.marks,
        targets=tuple(
            open_picture(write_image(folder / f"{name}.png", image))
            for name, image in example.targets.items()
        ),
    )


def new_session() -> Session:
    """Return what a new visitor has: the opening pictures and a folder."""
    return dataclasses.replace(opening_session(), folder=new_folder())


def close_session(session: Session | None) -> None:
    """Remove a visitor's files."""
    if session is not None and session.folder is not None:
        shutil.rmtree(session.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on besides its target and the threshold."""

    reference: str
    marks: str
    exhaustive: bool
    intensity_range: IntensityRange | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One prediction, small enough to keep for every visitor and target.

    Parameters
    ----------
    levels
        PNG of the probability in steps of the slider, at the size the page shows.
    score, presence, present
        As in :class:`~vrpsam_app.segmenter.Prediction`.
    """

    levels: bytes
    score: float
    presence: float
    present: bool

    @classmethod
    def from_prediction(cls, prediction: Prediction, shown_hw: tuple[int, int]) -> Finding:
        """Keep what the page needs of a prediction."""
        probability: NDArray[np.float32] = prediction.probability
        if probability.shape != shown_hw:
            probability = resize_bilinear(probability, shown_hw)
        levels = np.searchsorted(_STEPS, probability, side="left").astype(np.uint8)
        return cls(encode_png(levels), prediction.score, prediction.presence, prediction.present)

    def at_threshold(self, threshold: float) -> Prediction:
        """Return the prediction in the page's size, cut at a step of the slider."""
        levels = decode_png(self.levels)
        # The middle of each step lies on the same side of every step as the value it stands for.
        probability = ((levels + 0.5) / THRESHOLD_STEPS).astype(np.float32)
        return Prediction(
            mask=np.zeros(levels.shape, dtype=np.bool_),
            probability=probability,
            score=self.score,
            presence=self.presence,
            present=self.present,
            pseudo_mask=np.zeros((1, 1), dtype=np.float32),
            label="object",
            made_by={},
        ).at_threshold(threshold)


@dataclass(frozen=True, slots=True)
class Answers:
    """Findings by target id, all of them to the same question."""

    question: Question | None = None
    findings: Mapping[str, Finding] = field(default_factory=lambda: MappingProxyType({}))

    def to(self, question: Question) -> Answers:
        """Return these answers if they are to `question`, none otherwise."""
        return self if self.question == question else Answers(question)

    def with_finding(self, target_id: str, finding: Finding) -> Answers:
        """Return the answers with one more."""
        return Answers(self.question, MappingProxyType({**self.findings, target_id: finding}))
