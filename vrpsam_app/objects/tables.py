"""A stack of numbered objects as tables, one plane in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from vrpsam_app.errors import ImageError
from vrpsam_app.objects.measurements import measure, measure_planes, per_object
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.stacks.stack import Stack

if TYPE_CHECKING:
    import pandas as pd


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
        )
        objects = per_object(every, over=labels.axes[-1], pixel_size=size)
    else:
        (plane,) = planes()
        picture = None if images is None else next(images)
        objects = measure(plane, picture, pixel_size=size, channels=channels)
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


def _check_same_planes(labels: Stack, other: Stack) -> None:
    if (labels.leading_shape, labels.plane_hw) != (other.leading_shape, other.plane_hw):
        raise ImageError(
            f"{other.name} has planes of {other.plane_hw} along {other.leading_shape}, "
            f"{labels.name} of {labels.plane_hw} along {labels.leading_shape}: expected the same. "
            "Was one resized or cropped?"
        )
