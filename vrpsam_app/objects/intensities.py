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
COUNT = "count"
"""Ending of the column that says how many pixels are not NaN, where some are."""
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
        Of the pixels that are not NaN; where some are, ``red_count`` says how many are not.

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
        found, known = _statistics(counts, pixels[..., channel])
        columns |= {f"{name}_{s}": v for s, v in zip(STATISTICS, found, strict=True)}
        if (known < counts.pixels).any():
            columns[f"{name}_{COUNT}"] = known
    return columns


def _statistics(
    counts: ObjectCounts, values: NDArray[Any]
) -> tuple[tuple[NDArray[np.float64], ...], NDArray[np.int64]]:
    """Return mean, spread, least, most and sum of the values inside each object, row by row.

    Values that are NaN are left out; how many were not comes last.
    """
    total, square = np.zeros((2, len(counts.ids) + 1))
    least, most = np.full((2, len(counts.ids) + 1), np.nan)
    known = np.concatenate([[0], counts.pixels])
    rows = [i for i, inside in enumerate(counts.dense) if inside.any()]
    for i in rows:
        row, inside, unknown = _without_nan(values[i], counts.dense[i])
        np.subtract.at(known, unknown, 1)
        np.add.at(total, inside, row)
        np.fmin.at(least, inside, row)
        np.fmax.at(most, inside, row)
    # Of an object without any value there is a sum, 0, and nothing else.
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / known
        for i in rows:
            row, inside, _ = _without_nan(values[i], counts.dense[i])
            np.add.at(square, inside, (row - mean[inside]) ** 2)
        spread = np.sqrt(square / known)
    return (mean[1:], spread[1:], least[1:], most[1:], total[1:]), known[1:]


def _without_nan(
    row: NDArray[Any], inside: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """Return the values that are numbers, the objects they are in, and those of the others."""
    row = row.astype(np.float64)
    unknown = np.isnan(row)
    if not unknown.any():
        return row, inside, inside[:0]
    return row[~unknown], inside[~unknown], inside[unknown]


def _numbered(count: int) -> tuple[str, ...]:
    return ("intensity",) if count == 1 else tuple(f"channel{i}" for i in range(count))
