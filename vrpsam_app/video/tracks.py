"""Where an object was, how it moves, and how far from there a place is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

GRID_SIDE = 240
"""Longer side, in cells, of the grid on which places are compared."""

KEPT_SPEED = 0.4
"""Share of the speed that is not replaced by what the last step shows."""
COASTING = 8
"""Frames for which an unseen object is believed to go on as before."""
WHOLE = (0.6, 1.6)
"""An object shows itself whole if its area is so much of what it was."""
REACH = 0.6
"""Objects are looked for within this share of the root of their area, and more when unseen."""
CENTRE_WEIGHT = 0.1
"""Cost of a cell's distance from an object's middle, beside that from its border."""


@dataclass(slots=True)
class Track:
    """One object on its way.

    Attributes
    ----------
    label : of the object; None for one that only looks like one
    mask : shape (h, w), bool
        Where it was last seen, on the grid.
    area : cells that it has when it is seen whole
    velocity : rows and columns in a frame
    unseen : frames since it was last seen
    age : frames since it was first seen
    """

    label: str | None
    mask: NDArray[np.bool_]
    area: float
    velocity: tuple[float, float] = (0.0, 0.0)
    unseen: int = 0
    age: int = 0

    @classmethod
    def begin(cls, label: str | None, mask: NDArray[np.bool_]) -> Track:
        """Begin with an object that is seen."""
        return cls(label, mask, float(np.count_nonzero(mask)))

    @property
    def lost(self) -> bool:
        """Whether it was not seen for so long that it may be anywhere."""
        return self.unseen > COASTING

    @property
    def reach(self) -> float:
        """How far from where it should be it is looked for, in cells."""
        return float(REACH * self.area**0.5 * (1 + 0.25 * self.unseen) + 2)

    def is_whole(self, cells: float) -> bool:
        """Tell whether so many cells are all of it."""
        return WHOLE[0] * self.area <= cells <= WHOLE[1] * self.area

    def expected(self) -> NDArray[np.bool_]:
        """Return where it should be now."""
        steps = min(self.unseen + 1, COASTING)
        shift = [round(steps * speed) for speed in self.velocity]
        return shifted(self.mask, (shift[0], shift[1]))

    def cost(self) -> NDArray[np.float64]:
        """Return what it costs each cell to belong to it: how far it lies from where it should."""
        expected = self.expected()
        if not expected.any():
            return np.full(expected.shape, np.inf)
        away = ndimage.distance_transform_edt(~expected)
        row, col = centre_of(expected)
        rows, cols = np.indices(expected.shape)
        middle = np.hypot(rows - row, cols - col)
        return np.asarray(away + CENTRE_WEIGHT * middle)

    def see(self, mask: NDArray[np.bool_], *, alone: bool) -> None:
        """Take note of where it is now.

        Parameters
        ----------
        mask : not empty
        alone : whether nothing hid a part of it and nothing clung to it
        """
        cells = float(np.count_nonzero(mask))
        whole = alone and self.is_whole(cells)
        if whole and not self.unseen:
            now, before = centre_of(mask), centre_of(self.mask)
            self.velocity = (
                KEPT_SPEED * self.velocity[0] + (1 - KEPT_SPEED) * (now[0] - before[0]),
                KEPT_SPEED * self.velocity[1] + (1 - KEPT_SPEED) * (now[1] - before[1]),
            )
        elif self.unseen:
            self.velocity = (0.0, 0.0)
        if whole:
            self.area = 0.7 * self.area + 0.3 * cells
        self.mask, self.unseen, self.age = mask, 0, self.age + 1

    def miss(self) -> None:
        """Take note that it was not seen."""
        self.unseen, self.age = self.unseen + 1, self.age + 1


def centre_of(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean row and column of a mask that is not empty."""
    rows, cols = np.nonzero(mask)
    return float(rows.mean()), float(cols.mean())


def shifted(mask: NDArray[np.bool_], by: tuple[int, int]) -> NDArray[np.bool_]:
    """Move a mask by rows and columns; what leaves the frame is lost."""
    moved = np.zeros_like(mask)
    height, width = mask.shape
    rows, cols = by
    if abs(rows) >= height or abs(cols) >= width:
        return moved
    moved[max(rows, 0) : height + min(rows, 0), max(cols, 0) : width + min(cols, 0)] = mask[
        max(-rows, 0) : height - max(rows, 0), max(-cols, 0) : width - max(cols, 0)
    ]
    return moved


@dataclass(frozen=True, slots=True)
class Grid:
    """The coarse grid over frames of one size: cells of `step` x `step` pixels."""

    hw: tuple[int, int]
    step: int

    @classmethod
    def of(cls, hw: tuple[int, int]) -> Grid:
        """Choose cells for frames of a size."""
        return cls(hw, max(1, -(-max(hw) // GRID_SIDE)))

    def coarse(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the cells that a mask touches, so that nothing vanishes."""
        if self.step == 1:
            return mask
        rows = np.logical_or.reduceat(mask, np.arange(0, self.hw[0], self.step), axis=0)
        cells: NDArray[np.bool_] = np.logical_or.reduceat(
            rows, np.arange(0, self.hw[1], self.step), axis=1
        )
        return cells

    def strongest(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the largest value in each cell."""
        if self.step == 1:
            return values
        rows = np.maximum.reduceat(values, np.arange(0, self.hw[0], self.step), axis=0)
        cells: NDArray[np.float32] = np.maximum.reduceat(
            rows, np.arange(0, self.hw[1], self.step), axis=1
        )
        return cells

    def fine(self, cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the pixels of cells."""
        if self.step == 1:
            return cells
        whole = cells.repeat(self.step, axis=0).repeat(self.step, axis=1)
        return whole[: self.hw[0], : self.hw[1]]
