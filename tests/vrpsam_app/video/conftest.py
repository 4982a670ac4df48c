"""Squares that move over grey, and a segmenter that finds them by their colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vrpsam_app.references import Reference

RED, GREEN = (220, 40, 40), (40, 200, 60)
HW = (60, 80)


class MovingSquares:
    """A film of squares: each a colour, and its place (row, col) in each frame or None."""

    side = 12

    def __init__(self, *squares: tuple[tuple[int, int, int], Sequence[Any]]) -> None:
        self.squares = squares
        self.count = len(squares[0][1])

    def frame(self, number: int) -> NDArray[np.uint8]:
        picture = np.full((*HW, 3), 120, np.uint8)
        for colour, places in self.squares:
            if places[number] is not None:
                picture[self._at(places[number])] = colour
        return picture

    def truth(self, square: int, number: int) -> NDArray[np.bool_]:
        mask = np.zeros(HW, bool)
        place = self.squares[square][1][number]
        if place is not None:
            mask[self._at(place)] = True
        return mask

    def frames(self) -> NDArray[np.uint8]:
        return np.stack([self.frame(i) for i in range(self.count)])

    def reference(self, square: int, number: int = 0, label: str = "object") -> Reference:
        return Reference.from_mask(self.frame(number), self.truth(square, number), label=label)

    def _at(self, place: tuple[int, int]) -> tuple[slice, slice]:
        row, col = place
        return (
            slice(max(row, 0), max(row + self.side, 0)),
            slice(max(col, 0), max(col + self.side, 0)),
        )


@pytest.fixture
def finder(colour_segmenter: Any) -> Any:
    """Return a segmenter that finds every pixel of a marked colour, and is sure of it."""
    colour_segmenter.score = 0.9
    return colour_segmenter


@pytest.fixture(scope="session")
def squares() -> type[MovingSquares]:
    return MovingSquares


@pytest.fixture(scope="session")
def red() -> tuple[int, int, int]:
    return RED


@pytest.fixture(scope="session")
def green() -> tuple[int, int, int]:
    return GREEN
