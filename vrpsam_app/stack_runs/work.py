"""What is asked about each piece of a stack: a plane shown whole, or one row of its tiles.

The same work is done in this process, in a dask graph and on the workers of a cluster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError
from vrpsam_app.images import has_finite
from vrpsam_app.recipe import pixels_sha256
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction, Segmenter, class_labels
from vrpsam_app.stack_runs.object_planes import ObjectTask, Scores
from vrpsam_app.stacks.row_reader import in_memory
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.rows import FinishedRows, TileRow, TileTask, Verdict, ask, predict_tile_row

Output = Literal["labels", "mask", "probability"]

# One question at a time in each process: the model uses all threads, or the one GPU, by itself.
_TURN = threading.Lock()


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a stack that is asked about at once.

    Attributes
    ----------
    index : of the plane
    tile_row : which row of tiles; None for a plane that is shown whole
    pixels : of the plane or the row of tiles, read or lazy
    pixels_sum : SHA-256 of the plane's pixels, once all of them were read
    sum_wanted : whether who reads a lazy plane also sums it
    """

    index: tuple[int, ...]
    tile_row: int | None
    pixels: Any
    pixels_sum: str | None = None
    sum_wanted: bool = False


@dataclass(frozen=True, eq=False)
class PlaneAnswer:
    """What was found in a plane that was shown whole.

    Attributes
    ----------
    values : shape (H, W)
        Of the kind that was asked for.
    verdicts : of each class
    pixels_sum : SHA-256 of the plane's pixels, if it is known
    objects : shape (classes, H, W), int32, if they are asked for
    scores : of the objects of each class, in the order of their numbers
    """

    values: NDArray[Any]
    verdicts: Mapping[str, Verdict]
    pixels_sum: str | None
    objects: NDArray[np.int32] | None = None
    scores: Scores = ()


@dataclass(frozen=True, eq=False)
class StackWork:
    """All that is the same for every piece; it goes to each worker once.

    Attributes
    ----------
    segmenter : anything that predicts
    references : as they are shown
    grid : of the tiles; None for planes that are shown whole
    task : classes, range, threshold
    output : ``labels`` (0 where no class is, else 1 + its index), ``mask`` or ``probability``
    objects : how planes that are shown whole become objects; None if they do not

    Raises
    ------
    ConfigError
        If a mask or a probability is asked for and there are several classes.
    """

    segmenter: Segmenter
    references: Sequence[Reference]
    grid: TileGrid | None
    task: TileTask
    output: Output = "labels"
    objects: ObjectTask | None = None

    def __post_init__(self) -> None:
        if self.output not in get_args(Output):
            raise ConfigError(
                f"Output is {self.output!r}: expected one of {', '.join(get_args(Output))}."
            )
        if self.output != "labels" and len(self.task.labels) > 1:
            raise ConfigError(
                f"A {self.output} is of one class, and the references have "
                f"{', '.join(self.task.labels)}: ask for labels, or give references of one class."
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        if self.output == "probability":
            return np.dtype(np.float32)
        if self.output == "mask":
            return np.dtype(np.bool_)
        return np.dtype(np.uint8 if len(self.task.labels) < 256 else np.uint16)

    def answer(
        self,
        piece: Piece,
        on_tile: Callable[[int, Mapping[str, Prediction]], None] | None = None,
    ) -> PlaneAnswer | TileRow:
        """Ask about one piece; a plane without any finite value holds nothing."""
        pixels = in_memory(piece.pixels)
        if self.grid is not None:
            with _TURN:
                return predict_tile_row(
                    self.segmenter, pixels, self.references, self.grid, self.task, on_tile
                )
        pixels_sum = pixels_sha256(pixels) if piece.sum_wanted else piece.pixels_sum
        nothing_scored: Scores = [[] for _ in self.task.labels]
        if not has_finite(pixels):
            nothing = {label: Verdict.together(()) for label in self.task.labels}
            hw = pixels.shape[:2]
            none = None if self.objects is None else np.zeros((len(nothing), *hw), np.int32)
            return PlaneAnswer(np.zeros(hw, self.dtype), nothing, pixels_sum, none, nothing_scored)
        objects, scores = None, nothing_scored
        with _TURN:
            found = ask(self.segmenter, pixels, self.references, self.task)
            if self.objects is not None:
                objects, scores = self.objects.scored_objects_of(
                    self.segmenter, pixels, found, self.task.intensity_range
                )
        values = self._values({k: (p.mask, p.probability) for k, p in found.items()})
        verdicts = {label: Verdict.of(found[label]) for label in self.task.labels}
        return PlaneAnswer(values, verdicts, pixels_sum, objects, scores)

    def values_of(
        self, finished: FinishedRows
    ) -> tuple[NDArray[Any], dict[str, NDArray[np.int64]]]:
        """Return the values of rows that no further tile will change.

        Returns
        -------
        values : shape (rows, plane columns)
        pixels : of each class, shape (rows,)
        """
        found = {
            label: ((probability > self.task.threshold) & finished.found_in[label], probability)
            for label, probability in finished.probability.items()
        }
        values = self._values(found)
        if len(found) == 1:
            masks = {label: mask for label, (mask, _) in found.items()}
        else:
            masks = {label: values == i for i, label in enumerate(self.task.labels, start=1)}
        return values, {label: mask.sum(axis=1) for label, mask in masks.items()}

    def _values(
        self, found: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.float32]]]
    ) -> NDArray[Any]:
        """Turn (mask, probability) of each class into what was asked for."""
        mask, probability = found[self.task.labels[0]]
        if self.output == "probability":
            return probability
        if len(self.task.labels) > 1:
            mask = class_labels([found[label] for label in self.task.labels])  # type: ignore[assignment]
        return mask.astype(self.dtype)
