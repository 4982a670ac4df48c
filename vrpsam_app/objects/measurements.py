"""Objects measured: tables for each object, each plane and each time, in physical units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.errors import ConfigError, ImageError, MissingExtraError
from vrpsam_app.image_files import write_whole
from vrpsam_app.label_images import ObjectCounts, count_objects, pixel_parts
from vrpsam_app.objects.intensities import intensities_of
from vrpsam_app.stacks.stack import PIXEL_UNIT, PixelSize

if TYPE_CHECKING:
    import pandas as pd

_SHAPE = (
    "bbox",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "orientation",
)


def require_pandas() -> None:
    """Make sure that tables can be made.

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Measuring objects needs pandas, which is not installed. Run: "
            'pip install "vrpsam-app[objects]".'
        ) from error


def measure(
    instance_labels: ArrayLike,
    image: ArrayLike | None = None,
    *,
    pixel_size: PixelSize | None = None,
    channels: Sequence[str] | None = None,
    classes: Mapping[int, str] | None = None,
    scores: Mapping[int, float] | None = None,
    shapes: bool = True,
) -> pd.DataFrame:
    """Measure the objects of one plane.

    Parameters
    ----------
    instance_labels : shape (H, W), integer
        0 for background.
    image : shape (H, W) or (H, W, C), optional
        Intensities as stored, not as shown to the model. A fourth channel is opacity and left out.
    pixel_size : None measures in pixels
    channels : their names; None takes ``intensity`` for one, ``red, green, blue`` for three
    classes, scores : class and score by the object's number
    shapes : False measures sizes and places only, which is many times faster

    Returns
    -------
    table : one row for each object, by number
        Names end in the unit: ``area_um2`` or, of an unknown pixel size, ``area_px``. Places are
        continuous, pixel i covers [i, i + 1): ``row_px``, ``col_px`` and, half-open, ``top_px`` to
        ``right_px``. ``table.attrs["units"]`` has the unit of each column that has one.

    Raises
    ------
    ImageError
        If the sizes differ.
    MissingExtraError
        If pandas is not installed.

    Notes
    -----
    Shapes are scikit-image's ``regionprops_table``. Where pixels are not square there is no
    perimeter, and so no circularity. Orientation is the angle from the rows' axis to the object's
    longer one, counter-clockwise, in degrees.

    Pixels that are NaN have no intensity and are left out. Only where there are some a column such
    as ``intensity_count`` says of how many pixels the intensities of an object are.

    Examples
    --------
    >>> table = measure([[0, 5, 5]], pixel_size=PixelSize(0.5, 0.5))
    >>> table[["label", "area_px", "area_um2", "col_um"]].values.tolist()
    [[5.0, 2.0, 0.5, 1.0]]
    """
    require_pandas()
    import pandas as pd

    counts = count_objects(instance_labels)
    if counts.dense.ndim != 2:
        raise ImageError(
            f"The objects have shape {counts.dense.shape}: expected (H, W). For a stack, call "
            "measure_planes(...)."
        )
    columns: dict[str, Any] = {"label": counts.ids}
    if classes is not None:
        columns["class"] = [classes.get(int(number), "") for number in counts.ids]
    if scores is not None:
        columns["score"] = [scores.get(int(number), np.nan) for number in counts.ids]
    columns |= _sizes(counts, pixel_size)
    if shapes:
        columns |= _shapes(counts, pixel_size)
    if image is not None:
        columns |= intensities_of(counts, image, channels)
    table = pd.DataFrame(columns)
    table.attrs["units"] = units_of(table.columns, pixel_size)
    return table


def measure_planes(
    planes: Iterable[ArrayLike],
    images: Iterable[ArrayLike] | None = None,
    *,
    indices: Iterable[Sequence[int]],
    axes: Sequence[str],
    pixel_size: PixelSize | None = None,
    channels: Sequence[str] | None = None,
    scores: Iterable[Mapping[int, float]] | None = None,
    shapes: bool = True,
) -> pd.DataFrame:
    """Measure the objects of each plane of a stack, one plane after the other.

    Parameters
    ----------
    planes : each of shape (H, W), integer
        From :func:`vrpsam_app.objects.linking.link_planes`, so that numbers go through the stack.
    images : each of shape (H, W) or (H, W, C), optional; as many as planes
    indices : place of each plane along the axes, such as ``stack.indices()``
    axes : names of the leading axes, such as ``("t", "z")``
    scores : of the objects of each plane, by number; asked for after the plane
    pixel_size, channels, shapes : as for :func:`measure`

    Returns
    -------
    table : one row for each object in each plane
        As of :func:`measure`, after one column for each axis that counts from 0.
    """
    require_pandas()
    import pandas as pd

    parts = []
    pictures = iter(images) if images is not None else None
    told = iter(scores) if scores is not None else None
    for index, labels in zip(indices, planes, strict=True):
        image = None
        if pictures is not None:
            image = next(pictures, None)
            if image is None:
                raise ImageError(f"There are no intensities for plane {tuple(index)}.")
        part = measure(
            labels,
            image,
            pixel_size=pixel_size,
            channels=channels,
            scores=None if told is None else next(told, {}),
            shapes=shapes,
        )
        for place, (axis, number) in enumerate(zip(axes, index, strict=True)):
            part.insert(place, axis, number)
        parts.append(part)
    if not parts:
        raise ImageError("The stack has no planes: expected at least one.")
    # Planes without objects only bring the columns, and must not decide on the type of any.
    filled = [part for part in parts if len(part)] or parts[:1]
    table = pd.concat(filled, ignore_index=True)
    for name in [name for name in table.columns if name.endswith("_count")]:
        table[name] = table[name].fillna(table["area_px"]).astype(np.int64)
    table.attrs["units"] = parts[0].attrs["units"]
    return table


