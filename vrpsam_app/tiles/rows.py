"""One row of overlapping tiles after the other: what the model says of each, blended together.

A tile's probabilities become logits; logits of overlapping tiles are averaged, each weighted by how
far the pixel is from its tile's border; the average becomes a probability again. A pixel belongs to
the mask if its probability is above the threshold and at least one tile that covers it judged the
object present. For the plane as a whole

- ``presence`` is the largest of all tiles, and ``present`` says whether any tile found the object;
- ``score`` is the mean of the tiles', weighted by the pixels each puts into the mask.

A tile is empty, and the model is not asked, if every pixel of it has the same colour once it is
brought to 8 bits, or none is finite - unless a tenth of the pixels marked in some reference have
that very colour. Empty tiles hold no object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction, Segmenter
from vrpsam_app.stacks.row_reader import RowReader
from vrpsam_app.tiles.grid import RowBlender, TileGrid, to_logits, to_probability

EMPTY_LOGIT = -6.0
"""Logit of an empty tile (a probability of 0.0025), with which it is blended like any other."""
OWN_COLOUR_SHARE = 0.1
"""A colour that this share of the marked pixels has may be the object's, even if all are equal."""
# A look at every so manieth pixel tells nearly every tile from an empty one.
_GLANCE = 16

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model said about one class in one plane or tile.

    Attributes
    ----------
    presence, present, score : as in a :class:`Prediction`
    pixels : of the mask
    """

    presence: float
    present: bool
    score: float
    pixels: int

    @classmethod
    def of(cls, prediction: Prediction) -> Verdict:
        """Keep what fits in a line of a table."""
        return cls(
            float(prediction.presence),
            bool(prediction.present),
            float(prediction.score),
            int(prediction.mask.sum()),
        )

    @classmethod
    def together(cls, verdicts: Sequence[Verdict]) -> Verdict:
        """Judge a plane by its tiles, by the rules in the module's text.

        Pixels in which tiles overlap count for each.
        """
        if not verdicts:
            return cls(0.0, False, 0.0, 0)
        if len(verdicts) == 1:
            return verdicts[0]
        pixels = np.array([v.pixels for v in verdicts], float)
        best = max(verdicts, key=lambda v: v.presence)
        scores = np.array([v.score for v in verdicts])
        score = float((scores * pixels).sum() / pixels.sum()) if pixels.any() else best.score
        return cls(best.presence, any(v.present for v in verdicts), score, int(pixels.sum()))


@dataclass(frozen=True, eq=False)
class TileRow:
    """One row of tiles, blended across.

    Attributes
    ----------
    logits : of each class, shape (tile rows, plane columns), float32
    present : of each class, shape (plane columns,), bool
        Whether a tile that covers the column judged the class present.
    verdicts : of each class, one for each tile that was not empty
    """

    logits: Mapping[str, NDArray[np.float32]]
    present: Mapping[str, NDArray[np.bool_]]
    verdicts: Mapping[str, tuple[Verdict, ...]]


@dataclass(frozen=True, slots=True)
class TileTask:
    """What is the same for all tiles of a run.

    Attributes
    ----------
    labels : classes, in order
    intensity_range : of the whole set
    threshold : on the probability
    object_colours : colours that count as the object's even where nothing else is
    batch_size : pictures that are encoded together, where the segmenter can
    """

    labels: tuple[str, ...]
    intensity_range: IntensityRange | None
    threshold: float
    object_colours: frozenset[Colour]
    batch_size: int = 1

    @classmethod
    def of(
        cls,
        references: Sequence[Reference],
        intensity_range: IntensityRange | None,
        threshold: float,
        *,
        in_tiles: bool,
        batch_size: int = 1,
    ) -> TileTask:
        """Find out what the references say about it; colours only matter to tiles."""
        labels = tuple(dict.fromkeys(r.label for r in references))
        looked_at = references if in_tiles else ()
        colours = frozenset(c for r in looked_at for c in _common_colours(r, intensity_range))
        return cls(labels, intensity_range, threshold, colours, batch_size)


@dataclass(frozen=True, eq=False)
class FinishedRows:
    """Rows of a plane that no further tile will change.

    Attributes
    ----------
    rows : of the plane
    probability, found_in : of each class, shape (rows, plane columns)
    verdicts : of the row of tiles that completed them
    """

    rows: slice
    probability: Mapping[str, NDArray[np.float32]]
    found_in: Mapping[str, NDArray[np.bool_]]
    verdicts: Mapping[str, tuple[Verdict, ...]]


def predict_tile_row(
    segmenter: Segmenter,
    rows: NDArray[Any],
    references: Sequence[Reference],
    grid: TileGrid,
    task: TileTask,
    on_tile: Callable[[int, Mapping[str, Prediction]], None] | None = None,
) -> TileRow:
    """Ask the model about every tile of a row.

    Parameters
    ----------
    rows : shape (tile rows, plane columns[, channels])
    on_tile : called after each tile with its column and its predictions, none if it was empty
    """
    hw = rows.shape[:2]
    logits = {label: np.zeros(hw, np.float32) for label in task.labels}
    present = {label: np.zeros(hw[1], np.bool_) for label in task.labels}
    verdicts: dict[str, list[Verdict]] = {label: [] for label in task.labels}
    tiles = [np.ascontiguousarray(rows[:, grid.cols(i)]) for i in range(len(grid.col_starts))]
    filled = [i for i, tile in enumerate(tiles) if not is_empty(tile, task)]
    for i, tile in enumerate(tiles):
        cols, shares = grid.cols(i), grid.col_shares(i)
        found: Mapping[str, Prediction] = {}
        if i in filled:
            if (place := filled.index(i)) % task.batch_size == 0:
                encode(segmenter, [tiles[k] for k in filled[place : place + task.batch_size]], task)
            found = ask(segmenter, tile, references, task)
        for label in task.labels:
            if label not in found:
                logits[label][:, cols] += shares * np.float32(EMPTY_LOGIT)
                continue
            logits[label][:, cols] += shares * to_logits(found[label].probability)
            present[label][cols] |= found[label].present
            verdicts[label].append(Verdict.of(found[label]))
        if on_tile is not None:
            on_tile(i, found)
    return TileRow(logits, present, {label: tuple(v) for label, v in verdicts.items()})


def ask(
    segmenter: Segmenter, picture: NDArray[Any], references: Sequence[Reference], task: TileTask
) -> Mapping[str, Prediction]:
    """Return the prediction of each class in one picture."""
    intensity_range, threshold = task.intensity_range, task.threshold
    if len(task.labels) > 1:
        return segmenter.predict_classes(
            picture, references, intensity_range=intensity_range, threshold=threshold
        ).predictions
    return {
        task.labels[0]: segmenter.predict(
            picture, references, intensity_range=intensity_range, threshold=threshold
        )
    }


def encode(segmenter: Segmenter, pictures: Sequence[NDArray[Any]], task: TileTask) -> None:
    """Encode pictures of one size together, where that is wanted and the segmenter can."""
    prepare_many = getattr(segmenter, "prepare_many", None)
    if task.batch_size > 1 and prepare_many is not None:
        prepare_many(pictures, intensity_range=task.intensity_range)


def is_empty(tile: NDArray[Any], task: TileTask) -> bool:
    """Tell whether a tile is empty, by the rule in the module's text."""
    glance = tile[::_GLANCE, ::_GLANCE]
    if tile.dtype.kind == "f" and not np.isfinite(glance).any():
        if not np.isfinite(tile).any():
            return True
        glance = tile
    if _only_colour(to_rgb(glance, task.intensity_range)) is None:
        return False
    colour = _only_colour(to_rgb(tile, task.intensity_range))
    return colour is not None and colour not in task.object_colours


