"""A slice of a result, as a person left it, as references for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index
from napari_plugin.result_record import ResultRecord
from vrpsam_app.errors import AnnotationError, EmptyReferenceError
from vrpsam_app.references import Reference


def references_of_slice(
    record: ResultRecord, index: Index, *, exhaustive: bool = True
) -> list[Reference]:
    """Return what a plane of a result shows, one reference for each class that is there.

    Parameters
    ----------
    exhaustive : whether everything of each kind is marked on the plane

    Raises
    ------
    EmptyReferenceError
        If the plane is empty.
    AnnotationError
        If the numbers are those of objects of several classes.
    """
    values = record.plane(index)
    image = record.planes.stack.plane(index)
    found = [
        Reference.from_mask(image, mask, exhaustive=exhaustive, label=label)
        for label, mask in _masks(record, values)
        if mask.any()
    ]
    if not found:
        raise EmptyReferenceError(
            f"Nothing is marked on {record.planes.words(index) or 'the image'}: paint the object "
            "there first."
        )
    return found


def _masks(record: ResultRecord, values: NDArray[Any]) -> list[tuple[str, NDArray[np.bool_]]]:
    classes = record.classes or ("object",)
    if len(classes) == 1:
        return [(classes[0], values > 0)]
    if record.state.settings.objects is not None:
        raise AnnotationError(
            f"The result numbers objects of {', '.join(classes)}, and their numbers do not say of "
            "which class they are: segment classes instead of objects, or mark the slice in the "
            "segment panel."
        )
    return [(label, values == i) for i, label in enumerate(classes, start=1)]
