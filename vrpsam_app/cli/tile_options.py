"""The option that says how large planes are shown to the model, the same for all commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.stack_runs.targets import StackReading
    from vrpsam_app.tiles.plan import TileOptions


def add_tile_option(group: argparse._ActionsContainer, more: str = "") -> None:
    """Add ``--tiles``; `more` ends its help."""
    group.add_argument(
        "--tiles",
        metavar="HOW",
        help="auto: large planes with small objects are cut into tiles; whole: never; tiles: "
        f"always; a number: always, of so many pixels (default: auto){more}",
    )


def tile_options(
    options: argparse.Namespace,
    references: Sequence[Path] = (),
    reading: StackReading | None = None,
) -> TileOptions:
    """Return how planes are shown: as was said, else by the rule.

    Parameters
    ----------
    references : files of the references, whose pixel size counts if it is known
    reading : how they are opened; a pixel size that was typed is theirs as well

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    from vrpsam_app.stack_runs.targets import StackReading, common_pixel_size
    from vrpsam_app.tiles.plan import TileOptions, Tiling

    how: Any = options.tiles or "auto"
    reading, size = reading or StackReading(), None
    if references:
        size = reading.pixel_size or common_pixel_size(references, reading)
    if how.isdecimal():
        return TileOptions("tiles", tile=int(how), reference_pixel_size=size)
    if how not in get_args(Tiling):
        raise ConfigError(f"--tiles {how}: expected auto, whole, tiles, or a number of pixels.")
    return TileOptions(how, reference_pixel_size=size)
