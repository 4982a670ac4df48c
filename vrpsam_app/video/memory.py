"""References that grow with the film: the first ones, and later frames that are sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.video.options import MemoryOptions

Ask = Callable[[NDArray[np.generic], Sequence[Reference]], Prediction]
"""Ask the segmenter about a picture by references of one label."""


NEAR = 0.5
"""Surroundings of an object reach so far, as a share of the root of its area."""


@dataclass(slots=True)
class LabelMemory:
    """What is known of one label.

    Attributes
    ----------
    label : its name
    first : references that were given; they always count
    options : MemoryOptions
    later : number of the frame and reference, the oldest first
    """

    label: str
    first: tuple[Reference, ...]
    options: MemoryOptions
    later: list[tuple[int, Reference]] = field(default_factory=list)
    _home_mask: NDArray[np.bool_] | None = None

    @property
    def references(self) -> list[Reference]:
        """All that count now."""
        return [*self.first, *(reference for _, reference in self.later)]

    def waits_for(self, step: int) -> bool:
        """Tell whether a frame is welcome after so many steps."""
        if not self.options.size:
            return False
        last = self.later[-1][0] if self.later else 0
        return step - last >= self.options.every

    def offer(
        self, step: int, frame: NDArray[np.generic], mask: NDArray[np.bool_], ask: Ask
    ) -> bool:
        """Keep a frame if what it shows leads back to what is remembered.

        Asked of the picture that was remembered last, it has to give the answer that that one
        gives itself; so an object may change as it goes, but not into another one at once.

        Parameters
        ----------
        step : how many frames were seen before
        frame : shape (H, W) or (H, W, 3)
        mask : shape (H, W), bool
            The object in it; the rest stays unknown.
        ask : of the segmenter

        Returns
        -------
        kept : bool
        """
        candidate = Reference.from_mask(frame, mask, label=self.label)
        newest = self.later[-1][1] if self.later else None
        home = newest or next(r for r in self.first if not r.is_not_this)
        if self._home_mask is None:
            self._home_mask = _found(ask(home.image, self.first if newest is None else [newest]))
        back = _found(ask(home.image, [candidate]))
        near = self._near(home)
        if _agreement(back & near, self._home_mask & near) < self.options.agreement:
            return False
        self.later.append((step, candidate))
        del self.later[: -self.options.size]
        self._home_mask = None
        return True

    def _near(self, home: Reference) -> NDArray[np.bool_]:
        """Return what has to agree: all of a kind, but of one object only its own surroundings."""
        if self.options.follow == "kind" or home.kind != "mask":
            return np.ones_like(home.positive)
        reach = NEAR * home.positive.sum() ** 0.5
        near: NDArray[np.bool_] = ndimage.distance_transform_edt(~home.positive) <= reach
        return near


def _found(prediction: Prediction) -> NDArray[np.bool_]:
    """Return the mask as if the object were there, which in its own picture it is."""
    found: NDArray[np.bool_] = prediction.probability > prediction.threshold
    return found


def _agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 0.0