class PlaneBlender:
    """Takes rows of tiles in order and gives back the plane's rows that became final.

    Parameters
    ----------
    grid, task : of the plane
    first : the first row of tiles that will come
    """

    def __init__(self, grid: TileGrid, task: TileTask, first: int = 0) -> None:
        self._grid = grid
        self._next = first
        self._blenders = {label: RowBlender(grid, first) for label in task.labels}

    def add(self, row: TileRow) -> FinishedRows:
        """Take the next row of tiles."""
        rows = self._grid.finished_rows(self._next)
        self._next += 1
        probability, found_in = {}, {}
        for label, blender in self._blenders.items():
            logits, found_in[label] = blender.add(row.logits[label], row.present[label])
            probability[label] = to_probability(logits)
        return FinishedRows(rows, probability, found_in, row.verdicts)


def finished_rows(
    segmenter: Segmenter,
    plane: Any,
    references: Sequence[Reference],
    grid: TileGrid,
    task: TileTask,
    *,
    on_tile: Callable[[int, int, Mapping[str, Prediction]], None],
) -> Iterator[FinishedRows]:
    """Ask about a whole plane and yield its rows from the top as they become final.

    Parameters
    ----------
    plane : shape (H, W) or (H, W, channels), lazy or not
    on_tile : called after each tile with its row and column and its predictions
    """
    reader, blender = RowReader(plane), PlaneBlender(grid, task)
    for i in range(len(grid.row_starts)):
        rows = reader.rows(grid.rows(i))
        yield blender.add(
            predict_tile_row(segmenter, rows, references, grid, task, partial(on_tile, i))
        )


def _only_colour(rgb: NDArray[np.uint8]) -> Colour | None:
    """Return the colour that all pixels have, None if there are several."""
    first = rgb[0, 0]
    return None if (rgb != first).any() else (int(first[0]), int(first[1]), int(first[2]))


def _common_colours(reference: Reference, intensity_range: IntensityRange | None) -> set[Colour]:
    """Return the colours that a tenth or more of the marked pixels have, in 8 bits."""
    if reference.is_not_this:
        return set()
    marked = to_rgb(reference.image, intensity_range)[reference.positive].astype(np.int64)
    codes, counts = np.unique(marked @ np.array([65536, 256, 1]), return_counts=True)
    common = codes[counts >= OWN_COLOUR_SHARE * len(marked)]
    return {(int(c) >> 16, int(c) >> 8 & 255, int(c) & 255) for c in common}
