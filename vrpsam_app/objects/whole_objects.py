"""Objects that go through planes: which of them stay, each whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.label_images import count_objects
from vrpsam_app.objects.instances import ObjectOptions, objects_that_stay

if TYPE_CHECKING:
    import pandas as pd


def whole_objects(
    table: pd.DataFrame, options: ObjectOptions, plane_hw: tuple[int, int]
) -> list[int]:
    """Return the numbers of the objects that stay.

    Parameters
    ----------
    table : one row for each object in each plane, with shapes
        From :func:`vrpsam_app.objects.measurements.measure_planes`.
    options : resolved
        Areas are compared with the largest that an object has in any plane, so that its first and
        its last plane may be small. It touches the border if it does in any plane; the first and
        the last plane are no border. Its score is the mean over all its pixels.
    plane_hw : rows and columns of a plane

    Returns
    -------
    numbers : ascending
    """
    rows, cols = plane_hw
    edges = (table["top_px"] == 0) | (table["left_px"] == 0)
    edges |= (table["bottom_px"] == rows) | (table["right_px"] == cols)
    areas = table["area_px"].groupby(table["label"])
    scores = None
    if "score" in table.columns:
        sums = (table["score"] * table["area_px"]).groupby(table["label"]).sum()
        scores = (sums / areas.sum()).to_numpy()
    largest = areas.max()
    on_border = edges.groupby(table["label"]).any().to_numpy(bool)
    kept = objects_that_stay(options, largest.to_numpy(np.int64), on_border, scores)
    return [int(number) for number in largest.index[kept]]


def sifted(
    planes: Iterable[NDArray[Any]],
    filters: Callable[[str], ObjectOptions | None],
    classes: Mapping[int, str] | str,
) -> tuple[set[int], set[int]]:
    """Return the numbers that filters let stay, and the others, each object judged as a whole.

    Parameters
    ----------
    planes : of shape (H, W), numbered through
    filters : of a class, resolved; None lets all stay
    classes : of the numbers, or of all
    """
    import pandas as pd

    kept: set[int] = set()
    parts, plane_hw = [], (0, 0)
    for plane in planes:
        plane_hw = plane.shape[0], plane.shape[1]
        parts.append(_extents(plane))
    table = pd.concat(parts, ignore_index=True)
    named = {n: classes if isinstance(classes, str) else classes.get(n, "") for n in table["label"]}
    for name, of_class in table.groupby(table["label"].map(named)):
        options = filters(str(name))
        numbers = (
            of_class["label"] if options is None else whole_objects(of_class, options, plane_hw)
        )
        kept.update(map(int, numbers))
    return kept, set(named) - kept


def _extents(plane: NDArray[Any]) -> pd.DataFrame:
    """Return what filters ask of the objects of a plane: how large they are and how far they go."""
    import pandas as pd
    from scipy import ndimage

    counts = count_objects(plane)
    boxes = ndimage.find_objects(counts.dense)
    return pd.DataFrame(
        {
            "label": counts.ids,
            "area_px": counts.pixels,
            "top_px": np.array([rows.start for rows, _ in boxes], np.int64),
            "left_px": np.array([cols.start for _, cols in boxes], np.int64),
            "bottom_px": np.array([rows.stop for rows, _ in boxes], np.int64),
            "right_px": np.array([cols.stop for _, cols in boxes], np.int64),
        }
    )
