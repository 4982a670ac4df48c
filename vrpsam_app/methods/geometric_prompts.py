"""Points and a box in the place of the visual prompts: GP-SAM of the paper's table 3.

The pseudo-mask says where the object may be; what is best and worst in it becomes clicks, what
encloses it a box, and SAM of the same model is asked by those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.annotations import Annotation, Box, Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

if TYPE_CHECKING:
    from vrpsam_app.predictor import VRPSAMPredictor

PromptKind = Literal["points", "box", "both"]

POINTS = 5
"""Clicks on the object, and as many beside it."""

SPACING = 0.1
"""Distance between clicks, as a share of the pseudo-mask's longer side."""

SPECK = 0.1
"""Parts smaller than this share of the largest one do not widen the box."""


class GeometricPrompts(ReferenceSegmenter):
    """The model without its visual prompts, asked by points, a box, or both.

    Parameters
    ----------
    predictor : VRPSAMPredictor
        Gives the pseudo-mask, and decodes the prompts made of it.
    kind : {"points", "box", "both"}

    Raises
    ------
    ConfigError
        If the model's decoder does not listen to prompts, so that the answer would be its own.
    """

    def __init__(self, predictor: VRPSAMPredictor, kind: PromptKind) -> None:
        if predictor.sam is None:
            raise ConfigError(
                f"The model {predictor.config.name!r} has no SAM that answers prompts by itself: "
                "points and boxes would change nothing. Give a model built on SAM's own weights "
                "with --model, or use vrp_sam."
            )
        self._predictor = predictor
        self.kind = kind

    @property
    def name(self) -> str:
        """Name in the table of :mod:`vrpsam_app.methods`."""
        return f"geometric_{self.kind}"

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
        marked = [*references, *given.as_references(target, label)]
        first = self._predictor.predict(target, marked, intensity_range=intensity_range)
        height, width = target.shape[:2]
        prompts = prompts_of(first.pseudo_mask, (height, width), self.kind)
        if given.box_xyxy() is not None:
            # A person's own box is better than the one made here, and SAM takes only one.
            prompts = tuple(p for p in prompts if not isinstance(p, Box))
        found = self._predictor.predict_from_prompts(
            target,
            marked,
            Corrections((*given.annotations, *prompts), given.mask_logits),
            intensity_range=intensity_range,
            threshold=threshold,
        )
        return replace(found, made_by={**found.made_by, "method": self.name})


def prompts_of(
    pseudo_mask: NDArray[np.float32], hw: tuple[int, int], kind: PromptKind
) -> tuple[Annotation, ...]:
    """Turn a pseudo-mask into prompts on the target.

    Parameters
    ----------
    pseudo_mask : shape (h, w)
        Of any scale: what is object is decided by Otsu's threshold.
    hw : (height, width) of the target
    kind : {"points", "box", "both"}

    Returns
    -------
    prompts : tuple of Annotation
        Up to `POINTS` positive and as many negative points, best first, at the middles of the
        pseudo-mask's cells; a box around all parts that are no specks.
    """
    inside = _inside(pseudo_mask)
    scale = np.array(hw) / pseudo_mask.shape
    prompts: list[Annotation] = []
    if kind != "box":
        for positive in (True, False):
            merit = np.where(inside == positive, pseudo_mask if positive else -pseudo_mask, -np.inf)
            prompts += [
                Point(row=float(row), col=float(col), positive=positive)
                for row, col in (_spread(merit) + 0.5) * scale
            ]
    if kind != "points":
        top, left, bottom, right = _extent(inside)
        down, across = scale.tolist()
        prompts.append(Box(top * down, left * across, bottom * down, right * across))
    return tuple(prompts)


def _inside(pseudo_mask: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Part object from background by Otsu; a map without shape is object all over."""
    from skimage.filters import threshold_otsu

    above = pseudo_mask > threshold_otsu(pseudo_mask)
    if above.all() or not above.any():
        return np.ones(pseudo_mask.shape, np.bool_)
    # Where the two sides are far apart Otsu may cut anywhere between: cut in the middle.
    middle = (pseudo_mask[above].mean() + pseudo_mask[~above].mean()) / 2
    return np.asarray(pseudo_mask >= middle, np.bool_)


def _spread(merit: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the best cells, shape (N, 2), each some way from those before it."""
    rows, cols = np.indices(merit.shape)
    apart = SPACING * max(merit.shape)
    left = merit.copy()
    chosen: list[tuple[int, int]] = []
    for _ in range(POINTS):
        row, col = divmod(int(left.argmax()), left.shape[1])
        if not np.isfinite(left[row, col]):
            break
        chosen.append((row, col))
        left[np.hypot(rows - row, cols - col) <= apart] = -np.inf
    return np.array(chosen, np.float64).reshape(-1, 2)


def _extent(inside: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right (half-open) of everything but specks."""
    numbered, _ = ndimage.label(inside)
    areas = np.bincount(numbered.ravel())
    areas[0] = 0
    kept = areas[numbered] >= max(1.0, SPECK * areas.max())
    rows, cols = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