def per_object(
    table: pd.DataFrame, *, over: str = "z", pixel_size: PixelSize | None = None
) -> pd.DataFrame:
    """Put the planes of each object together: volumes from areas.

    Parameters
    ----------
    table : from :func:`measure_planes`
    over : the axis that objects extend along; other axes stay, so that a volume is measured at
        each time
    pixel_size : with the distance of planes it gives volumes, else there are voxels only

    Returns
    -------
    table : one row for each object (at each time)
        Along z: ``planes`` that it is in, from ``first_z`` to ``last_z``, ``voxels``,
        ``volume_um3``, its middle (``plane_z``, ``row_px``, ``col_px``, ``plane_um``, ``row_um``,
        ``col_um``), its largest cross-section, and intensities over all its voxels that have one.
        Along another axis, such as time: ``frames``, and the mean of its areas.

    Raises
    ------
    ConfigError
        If the table has no such axis.
    """
    if over not in table.columns:
        raise ConfigError(f"The table has no axis {over!r}: its columns are {list(table.columns)}.")
    keys = [*table.columns[: table.columns.get_loc("label")].drop(over), "label"]
    weights = table["area_px"]
    places = [over, "row_px", "col_px"]
    means = [name for name in table.columns if name.endswith("_mean")]
    scores = [name for name in table.columns if name == "score"]
    weighted = table[places + scores].mul(weights, axis=0)
    # Planes lie half an index above their number, as pixels do.
    weighted[over] = (table[over] + 0.5) * weights
    # Sorted, so that rows are by time and number whatever the order of planes.
    groups = table.groupby(keys, sort=True)
    by = [table[key] for key in keys]
    sums = weighted.groupby(by, sort=True).sum()
    result = groups.agg(
        **{
            "planes" if over == "z" else "frames": (over, "nunique"),
            f"first_{over}": (over, "min"),
            f"last_{over}": (over, "max"),
        },
    )
    voxels = groups["area_px"].sum()
    for name in scores:
        result.insert(0, name, sums[name] / voxels)
    areas = [column for column in table.columns if column.startswith("area_")]
    if over == "z":
        result["voxels"] = voxels
        if pixel_size is not None and pixel_size.plane is not None:
            voxel = pixel_size.plane * pixel_size.row * pixel_size.col
            result[f"volume_{pixel_size.unit}3"] = voxels * voxel
    else:
        for name in areas:
            result[f"mean_{name}"] = groups[name].mean()
    for name in areas:
        result[f"largest_{name}"] = groups[name].max()
    for name in places:
        result[f"plane_{over}" if name == over else name] = sums[name] / voxels
    if pixel_size is not None:
        if over == "z" and pixel_size.plane is not None:
            result[f"plane_{pixel_size.unit}"] = result["plane_z"] * pixel_size.plane
        for name, step in (("row", pixel_size.row), ("col", pixel_size.col)):
            result[f"{name}_{pixel_size.unit}"] = result[f"{name}_{PIXEL_UNIT}"] * step
    for name in means:
        channel = name.removesuffix("_mean")
        counted = table.get(f"{channel}_count", weights)
        total = (table[name] * counted).groupby(by, sort=True)
        number = counted.groupby(by, sort=True)
        # About the mean of all: the difference of squares would lose what is small beside it.
        apart = table[name] - total.transform("sum") / number.transform("sum")
        squares = (counted * (table[f"{channel}_std"] ** 2 + apart**2)).groupby(by, sort=True)
        result[name] = total.sum() / number.sum()
        result[f"{channel}_std"] = np.sqrt(squares.sum() / number.sum())
        for statistic in ("min", "max", "sum"):
            result[f"{channel}_{statistic}"] = groups[f"{channel}_{statistic}"].agg(statistic)
        if f"{channel}_count" in table.columns:
            result[f"{channel}_count"] = number.sum()
    return result.reset_index()


