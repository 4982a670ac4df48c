"""What one visitor has on the page: pictures, the question asked of them, the answers so far."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.geometry import resize_bilinear, resize_mask_area
from vrpsam_app.image_files import decode_png, encode_png, write_image
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction
from vrpsam_app.web.examples import coin_example
from vrpsam_app.web.model import Choice
from vrpsam_app.web.pictures import Picture, new_folder, open_picture

# Steps of the slider. A probability is kept as the number of steps it lies above, which is enough
# to cut it at any of them exactly.
THRESHOLD_STEPS = 100
_STEPS = (np.arange(1, THRESHOLD_STEPS) / THRESHOLD_STEPS).astype(np.float32)

OPENING_LABEL = "coin"


@dataclass(frozen=True)
class Session:
    """The pictures of one visitor, and what answers them, at one moment.

    Marks, corrections, decisions and the threshold are the page's own: it sends them along with
    every question.

    Parameters
    ----------
    marked
        The pictures that carry marks, no two with the same id.
    targets
        The pictures to look in, no two with the same id.
    kept
        References whose pixels the page only knows by key, from a file, a library or a result.
    folder
        Where this visitor's files lie; None in what everybody starts from.
    choice
        Model, method and device.
    replaced
        The pictures that were marked before the last ones took their place.
    """

    marked: tuple[Picture, ...]
    targets: tuple[Picture, ...]
    kept: Mapping[str, Reference] = field(default_factory=lambda: MappingProxyType({}))
    folder: Path | None = None
    choice: Choice = field(default_factory=Choice)
    replaced: tuple[Picture, ...] = ()


@functools.cache
def opening_session() -> Session:
    """Return what everybody finds on the page when it opens."""
    example = coin_example()
    folder = new_folder()
    return Session(
        marked=(open_picture(write_image(folder / "coins.png", example.reference)),),
        targets=tuple(
            open_picture(write_image(folder / f"{name}.png", image))
            for name, image in example.targets.items()
        ),
    )


def opening_references() -> list[dict[str, Any]]:
    """Return the marks that the page opens with, as the canvas takes them."""
    (picture,) = opening_session().marked
    marks = [dict(mark) for mark in coin_example().marks]
    return [{"image": picture.id, "label": OPENING_LABEL, "exhaustive": False, "marks": marks}]


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on besides its target and the threshold, as hashes.

    Parameters
    ----------
    references
        Of what is marked.
    setting
        Of what else it is asked with, by :func:`setting_of`.
    """

    references: str
    setting: str

    @classmethod
    def of(cls, references: Sequence[Mapping[str, Any]], session: Session) -> Question:
        """Ask by what the page holds of the references; keys stand for kept pixels."""
        return cls(content_hash(references), setting_of(session))


def setting_of(session: Session) -> str:
    """Return a hash of what all answers in a session depend on, whatever is marked."""
    deep = [p.id for p in (*session.marked, *session.targets) if not p.eight_bit]
    content = {
        "choice": dataclasses.astuple(session.choice),
        "range": sorted(deep),  # they are shown in one range of intensities
    }
    return content_hash(content)


def content_hash(content: object) -> str:
    """Return a short hash of plain values, the same for equal ones."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class ClassFinding:
    """What was found of one class, small enough to keep for every visitor and target.

    Parameters
    ----------
    label
        Of the class.
    levels
        PNG of the probability in steps of the slider, at the size the page shows: the number of
        steps k / 100, k = 1 to 99, that lie below it.
    score, presence, present
        As in :class:`~vrpsam_app.segmenter.Prediction`.
    speck
        Pieces of fewer pixels of the original are no objects.
    """

    label: str
    levels: bytes
    score: float
    presence: float
    present: bool
    speck: float = 0.0

    @classmethod
    def from_prediction(
        cls, prediction: Prediction, shown_hw: tuple[int, int], speck: float = 0.0
    ) -> ClassFinding:
        """Keep what the page needs of a prediction."""
        probability: NDArray[np.float32] = prediction.probability
        if prediction.found_in is not None:  # elsewhere a tile said that nothing is there
            probability = np.where(prediction.found_in, probability, np.float32(0))
        if probability.shape != shown_hw:
            probability = resize_bilinear(probability, shown_hw)
        levels = np.searchsorted(_STEPS, probability, side="left").astype(np.uint8)
        return cls(
            label=prediction.label,
            levels=encode_png(levels),
            score=float(prediction.score),
            presence=float(prediction.presence),
            present=bool(prediction.present),
            speck=speck,
        )

    @classmethod
    def from_mask(
        cls,
        label: str,
        mask: NDArray[np.bool_],
        shown_hw: tuple[int, int],
        *,
        score: float,
        presence: float,
        speck: float = 0.0,
    ) -> ClassFinding:
        """Keep a mask, which is the same at every threshold."""
        covered = resize_mask_area(mask, shown_hw) >= 0.5
        levels = covered.astype(np.uint8) * np.uint8(THRESHOLD_STEPS - 1)
        return cls(label, encode_png(levels), score, presence, bool(mask.any()), speck)

    def at_threshold(self, threshold: float) -> Prediction:
        """Return the prediction in the page's size, cut at a step of the slider."""
        levels = decode_png(self.levels)
        # The middle of each step lies on the same side of every step as the value it stands for.
        return self._cut(((levels + 0.5) / THRESHOLD_STEPS).astype(np.float32), threshold)

    def with_mask(self, mask: NDArray[np.bool_], threshold: float) -> Prediction:
        """Return the prediction in the size of its mask, which is the same at every threshold."""
        return self._cut(mask.astype(np.float32), threshold)

    def _cut(self, probability: NDArray[np.float32], threshold: float) -> Prediction:
        return Prediction(
            mask=np.zeros(probability.shape, dtype=np.bool_),
            probability=probability,
            score=self.score,
            presence=self.presence,
            present=self.present,
            pseudo_mask=np.zeros((1, 1), dtype=np.float32),
            label=self.label,
            made_by={},
        ).at_threshold(threshold)


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer for one target.

    Parameters
    ----------
    classes
        One for each class that was asked for, in order; empty if it failed.
    corrected
        Hash of the corrections that it takes into account; "" for none.
    failure
        Why there is no answer, in a sentence; "" if there is one.
    note
        What makes the answer a doubtful one, in a sentence; "" for nothing.
    """

    classes: tuple[ClassFinding, ...] = ()
    corrected: str = ""
    failure: str = ""
    note: str = ""

    @property
    def present(self) -> bool:
        """Whether any class is in the picture."""
        return any(found.present for found in self.classes)

    def at_threshold(self, threshold: float) -> ClassPredictions:
        """Return the classes in the page's size, competing for each pixel as in the files."""
        alone = {found.label: found.at_threshold(threshold) for found in self.classes}
        return ClassPredictions.compete(alone)


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

    def joined_by(self, others: Answers) -> Answers:
        """Return these and others to the same question; to another one, only the others."""
        if self.question is None or self.question != others.question:
            return others
        return Answers(self.question, MappingProxyType({**self.findings, **others.findings}))

    def has(self, target_id: str, corrected: str) -> bool:
        """Tell whether a target was answered with these corrections."""
        found = self.findings.get(target_id)
        return found is not None and found.corrected == corrected and not found.failure
