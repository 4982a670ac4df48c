"""Revert: a result as it was before its last run, and what a person edited since."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.number_classes import class_plane
from napari_plugin.result_layers import write_plane
from napari_plugin.result_numbers import Numbered, like_before
from napari_plugin.result_record import ResultRecord
from vrpsam_app.label_images import count_objects

if TYPE_CHECKING:
    from napari_plugin.segment_dialogs import Edited


def revert(record: ResultRecord, ask: Callable[[LayerPlanes, Sequence[Index]], Edited]) -> bool:
    """Bring a result back to what it was before its last run; returns whether it was brought back.

    Parameters
    ----------
    ask : called where a person edited planes since, and told which
        Those that are left keep their pixels: objects get the numbers that are theirs in what
        comes back, and classes those of its classes.
    """
    edited = record.edited_since_run
    said = ask(record.planes, edited) if edited else "overwrite"
    if said == "cancel":
        return False
    left = {i: (record.plane(i), record.findings.get(i)) for i in edited if said == "leave"}
    classes, named = record.classes, record.named
    record.revert()
    if not left:
        return True
    record.state.numbers = record.state.numbers_beside(classes)
    for index, (values, finding) in left.items():
        write_plane(record, index, _numbered_as_before(record, index, values, classes, named))
        if finding is not None:
            record.state.findings[index] = finding
    record.mark_edited(left)
    record.tell_layer()
    if record.layer is not None:
        record.layer.refresh()
    return True


def _numbered_as_before(
    record: ResultRecord,
    index: Index,
    values: NDArray[Any],
    classes: tuple[str, ...],
    named: Mapping[int, str],
) -> NDArray[Any]:
    """Return a plane under the numbers of what came back.

    Parameters
    ----------
    classes, named : of the result that the plane is from
    """
    if not record.counts_objects:
        return values if classes == record.classes else class_plane(values, named, record.classes)
    numbers = record.state.numbers
    only = classes[0] if len(classes) == 1 else ""
    ids = count_objects(values).ids.tolist() if numbers else ()
    new = Numbered(np.asarray(values, np.int32), {n: named.get(n, only) for n in ids})
    kept = like_before(new, record.plane(index), numbers.now(), record.state.highest)
    numbers.take(kept.classes, int(kept.values.max(initial=0)))
    return kept.values
