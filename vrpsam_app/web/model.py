"""The one model of this process, and what the page asks of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from vrpsam_app.images import IntensityRange
from vrpsam_app.segmenter import Segmenter


class WebPredictor(Segmenter, Protocol):
    """A segmenter that can also get ready for a target and say what it is."""

    def prepare(
        self, image: NDArray[Any], *, intensity_range: IntensityRange | None = None
    ) -> None:
        """Encode an image ahead of its prediction."""
        ...

    def describe(self) -> Mapping[str, object]:
        """Return what a recipe must name."""
        ...


PredictorFactory = Callable[[], WebPredictor]


@functools.cache
def embedded_predictor() -> WebPredictor:
    """Return the predictor with the model that comes in the package, the same one every time."""
    from vrpsam_app.predictor import VRPSAMPredictor

    return VRPSAMPredictor.from_pretrained("embedded")
