"""Objects of a picture or a stack as files: numbered pixels, and tables of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import OutputError
from vrpsam_app.label_tiff import label_tiff
from vrpsam_app.measurements import measure, measure_planes, per_object, require_pandas, write_table
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.stack import PixelSize

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ObjectPaths:
    """The files that the objects of one picture or stack are written to.

    Attributes
    ----------
    labels : TIFF of the objects' numbers, with axes and pixel size
    table : CSV, a line for each object
    planes : CSV, a line for each object in each plane; None for a single plane
    """

    labels: Path
    table: Path
    planes: Path | None

    @classmethod
    def of(cls, folder: Path, stem: str, *, stack: bool) -> ObjectPaths:
        """Name the files after the picture, ``<stem>_objects.tif`` and so on."""
        planes = folder / f"{stem}_object_planes.csv" if stack else None
        return cls(folder / f"{stem}_objects.tif", folder / f"{stem}_objects.csv", planes)

    def __iter__(self) -> Iterator[Path]:
        yield self.labels
        yield self.table
        if self.planes is not None:
            yield self.planes


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
    scores: Mapping[int, float] | None = None,
    overwrite: bool = False,
    meter: ProgressMeter | None = None,
) -> pd.DataFrame:
    """Write the objects of a picture or a stack, and measure them; a few planes are held at a time.

    Parameters
    ----------
    paths : where to
    planes : each of shape `plane_hw`, integer, in the order of the axes, the last running fastest
        Numbered as they should be, see :func:`vrpsam_app.linking.link_planes`.
    axes, leading_shape : of a stack; empty for a single plane
    images : of the same planes, for intensities
    pixel_size : None measures in pixels
    channels : names of the intensities, see :func:`vrpsam_app.measurements.measure`
    classes, scores : of the objects of a single plane, by number
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
    MissingExtraError
        If pandas is not installed.
    """
    require_pandas()
    taken = [path for path in paths if path.exists()]
    if taken and not overwrite:
        raise OutputError(f"{taken[0]} exists: choose another folder, or allow overwriting.")
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
            )
            table = per_object(every, over=axes[-1], pixel_size=pixel_size)
        else:
            (plane,) = passing.keep(planes)
            table = measure(
                plane,
                None if images is None else next(iter(images)),
                pixel_size=pixel_size,
                channels=channels,
                classes=classes,
                scores=scores,
            )
    write_table(paths.table, table, overwrite=True)
    if paths.planes is not None and every is not None:
        write_table(paths.planes, every, overwrite=True)
    return table
