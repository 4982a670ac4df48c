"""A segmenter for tests of what stands around one: it finds what has the reference's colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.images import to_rgb
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction


class ColourSegmenter:
    """Says "object" where the colour is within `tolerance` of the mean marked one."""

    tolerance = 40.0
    score = 0.5
    made_by: Mapping[str, Any] = {
        "method": "colour", "model": "colour", "sha256": "0" * 64, "device": "cpu",
    }  # fmt: skip

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def describe(self) -> dict[str, Any]:
        return dict(self.made_by)

    def predict(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        *,
        corrections: Any = None,
        intensity_range: Any = None,
        threshold: float = 0.5,
    ) -> Prediction:
        said = {"intensity_range": intensity_range, "threshold": threshold}
        self.calls.append({**said, "references": len(references)})
        shown = [r for r in references if not r.is_not_this]
        colours = [to_rgb(r.image, intensity_range)[r.positive].mean(axis=0) for r in shown]
        rgb = to_rgb(target, intensity_range)
        probability = np.zeros(rgb.shape[:2], np.float32)
        # Some rows at a time: on large planes the memory of a test is that of what it tests.
        for first in range(0, len(rgb), 256):
            rows = slice(first, first + 256)
            pixels = rgb[rows].astype(np.float32)
            distance = np.min([np.abs(pixels - c).max(axis=-1) for c in colours], axis=0)
            probability[rows] = np.clip(1 - distance / (2 * self.tolerance), 0, 1)
        mask = probability > threshold
        return Prediction(
            mask=mask,
            probability=probability,
            score=self.score,
            presence=float(probability.max()),
            present=bool(mask.any()),
            pseudo_mask=probability,
            label=references[0].label,
            made_by=self.made_by,
            threshold=threshold,
        )

    def predict_classes(
        self, target: NDArray[Any], references: Sequence[Reference], **settings: Any
    ) -> ClassPredictions:
        names = dict.fromkeys(r.label for r in references if not r.is_not_this)
        predictions = {
            name: self.predict(target, [r for r in references if r.label == name], **settings)
            for name in names
        }
        return ClassPredictions.compete(predictions)