def per_plane(table: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Count and sum up the objects of each plane, or of each time.

    Parameters
    ----------
    table : from :func:`measure_planes`, or from :func:`per_object` with the time
    axes : what to count for: ``("t", "z")`` for each plane, ``("t",)`` for each time

    Returns
    -------
    table : one row for each place that has objects
        ``objects``, the sum and the mean of areas (and volumes), and mean intensities of objects.

    Raises
    ------
    ConfigError
        If the table lacks one of the axes.
    """
    if missing := [axis for axis in axes if axis not in table.columns]:
        raise ConfigError(
            f"The table has no axis {missing[0]!r}: its columns are {list(table.columns)}."
        )
    groups = table.groupby(list(axes), sort=True)
    result = groups.agg(objects=("label", "nunique"))
    sizes = [name for name in table.columns if name.startswith(("area_", "volume_", "voxels"))]
    for name in sizes:
        result[f"total_{name}"] = groups[name].sum()
        result[f"mean_{name}"] = groups[name].mean()
    for name in [column for column in table.columns if column.endswith("_mean")]:
        result[name] = groups[name].mean()
    return result.reset_index()


def units_of(columns: Iterable[str], pixel_size: PixelSize | None) -> dict[str, str]:
    """Return the unit of each column whose name ends in one."""
    unit = PIXEL_UNIT if pixel_size is None else pixel_size.unit
    known = [PIXEL_UNIT, unit, f"{unit}2", f"{unit}3", "deg"]
    endings = {name: name.rpartition("_")[2] for name in columns}
    return {name: ending for name, ending in endings.items() if ending in known}


def write_table(path: str | Path, table: pd.DataFrame, *, overwrite: bool = False) -> Path:
    """Write a table as CSV: commas, a dot in numbers, UTF-8, one line of names.

    Parameters
    ----------
    path : a name that ends in .csv
    table : any
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If it cannot be written. Nothing is left behind.
    """
    path = Path(path)
    text: str = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    write_whole(path, text.encode("utf-8"), overwrite=overwrite)
    return path


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote; classes are text, also those that are digits.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is no table.
    """
    require_pandas()
    import pandas as pd

    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"class": str})
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The table {path} cannot be read ({error}). Use a copy of the original, or move it "
            "elsewhere."
        ) from error
    if "class" in table.columns:
        table["class"] = table["class"].fillna("")
    return table


def _sizes(counts: ObjectCounts, pixel_size: PixelSize | None) -> dict[str, NDArray[Any]]:
    """Measure sizes and places of objects."""
    columns: dict[str, NDArray[Any]] = {f"area_{PIXEL_UNIT}": counts.pixels}
    if pixel_size is not None:
        columns[f"area_{pixel_size.unit}2"] = counts.pixels * (pixel_size.row * pixel_size.col)
    flat, count = counts.dense.reshape(-1), len(counts.ids) + 1
    sums = np.zeros((2, count))
    for part in pixel_parts(flat.size, least=count):
        place = np.arange(part.start, min(part.stop, flat.size))
        for total, numbers in zip(sums, divmod(place, counts.dense.shape[1]), strict=True):
            total += np.bincount(flat[part], numbers, minlength=count)
    middle = sums[:, 1:] / counts.pixels + 0.5  # rows and columns count from the middle of a pixel
    columns |= {f"row_{PIXEL_UNIT}": middle[0], f"col_{PIXEL_UNIT}": middle[1]}
    if pixel_size is not None:
        columns[f"row_{pixel_size.unit}"] = middle[0] * pixel_size.row
        columns[f"col_{pixel_size.unit}"] = middle[1] * pixel_size.col
    return columns


def _shapes(counts: ObjectCounts, pixel_size: PixelSize | None) -> dict[str, NDArray[Any]]:
    """Measure shapes of objects that are numbered without gaps."""
    from skimage.measure import regionprops_table

    size = (1.0, 1.0) if pixel_size is None else (pixel_size.row, pixel_size.col)
    unit = PIXEL_UNIT if pixel_size is None else pixel_size.unit
    square = size[0] == size[1]
    properties = (*_SHAPE, "perimeter") if square else _SHAPE
    found = regionprops_table(  # type: ignore[no-untyped-call]
        counts.dense, properties=properties, spacing=size
    )
    area = counts.pixels * (size[0] * size[1])
    perimeter = np.asarray(found["perimeter"]) if square else np.full(len(area), np.nan)
    with np.errstate(divide="ignore"):
        circularity = np.where(perimeter > 0, 4 * np.pi * area / perimeter**2, np.nan)
    edges = ("top", "left", "bottom", "right")
    return {
        **{f"{name}_{PIXEL_UNIT}": found[f"bbox-{edge}"] for edge, name in enumerate(edges)},
        f"diameter_{unit}": np.sqrt(4 * area / np.pi),
        f"perimeter_{unit}": perimeter,
        "circularity": circularity,
        f"major_axis_{unit}": found["axis_major_length"],
        f"minor_axis_{unit}": found["axis_minor_length"],
        "eccentricity": found["eccentricity"],
        "orientation_deg": np.rad2deg(found["orientation"]),
    }
