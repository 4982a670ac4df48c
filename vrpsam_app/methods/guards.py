"""Methods that no good test lets pass: everything, nothing, the same whatever is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.pixel_method import Example, Picture, PixelMethod, Share
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


class Everything(PixelMethod):
    """Says "object" of every pixel."""

    name: ClassVar[str] = "everything"

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        return np.ones(picture.shape[:2], np.float32)


class Nothing(PixelMethod):
    """Says of every picture that the object is absent."""

    name: ClassVar[str] = "nothing"

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        return np.zeros(picture.shape[:2], np.float32)

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        found = super()._predict_one(
            target, references, label, corrections, intensity_range, threshold
        )
        return replace(found, presence=0.0, present=False, mask=np.zeros_like(found.mask))


class IgnoreReference(PixelMethod):
    """Gives what stands out in the target, whatever was asked for.

    What stands out is the smaller side of Otsu's threshold on the grey values.
    """

    name: ClassVar[str] = "ignore_reference"

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        from skimage.filters import threshold_otsu

        grey = picture.mean(2, dtype=np.float32)
        bright = grey > threshold_otsu(grey)
        smaller = bright if bright.mean() <= 0.5 else ~bright
        return smaller.astype(np.float32)
