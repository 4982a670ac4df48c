"""The web app on a segmenter that looks for a colour; run as a program, it serves on a port.

It runs in a process of its own because a Gradio server leaves sockets and event loops to the
garbage collector, which the tests of everything else would be blamed for.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import to_rgb
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

SLOW_WIDTH, SLOW_SECONDS = 333, 1.0


class NearestColour(ReferenceSegmenter):
    """Says "object" where a pixel is closer to the marked colours than to those marked "not this".

    Pictures `SLOW_WIDTH` pixels wide take `SLOW_SECONDS`, so that there is time to stop. Records
    what it was asked, so that tests see which marks reached the model.
    """

    input_side = 512

    def __init__(self) -> None:
        self.asked: list[Reference] = []
        self.prepared: list[tuple[int, ...]] = []
        self.at_once = 0
        self._running = 0
        self._lock = threading.Lock()

    def describe(self) -> dict[str, object]:
        return {"method": "nearest_colour", "model": "embedded", "sha256": "0" * 64}

    def prepare(self, image: NDArray[Any], *, intensity_range: Any = None) -> None:
        self.prepared.append(image.shape)

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: Any,
        threshold: float,
    ) -> Prediction:
        with self._lock:
            self._running += 1
            self.at_once = max(self.at_once, self._running)
        try:
            self.asked.append(references[0])
            if np.shape(target)[1] == SLOW_WIDTH:
                time.sleep(SLOW_SECONDS)
            marked = list(references)
            if corrections is not None:
                marked += corrections.as_references(target, label)
            return self._nearest(target, marked, label, intensity_range, threshold)
        finally:
            with self._lock:
                self._running -= 1

    def _nearest(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        intensity_range: Any,
        threshold: float,
    ) -> Prediction:
        scene = to_rgb(target, intensity_range).astype(np.float32)
        wanted = np.full(scene.shape[:2], 255.0)
        unwanted = np.full(scene.shape[:2], 60.0)
        for reference in references:
            pixels = to_rgb(reference.image, intensity_range).astype(np.float32)
            sides = (reference.positive, wanted), (reference.known_background().certain, unwanted)
            for side, distance in sides:
                if side.any():
                    away = np.abs(scene - np.median(pixels[side], axis=0)).max(axis=-1)
                    np.minimum(distance, away, out=distance)
        probability = (unwanted / np.maximum(wanted + unwanted, 1)).astype(np.float32)
        present = bool((probability > 0.7).mean() > 0.002)
        return Prediction(
            mask=(probability > threshold) & present,
            probability=probability,
            score=0.9,
            presence=0.95 if present else 0.03,
            present=present,
            pseudo_mask=probability[::4, ::4],
            label=label,
            made_by=self.describe(),
            threshold=threshold,
        )


def main() -> None:
    from vrpsam_app.web.launch import launch_app
    from vrpsam_app.web.visits import visits

    visits.grace, visits.quiet = 3.0, 1.0
    segmenter = NearestColour()
    launch_app(port=int(sys.argv[1]), predictor_factory=lambda: segmenter, quiet=True)


if __name__ == "__main__":
    main()
