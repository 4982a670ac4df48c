"""A slice of a result, as a person left it, as references for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index
from napari_plugin.number_classes import class_plane
from napari_plugin.result_record import ResultRecord
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.references import Reference


def references_of_slice(
    record: ResultRecord, index: Index, *, exhaustive: bool = True
) -> list[Reference]:
    """Return what a plane of a result shows, one reference for each class that is there.

    Parameters
    ----------
    exhaustive : whether everything of each kind is marked on the plane; not believed where an
        object is there whose class nobody knows

    Raises
    ------
    EmptyReferenceError
        If the plane is empty.
    """
    values = record.plane(index)
    image = record.planes.stack.plane(index)
    classes = record.classes or ("object",)
    shown = _classes_in(record, values, classes)
    # Of what is there and of no class nobody can say that it is not of this one.
    sure = exhaustive and not (shown > len(classes)).any()
    masks = ((label, shown == i) for i, label in enumerate(classes, start=1))
    found = [
        Reference.from_mask(image, mask, exhaustive=sure, label=label)
        for label, mask in masks
        if mask.any()
    ]
    if not found:
        raise EmptyReferenceError(
            f"Nothing is marked on {record.planes.words(index) or 'the image'}: paint the object "
            "there first."
        )
    return found


def _classes_in(
    record: ResultRecord, values: NDArray[Any], classes: tuple[str, ...]
) -> NDArray[Any]:
    """Return 1 + the place of the class of each pixel, 0 for none, more for an unknown one."""
    if not record.counts_objects:
        return np.where(values > 0, 1, 0) if len(classes) == 1 else values
    named = record.named
    if len(classes) == 1 and not named:
        return np.where(values > 0, 1, 0)
    return class_plane(values, named, classes)
