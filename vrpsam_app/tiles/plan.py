"""Whether a plane is shown to the model whole or in tiles, and how large the tiles are.

The rule, in pixels of the model's input, whose longer side is S (512 for the embedded model):

- An object should measure 24 to 128. Tiles are S wide where it does so as it is; smaller objects
  are enlarged to 24, at most four times, larger ones reduced to 128. Where the size is unknown,
  nothing is enlarged or reduced.
- ``auto`` shows the plane whole if it fits in one tile, or if the object still measures 16 in it;
  where the size is unknown, if it is reduced to a half at the most.
- Neighbours share a quarter of a tile, or 1.25 objects if that is more, up to a half: so an object
  of that size lies wholly in at least one tile.
- Where the pixel sizes of reference and target are both known, the object's size is converted, and
  references are shown at the target's scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.option_text import check_number
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.object_scale import (
    clicked_object_size,
    object_size,
    pixel_ratio,
    reference_windows,
)

Tiling = Literal["auto", "whole", "tiles"]

DEFAULT_INPUT_SIDE = 512
"""Side of a tile for segmenters that do not say how much they see at once."""
SMALLEST_OBJECT, LARGEST_OBJECT = 24.0, 128.0
SMALLEST_IN_WHOLE = 16.0
MOST_ENLARGED = 4.0
LEAST_OVERLAP, MOST_OVERLAP = 0.25, 0.5
OBJECTS_IN_OVERLAP = 1.25
MOST_REDUCED_UNKNOWN = 2.0
"""How much a plane is reduced to be shown whole if nobody knows how large the object is."""
MOST_WINDOWS = 8
"""Windows that all references are cut into together; one reference gives half of them at most."""


@dataclass(frozen=True, slots=True)
class TileOptions:
    """What a person may say about tiles; everything else follows from the references.

    Attributes
    ----------
    tiling : ``auto``, ``whole`` or ``tiles``
    tile : side of a tile in pixels of the target; None takes the rule
    overlap : pixels that neighbours share; None takes the rule
    object_pixels : size of the object in pixels of the references; None measures it
    reference_pixel_size : physical size of the references' pixels
    """

    tiling: Tiling = "auto"
    tile: int | None = None
    overlap: int | None = None
    object_pixels: float | None = None
    reference_pixel_size: PixelSize | None = None

    def __post_init__(self) -> None:
        if self.tiling not in get_args(Tiling):
            raise ConfigError(
                f"Tiling is {self.tiling!r}: expected one of {', '.join(get_args(Tiling))}."
            )
        check_number(self, "tile", 1, whole=True)
        check_number(self, "overlap", 0, whole=True)
        check_number(self, "object_pixels", 1)
        if not isinstance(self.reference_pixel_size, PixelSize | None):
            raise ConfigError(
                f"Reference-pixel-size is {self.reference_pixel_size!r}: expected "
                "PixelSize(row, col)."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values, from which :meth:`from_json` makes equal options."""
        size = self.reference_pixel_size
        return {
            "tiling": self.tiling,
            "tile": self.tile,
            "overlap": self.overlap,
            "object_pixels": self.object_pixels,
            "reference_pixel_size": None if size is None else [size.row, size.col, size.unit],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TileOptions:
        """Read options that a recipe holds; what is missing takes the rule.

        Raises
        ------
        ConfigError
            If a value is none that :meth:`to_json` writes.
        """
        size = data.get("reference_pixel_size")
        try:
            return cls(
                tiling=data.get("tiling", "auto"),
                tile=data.get("tile"),
                overlap=data.get("overlap"),
                object_pixels=data.get("object_pixels"),
                reference_pixel_size=(
                    None if size is None else PixelSize(size[0], size[1], unit=size[2])
                ),
            )
        except (TypeError, ValueError, IndexError) as error:
            raise ConfigError(
                f"The options of tiles {dict(data)!r} cannot be read ({error}). Use a copy of the "
                "original recipe."
            ) from error


DEFAULT_TILES = TileOptions()
"""What is done where nothing else is said."""


@dataclass(frozen=True, eq=False)
class TilePlan:
    """How every plane of one size is shown to the model.

    Attributes
    ----------
    grid : TileGrid, or None if the plane is shown whole
    references : as they are shown beside it
    object_pixels : size of the object in pixels of the target, None if unknown
    """

    grid: TileGrid | None
    references: tuple[Reference, ...]
    object_pixels: float | None

    def to_json(self) -> dict[str, Any]:
        """Return what a recipe records of it."""
        size = None if self.object_pixels is None else round(self.object_pixels, 2)
        if self.grid is None:
            return {"tiling": "whole", "object_pixels": size}
        return {
            "tiling": "tiles",
            "tile_hw": list(self.grid.tile_hw),
            "tiles": [len(self.grid.row_starts), len(self.grid.col_starts)],
            "object_pixels": size,
        }


def plan_tiles(
    segmenter: Segmenter,
    plane_hw: tuple[int, int],
    references: Sequence[Reference],
    options: TileOptions = DEFAULT_TILES,
    *,
    pixel_size: PixelSize | None = None,
    intensity_range: IntensityRange | None = None,
) -> TilePlan:
    """Decide how planes of a size are shown, by the rule that the module's text states.

    Parameters
    ----------
    plane_hw : (rows, columns) of the target
    pixel_size : physical size of the target's pixels
    intensity_range : in which clicked references are shown to find out how large the object is
    """
    side = input_side(segmenter)
    longest = max(plane_hw)
    ratio = pixel_ratio(options.reference_pixel_size, pixel_size)
    size = options.object_pixels or object_size(references)
    whole = options.tiling == "whole" or (options.tiling == "auto" and longest <= side)
    if size is None and not whole:
        size = clicked_object_size(segmenter, references, side, intensity_range=intensity_range)
    in_target = None if size is None else size * ratio
    tile = options.tile or round(side / _scale(in_target))
    if options.tiling == "auto":
        whole = longest <= tile or _seen_whole(in_target, side / longest)
    if whole or longest <= tile:
        return TilePlan(None, _alike(references, longest, ratio), in_target)
    overlap = options.overlap
    if overlap is None:
        wanted = max(LEAST_OVERLAP * tile, OBJECTS_IN_OVERLAP * (in_target or 0))
        overlap = math.floor(min(wanted, MOST_OVERLAP * tile))
    most = max(1, min(MOST_WINDOWS // len(references), MOST_WINDOWS // 2))
    windows = [w for r in references for w in reference_windows(r, round(tile / ratio), most)]
    return TilePlan(TileGrid.over(plane_hw, tile, overlap), tuple(windows), in_target)


def input_side(segmenter: Segmenter) -> int:
    """Return the longer side, in pixels, of what a segmenter sees without reducing it."""
    return int(getattr(segmenter, "input_side", DEFAULT_INPUT_SIDE))


def _scale(object_pixels: float | None) -> float:
    """Return pixels of the model's input per pixel of the target."""
    if object_pixels is None:
        return 1.0
    if object_pixels < SMALLEST_OBJECT:
        return min(SMALLEST_OBJECT / object_pixels, MOST_ENLARGED)
    return min(1.0, LARGEST_OBJECT / object_pixels)


def _seen_whole(object_pixels: float | None, scale: float) -> bool:
    """Tell whether a plane may be shown whole at this scale."""
    if object_pixels is None:
        return scale >= 1 / MOST_REDUCED_UNKNOWN
    return object_pixels * min(scale, MOST_ENLARGED) >= SMALLEST_IN_WHOLE


def _alike(references: Sequence[Reference], longest: int, ratio: float) -> tuple[Reference, ...]:
    """Return references at the scale of a whole plane if their pixels are of another size."""
    if ratio == 1:
        return tuple(references)
    windows = [reference_windows(r, max(1, round(longest / ratio)), 1) for r in references]
    return tuple(w for of_one in windows for w in of_one)
