"""Objects that go through planes: which of them stay, each whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
