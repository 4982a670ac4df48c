"""The web app on a segmenter that looks for a colour; run as a program, it serves on a port.

It runs in a process of its own because a Gradio server leaves sockets and event loops to the
garbage collector, which the tests of everything else would be blamed for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.images import to_rgb
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction

SLOW_WIDTH, SLOW_SECONDS = 333, 1.0


class NearestColour:
    """Says "object" where a pixel is closer to the marked colours than to those marked "not this".

    Pictures `SLOW_WIDTH` pixels wide take `SLOW_SECONDS`, so that there is time to stop. Records
    what it was asked, so that tests see which marks reached the model.
    """

    def __init__(self) -> None:
        self.asked: list[Reference] = []
        self.prepared: list[tuple[int, ...]] = []

    def describe(self) -> dict[str, object]:
        return {"method": "nearest_colour", "sha256": "0" * 64, "device": "cpu"}

    def prepare(self, image: NDArray[Any], *, intensity_range: Any = None) -> None:
        self.prepared.append(image.shape)

    def predict(
        self,
        target: NDArray[Any],
        references: Reference | Sequence[Reference],
        *,
        corrections: Any = None,
        intensity_range: Any = None,
        threshold: float = 0.5,
    ) -> Prediction:
        reference = references if isinstance(references, Reference) else references[0]
        self.asked.append(reference)
        if np.shape(target)[1] == SLOW_WIDTH:
            time.sleep(SLOW_SECONDS)
        pixels = to_rgb(reference.image, intensity_range).astype(np.float32)
        scene = to_rgb(target, intensity_range).astype(np.float32)
        wanted = np.abs(scene - np.median(pixels[reference.positive], axis=0)).max(axis=-1)
        unwanted = np.full(scene.shape[:2], 60.0)
        background = reference.known_background().certain
        if background.any():
            other = np.abs(scene - np.median(pixels[background], axis=0)).max(axis=-1)
            unwanted = np.minimum(unwanted, other)
        probability = (unwanted / np.maximum(wanted + unwanted, 1)).astype(np.float32)
        present = bool((probability > 0.7).mean() > 0.002)
        return Prediction(
            mask=(probability > threshold) & present,
            probability=probability,
            score=0.9,
            presence=0.95 if present else 0.03,
            present=present,
            pseudo_mask=probability[::4, ::4],
            label=reference.label,
            made_by=self.describe(),
            threshold=threshold,
        )

    def predict_classes(self, *arguments: Any, **settings: Any) -> ClassPredictions:
        raise NotImplementedError


def main() -> None:
    from vrpsam_app.web.launch import launch_app

    segmenter = NearestColour()
    launch_app(port=int(sys.argv[1]), predictor_factory=lambda: segmenter, quiet=True)


if __name__ == "__main__":
    main()
