"""Objects of a picture or a stack as files: numbered pixels, and tables of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import OutputError
from vrpsam_app.objects.instances import ObjectOptions, check_scores
from vrpsam_app.objects.label_tiff import label_tiff
from vrpsam_app.objects.measurements import (
    measure,
    measure_planes,
    per_object,
    require_pandas,
    write_table,
)
from vrpsam_app.objects.paths import ObjectPaths
from vrpsam_app.objects.tables import name_classes
from vrpsam_app.objects.whole_objects import whole_objects
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.stacks.stack import PixelSize

if TYPE_CHECKING:
    import pandas as pd


def write_objects(
    paths: ObjectPaths,
    planes: Iterable[NDArray[Any]],
    *,
    plane_hw: tuple[int, int],
    axes: Sequence[str] = (),
    leading_shape: Sequence[int] = (),
    images: Iterable[NDArray[Any]] | None = None,
    pixel_size: PixelSize | None = None,
    channels: Sequence[str] | None = None,
    classes: Mapping[int, str] | None = None,
    class_name: str | None = None,
    scores: Iterable[Mapping[int, float]] | None = None,
    filters: ObjectOptions | None = None,
    keep_numbers: bool = False,
    overwrite: bool = False,
    meter: ProgressMeter | None = None,
) -> pd.DataFrame:
    """Write the objects of a picture or a stack, and measure them; a few planes are held at a time.

    Parameters
    ----------
    paths : where to
    planes : each of shape `plane_hw`, integer, in the order of the axes, the last running fastest
        Numbered as they should be, see :func:`vrpsam_app.objects.linking.link_planes`.
    axes, leading_shape : of a stack; empty for a single plane
    images : of the same planes, for intensities
    pixel_size : None measures in pixels
    channels : names of the intensities, see :func:`vrpsam_app.objects.measurements.measure`
    classes : of the objects of a single plane, by number
    class_name : of all objects, in the place of `classes`
    scores : of the objects of each plane, by number; asked for after the plane
    filters : resolved; leaves out whole objects of a stack
        See :func:`vrpsam_app.objects.whole_objects.whole_objects`; None leaves out nothing.
    keep_numbers : whether the others keep their numbers, and are not counted from 1
    overwrite : replace files that exist
    meter : told after each plane

    Returns
    -------
    table : what the CSV holds, one row for each object

    Raises
    ------
    OutputError
        If a file exists, or cannot be written.
    ImageError
        If planes are lacking or of another size.
    ConfigError
        If objects are filtered by scores, and there are none.
    MissingExtraError
        If pandas is not installed.
    """
    require_pandas()
    if filters is not None:
        check_scores(filters, known=scores is not None)
    taken = [path for path in paths if path.exists()]
    if taken and not overwrite:
        raise OutputError(
            f"{taken[0]} exists: choose another folder, or allow overwriting (--overwrite)."
        )
    every: pd.DataFrame | None = None
    with label_tiff(
        paths.labels,
        plane_hw=plane_hw,
        axes=tuple(axes),
        leading_shape=tuple(leading_shape),
        pixel_size=pixel_size,
        overwrite=overwrite,
        meter=meter,
    ) as passing:
        if axes:
            every = measure_planes(
                passing.keep(planes),
                images,
                indices=np.ndindex(tuple(leading_shape)),
                axes=axes,
                pixel_size=pixel_size,
                channels=channels,
                scores=scores,
            )
            if filters is not None:
                kept = whole_objects(every, filters, plane_hw)
                numbers = dict(zip(kept, kept if keep_numbers else count(1), strict=False))
                passing.renumber(numbers)
                every = every[every["label"].isin(numbers)].reset_index(drop=True)
                every["label"] = every["label"].map(numbers)
            table = per_object(every, over=axes[-1], pixel_size=pixel_size)
        else:
            (plane,) = passing.keep(planes)
            table = measure(
                plane,
                None if images is None else next(iter(images)),
                pixel_size=pixel_size,
                channels=channels,
                classes=classes if class_name is None else None,
                scores=None if scores is None else next(iter(scores)),
            )
    if class_name is not None:
        for measured in (table,) if every is None else (table, every):
            name_classes(measured, class_name)
    write_table(paths.table, table, overwrite=True)
    if paths.planes is not None and every is not None:
        write_table(paths.planes, every, overwrite=True)
    return table
