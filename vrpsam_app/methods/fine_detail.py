"""The model looks twice: at the whole picture, and at quarters of it shown nearly twice as large.

Vessels, fibres and other things a few pixels wide are hardly there on the grid of a picture that is
shown whole. Parts shown larger show them, and the whole keeps what only a wide view can tell, so
the logits of both are averaged. It costs five encodings in the place of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.tiles.grid import to_logits, to_probability
from vrpsam_app.tiles.plan import TileOptions
from vrpsam_app.tiles.tiling import predict_tiled

if TYPE_CHECKING:
    from vrpsam_app.predictor import VRPSAMPredictor

PART = 0.58
"""Side of a part, as a share of the picture's longer side: two parts and their overlap cover it."""


class FineDetail(ReferenceSegmenter):
    """The model's answer about a picture, averaged with those about its parts shown larger.

    Parameters
    ----------
    predictor : VRPSAMPredictor
    """

    name: ClassVar[str] = "fine_detail"

    def __init__(self, predictor: VRPSAMPredictor) -> None:
        self._predictor = predictor

    @property
    def input_side(self) -> int:
        """Longer side, in pixels, of a picture that is seen without being reduced."""
        return self._predictor.input_side

    def passing(self, *, planes: int | None = None) -> FineDetail:
        """Return the same for planes that are each looked at once."""
        return FineDetail(self._predictor.passing(planes=planes))

    def prepare(
        self, image: NDArray[Any], *, intensity_range: IntensityRange | None = None
    ) -> None:
        """Encode the whole of an image, so that half of a later answer is quick."""
        self._predictor.prepare(image, intensity_range=intensity_range)

    def predict_from_prompts(self, *args: Any, **settings: Any) -> Prediction:
        """Answer SAM's own prompts as the model does, for objects one by one."""
        return self._predictor.predict_from_prompts(*args, **settings)

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: that of the model, under this method's name."""
        return {**self._predictor.describe(), "method": self.name}

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        given = corrections or Corrections()
        whole = self._predictor.predict(
            target,
            references,
            corrections=corrections,
            intensity_range=intensity_range,
            threshold=threshold,
        )
        side = max(target.shape[:2])
        tile = max(1, round(PART * side))
        # A size that is given is not looked for, and overlaps are not widened by it.
        shown = TileOptions("tiles", tile=tile, overlap=max(0, 2 * tile - side), object_pixels=tile)
        parts = predict_tiled(
            self._predictor,
            target,
            [*references, *given.as_references(target, label)],
            tiling=shown,
            intensity_range=intensity_range,
            threshold=threshold,
        )
        both = to_logits(whole.probability) + to_logits(parts.probability)
        probability = to_probability(both * np.float32(0.5))
        return replace(
            whole,
            probability=probability,
            mask=np.asarray((probability > threshold) & whole.present),
            made_by={**whole.made_by, "method": self.name},
        )
