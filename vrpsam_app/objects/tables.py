"""A stack of numbered objects as tables, one plane in memory at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from vrpsam_app.errors import ImageError
from vrpsam_app.objects.intensities import COUNT, STATISTICS
from vrpsam_app.objects.measurements import measure, measure_planes, per_object
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.stacks.stack import PIXEL_UNIT, Stack

if TYPE_CHECKING:
    import pandas as pd

_AREA = re.compile(r"(?:mean_|largest_)?area_(.+)2")
_AREAS = ("", "mean_", "largest_")
_LENGTHS = (
    "row", "col", "plane", "top", "left", "bottom", "right",
    "diameter", "perimeter", "major_axis", "minor_axis",
)  # fmt: skip
_WITHOUT_UNIT = frozenset(
    {"circularity", "eccentricity", "orientation_deg", "planes", "frames", "voxels"}
)


@dataclass(frozen=True, eq=False)
class ObjectTables:
    """What was measured.

    Attributes
    ----------
    objects : one row for each object, by number; along t and z one for each object and time
    planes : one row for each object in each plane; None for a single plane
    """

    objects: pd.DataFrame
    planes: pd.DataFrame | None = None


def measure_stack(
    labels: Stack,
    image: Stack | None = None,
    *,
    classes: Mapping[int, str] | str | None = None,
    channels: Sequence[str] | None = None,
    shapes: bool = True,
    meter: ProgressMeter | None = None,
) -> ObjectTables:
    """Measure the objects of a stack, in the pixel size of the labels or else of the image.

    Parameters
    ----------
    labels : numbers that go through the stack, see :func:`vrpsam_app.objects.linking.link_planes`
    image : of the same planes, for intensities
    classes : class of each object, by number, or the one of all
    channels : names of the intensities, see :func:`vrpsam_app.objects.measurements.measure`; None
        takes those of the image
    shapes : False measures sizes and places only: all that is told of an object in several planes
    meter : told after each plane

    Returns
    -------
    tables : ObjectTables

    Raises
    ------
    ImageError
        If the planes of labels and image are not the same.
    MissingExtraError
        If pandas is not installed.
    Cancelled
        If the meter was asked to stop.
    """
    if image is not None:
        _check_same_planes(labels, image)
    size = labels.pixel_size
    if size is None and image is not None:
        size = image.pixel_size

    def planes() -> Iterator[NDArray[Any]]:
        for index in labels.indices():
            yield labels.plane(index)
            if meter is not None:
                meter.finished()

    images = None
    if image is not None:
        images = map(image.plane if channels else image.intensities, image.indices())
        channels = channels or image.channels or None
    every: pd.DataFrame | None = None
    if labels.axes:
        every = measure_planes(
            planes(),
            images,
            indices=labels.indices(),
            axes=labels.axes,
            pixel_size=size,
            channels=channels,
            shapes=shapes,
        )
        objects = per_object(every, over=labels.axes[-1], pixel_size=size)
    else:
        (plane,) = planes()
        picture = None if images is None else next(images)
        objects = measure(plane, picture, pixel_size=size, channels=channels, shapes=shapes)
    if classes is not None:
        for table in (objects,) if every is None else (objects, every):
            name_classes(table, classes)
    return ObjectTables(objects, every)


def name_classes(table: pd.DataFrame, classes: Mapping[int, str] | str) -> None:
    """Write the class of each object into a table, after its number; what stands there is replaced.

    Parameters
    ----------
    table : with a column ``label``; it is changed
    classes : by number, empty for others; or the one of all
    """
    named = (
        [classes] * len(table)
        if isinstance(classes, str)
        else [classes.get(int(number), "") for number in table["label"]]
    )
    if "class" in table.columns:
        table["class"] = named
    else:
        table.insert(table.columns.get_loc("label") + 1, "class", named)


def classes_in(table: pd.DataFrame, number: str = "label") -> dict[int, str]:
    """Return the class of each number that a table names; empty if it has no such column.

    Parameters
    ----------
    table : such as :func:`measure_stack` gives
    number : column that holds the numbers

    Examples
    --------
    >>> import pandas as pd
    >>> classes_in(pd.DataFrame({"label": [3, 8], "class": ["rod", None]}))
    {3: 'rod', 8: ''}
    """
    if not {number, "class"} <= set(table.columns):
        return {}
    known = table[table[number].notna()]
    names = known["class"].fillna("")
    return {int(n): str(name) for n, name in zip(known[number], names, strict=True)}


def measured_columns(columns: Iterable[str]) -> list[str]:
    """Return which columns of a table :func:`measure_stack` may have written, by their names.

    Examples
    --------
    >>> measured_columns(["label", "class", "area_px", "circularity", "note", "row"])
    ['area_px', 'circularity']
    """
    there = dict.fromkeys(columns)
    units = {PIXEL_UNIT, *(found[1] for name in there if (found := _AREA.fullmatch(name)))}
    names = {f"{name}_{unit}" for name in _LENGTHS for unit in units}
    names |= {f"{kind}area_{PIXEL_UNIT}" for kind in _AREAS}
    names |= {f"{kind}area_{unit}2" for kind in _AREAS for unit in units}
    names |= {f"volume_{unit}3" for unit in units} | _WITHOUT_UNIT
    for axis in (name.removeprefix("first_") for name in there if name.startswith("first_")):
        if f"last_{axis}" in there:
            names |= {f"first_{axis}", f"last_{axis}", f"plane_{axis}"}
    channels = {name.removesuffix("_mean") for name in there if name.endswith("_mean")}
    for channel in channels:
        statistics = {f"{channel}_{statistic}" for statistic in STATISTICS}
        if channel == "intensity" or statistics <= there.keys():
            names |= statistics | {f"{channel}_{COUNT}"}
    return [name for name in there if name in names]


def _check_same_planes(labels: Stack, other: Stack) -> None:
    if (labels.leading_shape, labels.plane_hw) != (other.leading_shape, other.plane_hw):
        raise ImageError(
            f"{other.name} has planes of {other.plane_hw} along {other.leading_shape}, "
            f"{labels.name} of {labels.plane_hw} along {labels.leading_shape}: expected the same. "
            "Was one resized or cropped?"
        )
