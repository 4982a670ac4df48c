"""Where the tiles of a large plane lie, and how their answers become one without seams."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError

LOGIT_LIMIT = 10.0
"""Logits are kept within this, so that a tile that is very sure does not outvote its neighbour."""
# Weight of a tile's outermost pixels beside its middle: above zero, because at the plane's border
# nobody else has a say.
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Overlapping tiles of one size that cover a plane, evenly spread.

    Attributes
    ----------
    plane_hw, tile_hw : (rows, columns); a tile is never larger than the plane
    row_starts, col_starts : first row of each row of tiles, first column of each column
    """

    plane_hw: tuple[int, int]
    tile_hw: tuple[int, int]
    row_starts: tuple[int, ...]
    col_starts: tuple[int, ...]

    @classmethod
    def over(cls, plane_hw: tuple[int, int], tile: int, overlap: int) -> TileGrid:
        """Cover a plane by square tiles, cut to the plane where it is smaller.

        Parameters
        ----------
        plane_hw : (rows, columns)
        tile : side of a tile in pixels
        overlap : pixels that neighbours share at least

        Raises
        ------
        ConfigError
            If the tile is empty, or the overlap is not below half of it.
        """
        if tile < 1 or not 0 <= overlap <= tile // 2:
            raise ConfigError(
                f"Tiles of {tile} pixels with an overlap of {overlap}: expected a positive side "
                "and an overlap between 0 and half of it."
            )
        height, width = (min(tile, side) for side in plane_hw)
        return cls(
            plane_hw=plane_hw,
            tile_hw=(height, width),
            row_starts=_starts(plane_hw[0], height, overlap),
            col_starts=_starts(plane_hw[1], width, overlap),
        )

    def __len__(self) -> int:
        return len(self.row_starts) * len(self.col_starts)

    def rows(self, tile_row: int) -> slice:
        """Return the rows of the plane that a row of tiles covers."""
        start = self.row_starts[tile_row]
        return slice(start, start + self.tile_hw[0])

    def cols(self, tile_col: int) -> slice:
        """Return the columns of the plane that a column of tiles covers."""
        start = self.col_starts[tile_col]
        return slice(start, start + self.tile_hw[1])

    def finished_rows(self, tile_row: int) -> slice:
        """Return the rows that are final once this row of tiles and all above it are known."""
        starts = (*self.row_starts, self.plane_hw[0])
        return slice(starts[tile_row], starts[tile_row + 1])

    def tile_rows_of(self, rows: slice) -> range:
        """Return which rows of tiles have a say in some rows of the plane."""
        involved = [
            i
            for i in range(len(self.row_starts))
            if self.rows(i).start < rows.stop and self.rows(i).stop > rows.start
        ]
        return range(involved[0], involved[-1] + 1)

    def row_shares(self, tile_row: int) -> NDArray[np.float32]:
        """Return how much each row of a row of tiles counts; 1 where no other covers it."""
        return _shares(self.row_starts, self.tile_hw[0], tile_row)

    def col_shares(self, tile_col: int) -> NDArray[np.float32]:
        """Return how much each column of a tile counts; 1 where no other covers it."""
        return _shares(self.col_starts, self.tile_hw[1], tile_col)


class RowBlender:
    """Adds rows of tiles from the top down and gives back the rows that are final.

    Parameters
    ----------
    grid : TileGrid
    first : the first row of tiles that will come; rows above it are not asked for

    Notes
    -----
    Weights are sine squared windows, first across and then down, divided by their sum. They are
    added in the order of the rows, whatever the order in which tiles were computed, so that equal
    tiles give equal bytes.
    """

    def __init__(self, grid: TileGrid, first: int = 0) -> None:
        self._grid = grid
        self._next = first
        self._sums = np.zeros(grid.tile_hw[:1] + grid.plane_hw[1:], np.float32)
        self._seen = np.zeros(self._sums.shape, np.bool_)

    def add(
        self, logits: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Take the next row of tiles.

        Parameters
        ----------
        logits : shape (tile rows, plane columns), already blended across
        present : shape (plane columns,)
            Whether a tile that covers the column found the object.

        Returns
        -------
        logits, present : shape (rows, plane columns)
            The rows that :meth:`TileGrid.finished_rows` names. `present` says whether any tile that
            covers the pixel found the object.
        """
        grid, row = self._grid, self._next
        self._sums += grid.row_shares(row)[:, None] * logits
        self._seen |= present
        done = grid.finished_rows(row)
        count = done.stop - done.start
        finished = self._sums[:count].copy(), self._seen[:count].copy()
        for held in (self._sums, self._seen):
            held[: len(held) - count] = held[count:].copy()
            held[len(held) - count :] = 0
        self._next += 1
        return finished


def to_logits(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return logits of probabilities, kept within ``LOGIT_LIMIT``."""
    least = np.float32(1 / (1 + np.exp(LOGIT_LIMIT)))
    inside = np.clip(probability, least, 1 - least)
    return np.asarray(np.log(inside) - np.log1p(-inside), np.float32)


def to_probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """Spread as few tiles as needed evenly, the first at the beginning, the last at the end."""
    if tile >= length:
        return (0,)
    count = 1 + math.ceil((length - tile) / (tile - overlap))
    return tuple(round(i * (length - tile) / (count - 1)) for i in range(count))


def _shares(starts: tuple[int, ...], tile: int, index: int) -> NDArray[np.float32]:
    """Return the window of one tile divided by the sum of all windows, over its own pixels."""
    window = np.maximum(np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2, _LEAST_WEIGHT)
    own = starts[index]
    total = np.zeros(tile)
    for start in starts:
        shift = start - own
        if abs(shift) < tile:
            low, high = max(0, shift), min(tile, tile + shift)
            total[low:high] += window[low - shift : high - shift]
    return np.asarray(window / total, np.float32)
