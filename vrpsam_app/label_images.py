"""Arrays of object numbers: checked, renumbered without gaps, and compared pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError

MOST_OBJECTS = int(np.iinfo(np.int32).max)
"""Object numbers are kept as int32, which napari, scikit-image and Cellpose take as they are."""

_MOST_NAMED = 12  # objects in a message
# Pixels looked at together: NumPy counts and looks up in 64 bits, which of a whole plane would be
# several times its size.
_TOGETHER = 2**18


@dataclass(frozen=True, slots=True, eq=False)
class ObjectCounts:
    """The objects of a label image.

    Attributes
    ----------
    dense : shape of the image, int32
        The same objects as 1, 2, ... N in the order of their numbers; 0 is background.
    ids : shape (N,), int64
        The number that each had, ascending.
    pixels : shape (N,), int64
        How many pixels each has.
    """

    dense: NDArray[np.int32]
    ids: NDArray[np.int64]
    pixels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SharedPixels:
    """Pairs of objects of two label images that share pixels, and no other pairs.

    Attributes
    ----------
    first, second : shape (P,), int64
        Index of the object among those of the first and of the second image, from 0.
    pixels : shape (P,), int64
        How many pixels each pair shares, at least 1.
    iou : shape (P,), float64
        Shared pixels by those of either.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    pixels: NDArray[np.int64]
    iou: NDArray[np.float64]


def check_labels(labels: ArrayLike, *, name: str = "The label image") -> NDArray[Any]:
    """Return `labels` as an array of whole numbers from 0.

    Parameters
    ----------
    labels : any shape, bool or integer
        Number of the object of each pixel, 0 for none.
    name : what messages call it

    Raises
    ------
    ImageError
        If it holds fractions, negative numbers, or numbers that do not fit in int32.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "bui" or array.ndim < 2:
        raise ImageError(
            f"{name} has shape {array.shape} and type {array.dtype}: expected (..., H, W) of whole "
            "numbers, one for each object, 0 for background."
        )
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if low < 0 or high > MOST_OBJECTS:
        wrong = low if low < 0 else high
        raise ImageError(
            f"{name} holds the number {wrong}: expected object numbers from 0 (background) to "
            f"{MOST_OBJECTS}."
        )
    return array


def count_objects(labels: ArrayLike) -> ObjectCounts:
    """Count the objects of a label image and their pixels, and close gaps in the numbers.

    Parameters
    ----------
    labels : shape (H, W) or (..., H, W), bool or integer
        In any numbering, 0 for background.

    Raises
    ------
    ImageError
        As for :func:`check_labels`.

    Examples
    --------
    >>> counts = count_objects([[0, 7], [3, 7]])
    >>> counts.dense.tolist(), counts.ids.tolist(), counts.pixels.tolist()
    ([[0, 2], [1, 2]], [3, 7], [1, 2])
    """
    array = check_labels(labels)
    highest = int(array.max(initial=0))
    if highest <= max(array.size, 2**16):
        # Counting needs no sorting: much quicker, as long as the table of numbers stays small.
        plain = array.view(np.uint8) if array.dtype == np.bool_ else array
        counted = np.zeros(highest + 1, np.int64)
        flat = plain.reshape(-1)
        for part in pixel_parts(flat.size, least=len(counted)):
            counted += np.bincount(flat[part], minlength=len(counted))
        ids = np.flatnonzero(counted[1:]) + 1
        lookup = np.zeros(len(counted), np.int32)
        lookup[ids] = np.arange(1, len(ids) + 1)
        return ObjectCounts(renumbered(plain, lookup), ids.astype(np.int64), counted[ids])
    values, inverse, counted = np.unique(array, return_inverse=True, return_counts=True)
    first = int(values[0] == 0)
    dense = (inverse.reshape(array.shape) + (1 - first)).astype(np.int32)
    return ObjectCounts(dense, values[first:].astype(np.int64), counted[first:].astype(np.int64))


def renumbered(labels: NDArray[np.integer[Any]], table: NDArray[Any]) -> NDArray[Any]:
    """Return what a table says of each number.

    Parameters
    ----------
    labels : any shape, integer
    table : shape (N,)
        At least one longer than the highest number.

    Returns
    -------
    values : shape of the labels, of the table's type; a new array
    """
    values = np.empty(labels.shape, table.dtype)
    source, target = labels.reshape(-1), values.reshape(-1)
    for part in pixel_parts(source.size):
        target[part] = table[source[part]]
    return values


def pixel_parts(size: int, *, least: int = 1) -> Iterator[slice]:
    """Yield parts of so many pixels in a row that work on them takes little memory.

    Parameters
    ----------
    size : pixels in all
    least : pixels of a part, for work that itself needs so much for each
    """
    step = max(_TOGETHER, least)
    return (slice(start, start + step) for start in range(0, size, step))


def mask_of(labels: ArrayLike, ids: Sequence[int] | None = None) -> NDArray[np.bool_]:
    """Return the pixels of some objects: what makes a reference of a label image.

    Parameters
    ----------
    labels : shape (H, W), integer
    ids : numbers of the objects; None takes all

    Returns
    -------
    mask : shape (H, W), bool

    Raises
    ------
    AnnotationError
        If there is no such object, or none at all.

    Examples
    --------
    >>> mask_of([[0, 7], [3, 7]], [7]).tolist()
    [[False, True], [False, True]]
    """
    array = check_labels(labels)
    if ids is None:
        mask = array > 0
        if not mask.any():
            raise EmptyReferenceError("The label image has no objects: expected at least one.")
        return mask
    there = count_objects(array).ids
    if missing := sorted(set(ids) - set(there.tolist())):
        few = ", ".join(map(str, there[:_MOST_NAMED].tolist()))
        more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
        raise AnnotationError(
            f"The label image has no object {missing[0]}: expected {few or 'none, it is empty'}"
            f"{more}."
        )
    return np.isin(array, list(ids))


def shared_pixels(first: ObjectCounts, second: ObjectCounts) -> SharedPixels:
    """Count what the objects of two label images of one shape share.

    Only pairs that share pixels are held, so the cost grows with the image and not with the number
    of pairs.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    if first.dense.shape != second.dense.shape:
        raise ImageError(
            f"The label images have shapes {first.dense.shape} and {second.dense.shape}: expected "
            "the same. Was one resized or cropped?"
        )
    codes: list[NDArray[np.int64]] = []
    lengths: list[NDArray[np.int64]] = []
    one, other, width = first.dense.reshape(-1), second.dense.reshape(-1), len(second.ids) + 1
    for part in pixel_parts(one.size):
        code = one[part].astype(np.int64) * width + other[part]
        # Neighbours mostly show the same pair: only where it changes is there something to count.
        begins = np.flatnonzero(np.diff(code, prepend=-1))
        codes.append(code[begins])
        lengths.append(np.diff(begins, append=code.size))
    pairs, which = np.unique(np.concatenate([[0], *codes]), return_inverse=True)
    shared = np.zeros(len(pairs), np.int64)
    np.add.at(shared, which, np.concatenate([[0], *lengths]))
    row, col = pairs // width - 1, pairs % width - 1
    both = (row >= 0) & (col >= 0)
    row, col, shared = row[both], col[both], shared[both]
    union = first.pixels[row] + second.pixels[col] - shared
    return SharedPixels(row, col, shared, shared / union)
