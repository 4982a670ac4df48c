"""From answers about planes and rows of tiles to the blocks that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.stack_runs.journal import BlockNote
from vrpsam_app.stack_runs.object_planes import Scores
from vrpsam_app.stack_runs.result_array import ResultLayout
from vrpsam_app.stack_runs.work import Piece, PlaneAnswer, StackWork
from vrpsam_app.tiles.rows import PlaneBlender, TileRow, Verdict


@dataclass(frozen=True, eq=False)
class Block:
    """What is stored at once.

    Attributes
    ----------
    note : which block it is, and what became known with it
    values : shape (rows, plane columns)
    objects : of the whole plane, shape (classes, H, W), with its first block
    scores : of these, see :class:`vrpsam_app.stack_runs.work.PlaneAnswer`
    """

    note: BlockNote
    values: NDArray[Any]
    objects: NDArray[np.int32] | None = None
    scores: Scores = ()


class Assembly:
    """Takes answers in the order of the pieces and gives back blocks as they are complete.

    Parameters
    ----------
    work, layout : of the run
    first_blocks : index of each plane that is asked about to its first block that is not stored
    """

    def __init__(
        self, work: StackWork, layout: ResultLayout, first_blocks: Mapping[tuple[int, ...], int]
    ) -> None:
        self._work = work
        self._layout = layout
        self._first_blocks = first_blocks
        self._plane: _PlaneInTiles | None = None

    def take(self, piece: Piece, answer: PlaneAnswer | TileRow) -> Iterator[Block]:
        """Take the answer to the next piece."""
        if isinstance(answer, PlaneAnswer):
            yield from self._whole(piece, answer)
        elif self._work.grid is not None and piece.tile_row is not None:
            if self._plane is None or self._plane.index != piece.index:
                blender = PlaneBlender(self._work.grid, self._work.task, piece.tile_row)
                first = self._first_blocks[piece.index]
                self._plane = _PlaneInTiles(piece.index, first, blender, self._work, self._layout)
            yield from self._plane.take(piece.tile_row, answer, piece.pixels_sum)

    def _whole(self, piece: Piece, answer: PlaneAnswer) -> Iterator[Block]:
        verdicts = {label: {0: (verdict,)} for label, verdict in answer.verdicts.items()}
        for block in range(self._first_blocks[piece.index], self._layout.blocks):
            last = block == self._layout.blocks - 1
            # All of the plane's pixels are told with its first block.
            note = BlockNote(
                piece.index,
                (block,),
                verdicts if block == 0 else {},
                {k: 0 if block else v.pixels for k, v in answer.verdicts.items()},
                answer.pixels_sum if last else None,
            )
            objects = None if block else answer.objects
            yield Block(note, answer.values[self._layout.rows(block)], objects, answer.scores)


class _PlaneInTiles:
    """One plane: rows that are final are gathered into blocks."""

    def __init__(
        self,
        index: tuple[int, ...],
        first_block: int,
        blender: PlaneBlender,
        work: StackWork,
        layout: ResultLayout,
    ) -> None:
        self.index = index
        self._block = first_block
        self._blender = blender
        self._work = work
        self._layout = layout
        self._band = np.empty((layout.block_rows, layout.plane_hw[1]), work.dtype)
        self._counts = dict.fromkeys(work.task.labels, 0)
        self._verdicts: dict[str, dict[int, Sequence[Verdict]]] = {
            label: {} for label in work.task.labels
        }

    def take(self, tile_row: int, row: TileRow, pixels_sum: str | None) -> Iterator[Block]:
        """Take the next row of tiles."""
        for label, verdicts in row.verdicts.items():
            self._verdicts[label][tile_row] = verdicts
        finished = self._blender.add(row)
        values, counts = self._work.values_of(finished)
        while self._block < self._layout.blocks:
            rows = self._layout.rows(self._block)
            begin, end = max(rows.start, finished.rows.start), min(rows.stop, finished.rows.stop)
            if begin >= end:
                return
            part = slice(begin - finished.rows.start, end - finished.rows.start)
            self._band[begin - rows.start : end - rows.start] = values[part]
            for label, of_row in counts.items():
                self._counts[label] += int(of_row[part].sum())
            if end < rows.stop:
                return
            last = self._block == self._layout.blocks - 1
            yield self._complete(rows.stop - rows.start, pixels_sum if last else None)

    def _complete(self, count: int, pixels_sum: str | None) -> Block:
        note = BlockNote(self.index, (self._block,), self._verdicts, self._counts, pixels_sum)
        self._block += 1
        self._counts = dict.fromkeys(self._counts, 0)
        self._verdicts = {label: {} for label in self._verdicts}
        return Block(note, self._band[:count].copy())
