"""How bright objects are, in each channel of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ImageError
from vrpsam_app.label_images import ObjectCounts

STATISTICS = ("mean", "std", "min", "max", "sum")
"""What is said of each channel, as endings of the columns' names."""
_COLOURS = ("red", "green", "blue")


def intensities_of(
    counts: ObjectCounts, image: ArrayLike, channels: Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Measure the brightness of objects in each channel.

    Parameters
    ----------
    counts : the objects of a plane
    image : shape (H, W) or (H, W, C)
        As stored. A fourth channel is opacity and left out.
    channels : their names; None takes ``intensity`` for one, ``red, green, blue`` for three

    Returns
    -------
    columns : by name, such as ``red_mean``, each of shape (N,)

    Raises
    ------
    ImageError
        If the sizes differ, or the names do not fit the channels.
    """
    pixels = np.asarray(image)
    if pixels.shape[:2] != counts.dense.shape or pixels.ndim not in (2, 3):
        raise ImageError(
            f"The image has shape {pixels.shape}, the objects {counts.dense.shape}: expected the "
            "same rows and columns. Was one resized or cropped?"
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    elif pixels.shape[2] == 4 and channels is None:
        pixels = pixels[..., :3]
    names = channels or (_COLOURS if pixels.shape[2] == 3 else _numbered(pixels.shape[2]))
    if len(names) != pixels.shape[2] or len(set(names)) < len(names):
        raise ImageError(
            f"{len(names)} names for {pixels.shape[2]} channels ({', '.join(names)}): expected a "
            "different one for each."
        )
    columns: dict[str, NDArray[Any]] = {}
    for channel, name in enumerate(names):
        found = _statistics(counts, pixels[..., channel])
        columns |= {f"{name}_{s}": v for s, v in zip(STATISTICS, found, strict=True)}
    return columns


def _statistics(counts: ObjectCounts, values: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
    """Return mean, spread, least, most and sum of the values inside each object, row by row."""
    total, square = np.zeros((2, len(counts.ids) + 1))
    # The least passes over NaN, the most shows it.
    least, most = np.full((2, len(counts.ids) + 1), [[np.nan], [-np.inf]])
    rows = [(values[i], inside) for i, inside in enumerate(counts.dense) if inside.any()]
    for row, inside in rows:
        row = row.astype(np.float64)
        np.add.at(total, inside, row)
        with np.errstate(invalid="ignore"):
            np.fmin.at(least, inside, row)
            np.maximum.at(most, inside, row)
    mean = np.concatenate([[0.0], total[1:] / counts.pixels])
    for row, inside in rows:
        np.add.at(square, inside, (row.astype(np.float64) - mean[inside]) ** 2)
    spread = np.sqrt(square[1:] / counts.pixels)
    return mean[1:], spread, least[1:], most[1:], total[1:]


def _numbered(count: int) -> tuple[str, ...]:
    return ("intensity",) if count == 1 else tuple(f"channel{i}" for i in range(count))
