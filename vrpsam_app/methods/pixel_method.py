"""What the peers share: pictures and marks on a working grid in, a probability map out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.environment import PIXEL_CODE
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.geometry import fit_within, resize_bilinear, resize_mask_area
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.8
"""Intensities of a picture that :func:`stretched` brings to 0 and 1."""

Picture = NDArray[np.uint8]
Share = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A reference on the working grid.

    Attributes
    ----------
    picture : shape (h, w, 3), uint8
    positive, certain, weak : shape (h, w), float32 in [0, 1]
        Share of each pixel that is object, certain background, weak background; what is missing
        to 1 is unmarked.
    kind : kind of the positive marks
    exhaustive : True if every object of the kind is marked
    key : hash of picture and marks
    """

    picture: Picture
    positive: Share
    certain: Share
    weak: Share
    kind: str
    exhaustive: bool
    key: str

    @classmethod
    def of(cls, reference: Reference, side: int, intensity_range: IntensityRange | None) -> Example:
        """Bring a reference to a grid whose longer side is at most `side`."""
        picture = on_grid(to_rgb(reference.image, intensity_range), side)
        background = reference.known_background()
        positive, certain, weak = (
            resize_mask_area(marks, picture.shape[:2])
            for marks in (reference.positive, background.certain, background.weak)
        )
        return cls(
            picture,
            positive,
            certain,
            weak,
            reference.kind,
            reference.exhaustive,
            f"{reference.content_key}/{intensity_range}/{side}",
        )

    @property
    def shows_object(self) -> bool:
        """False for a "not this" reference."""
        return bool(self.positive.any())

    @property
    def unmarked(self) -> Share:
        """Share of each pixel of which nothing is known, shape (h, w)."""
        left: Share = np.clip(1 - self.positive - self.certain - self.weak, 0, 1)
        return left


class PixelMethod(ReferenceSegmenter):
    """Base of methods that give each pixel a probability and know nothing of presence.

    Attributes
    ----------
    name : of the method, as in the table of :mod:`vrpsam_app.methods`
    working_side : longer side of the grid it works on; smaller pictures stay as they are
    code : parts of the package that its answers depend on
    """

    name: ClassVar[str]
    working_side: ClassVar[int] = 512
    code: ClassVar[tuple[str, ...]] = PIXEL_CODE

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: method, settings, versions."""
        from vrpsam_app import __version__

        return {
            "method": self.name,
            "model": self.name,
            "sha256": "",
            "device": "cpu",
            "precision": "fp32",
            "settings": {"working_side": self.working_side, **self._settings()},
            "versions": {
                "vrpsam_app": __version__,
                "numpy": np.__version__,
                **self._versions(),
            },
        }

    @abstractmethod
    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        """Return the probability of the object in each pixel, shape (h, w).

        At least one example shows the object; `picture` is the target on the working grid.
        """

    def _settings(self) -> dict[str, object]:
        return {}

    def _versions(self) -> dict[str, str]:
        return {}

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        marked = list(references)
        if corrections is not None:
            marked += corrections.as_references(target, label)
        examples = [Example.of(r, self.working_side, intensity_range) for r in marked]
        if not any(e.shows_object for e in examples):
            raise EmptyReferenceError(
                "No reference marks an object, all say 'not this': expected at least one with "
                "positive marks. Mark an object in one of them."
            )
        picture = on_grid(to_rgb(target, intensity_range), self.working_side)
        coarse = self._probability(picture, examples).astype(np.float32)
        height, width = target.shape[:2]
        probability = np.clip(resize_bilinear(coarse, (height, width)), 0, 1)
        mask = probability > threshold
        return Prediction(
            mask=mask,
            probability=probability,
            score=expected_iou(probability, mask),
            presence=1.0,
            present=True,
            pseudo_mask=coarse,
            label=label,
            made_by={**self.describe(), "range": intensity_range},
            threshold=threshold,
        )


def on_grid(picture: Picture, side: int) -> Picture:
    """Shrink a picture, shape (H, W, 3), until its longer side is at most `side`."""
    height, width = picture.shape[:2]
    if max(height, width) <= side:
        return picture
    small: Picture = resize_bilinear(picture, fit_within((height, width), side))
    return small


def stretched(picture: Picture) -> Share:
    """Bring a picture's own dark and bright ends to 0 and 1, all channels alike.

    A dim picture and a bright one of the same thing are then alike, which the eight bits alone do
    not give.

    Returns
    -------
    values : shape (h, w, 3), float32 in [0, 1]
    """
    low, high = np.percentile(picture, (LOW_PERCENTILE, HIGH_PERCENTILE)).tolist()
    values: Share = (picture.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1))
    return np.clip(values, 0, 1)


def has_colour(picture: Picture) -> bool:
    """Tell a colour picture from a grey one in three equal channels."""
    return bool((picture != picture[..., :1]).any())


def expected_iou(probability: Share, mask: NDArray[np.bool_]) -> float:
    """Return the IoU of a mask with a truth that has these probabilities.

    It is the ratio of the expected intersection and the expected union, 1 where both are empty.
    """
    inside = float(probability[mask].sum(dtype=np.float64))
    union = float(np.count_nonzero(mask)) + float(probability[~mask].sum(dtype=np.float64))
    return inside / union if union > 0 else 1.0
