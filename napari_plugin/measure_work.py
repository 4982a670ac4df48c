"""Labels layers measured, linked and exported: arrays in, tables and files out, in a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.number_classes import from_features, from_metadata
from napari_plugin.result_numbers import Numbered, with_numbers
from napari_plugin.result_record import METADATA_KEY, ROWS_COLS, ResultRecord
from napari_plugin.session import Session, unwrapped
from vrpsam_app.label_files import holds_masks
from vrpsam_app.objects.instances import DEFAULT_OBJECTS, ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.objects.whole_objects import sifted
from vrpsam_app.progress import CancelToken, Progress, ProgressMeter
from vrpsam_app.stacks.stack import Stack

LINK = "Number objects through the stack"
"""What the button says by which classes are cut into objects."""
Classes = Mapping[int, str] | str | None
"""Class of each object by its number, that of all, or None where nobody knows."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of a layer.

    Attributes
    ----------
    objects, planes : as of :class:`vrpsam_app.objects.tables.ObjectTables`
    unit : of lengths
    as_classes : whether the numbers are those of classes
    """

    objects: Any
    planes: Any
    unit: str
    as_classes: bool = False

    def words(self) -> str:
        """Say how many objects there are and how large they are; of classes, that they are none."""
        table = self.objects
        count = int(table["label"].nunique())
        if self.as_classes:
            said = f"{count} class{'' if count == 1 else 'es'}, not objects: press {LINK!r} first."
        else:
            said = f"{count} object{'' if count == 1 else 's'}{_of_classes(table)}"
        sizes = [n for n in table.columns if n.startswith(("volume_", "area_", "mean_area_"))]
        if count and sizes and not self.as_classes:
            name = next((n for n in sizes if n.startswith("volume_")), sizes[-1])
            what, _, unit = name.rpartition("_")
            kind = what.removeprefix("mean_")  # over the slices of an object
            said += f", median {kind} {_three_digits(table[name].median())} {_pretty(unit)}"
        return (
            said if self.unit != "px" else f"{said}\nThe layer has no length unit: all in pixels."
        )


def _of_classes(table: Any) -> str:
    """Say how many objects each class has, where there are several."""
    if "class" not in table.columns:
        return ""
    counts = table.groupby("class")["label"].nunique()
    if len(counts) < 2:
        return ""
    said = (f"{count} {name or 'of no class'}" for name, count in counts.items())
    return f" ({', '.join(said)})"


def _three_digits(value: float) -> str:
    """Return a number as a person writes it: 0.0123, 8.19 or 6990."""
    return f"{value:.3g}" if not 1000 <= abs(value) < 1e6 else f"{float(f'{value:.3g}'):.0f}"


@dataclass(frozen=True, eq=False)
class Linked:
    """Objects with numbers that go through a stack.

    Attributes
    ----------
    values : shape of the layer's planes, int32
    classes : of the objects
    """

    values: NDArray[np.int32]
    classes: Classes


def planes_of(layer: Any, record: ResultRecord | None) -> LayerPlanes:
    """Return the planes of a Labels layer, with axes and pixel size; nothing is read.

    Planes of a result are those of its image, also where its axes were turned; of labels that were
    saved or opened their metadata say it.

    Raises
    ------
    ImageError
        If the layer is none that has planes.
    """
    shown = _rows_cols(layer) if record is None else record.planes.rows_cols
    return LayerPlanes.of(layer, shown=shown)


def image_for(
    layer: Any, labels: LayerPlanes, record: ResultRecord | None, session: Session
) -> Stack | None:
    """Return the intensities of an image layer, None where none is chosen.

    Parameters
    ----------
    labels : of the objects
    record : of the objects; of an image that they were found in, the planes that were asked about
    session : knows what is chosen of any other image
    """
    if layer is None:
        return None
    if record is not None and record.planes.shows(unwrapped(layer)):
        return record.planes.stack
    choice = session.image_choice(layer)
    rows, cols = labels.rows_cols
    return LayerPlanes.of(
        layer,
        shown=(rows - len(labels.shape), cols - len(labels.shape)),
        level=choice.level,
        channel_axis=choice.channel_axis,
        channels=choice.channels,
    ).stack


def classes_of_layer(layer: Any, record: ResultRecord | None) -> Classes:
    """Return the classes of a layer's numbers, as its features, its result or its metadata say."""
    said = _said(layer)
    if record is None:
        named = from_metadata(said.get("numbers"))
        names: Sequence[str] = [str(name) for name in said.get("classes", [])]
        objects = "objects" in ((said.get("recipe") or {}).get("sections") or {})
    else:
        named, names, objects = record.named, record.classes, record.counts_objects
    features = from_features(layer.features)
    named = named | {n: name for n, name in features.items() if name or n not in named}
    if len(names) == 1 and set(named.values()) <= {names[0], ""}:
        return names[0]
    if named or objects or not names:
        return named or None
    return dict(enumerate(names, start=1))


def holds_classes(layer: Any, record: ResultRecord | None) -> bool | None:
    """Whether a layer's numbers are classes and not objects; None where nobody knows."""
    if record is not None:
        return not record.counts_objects
    said = _said(layer)
    if "numbers" in said:
        return False
    sections = (said.get("recipe") or {}).get("sections")
    return None if sections is None else "objects" not in sections


def _rows_cols(layer: Any) -> tuple[int, int] | None:
    """Return the axes that a layer's metadata name as those of its planes, if it has them."""
    match _said(layer).get(ROWS_COLS):
        case [int(rows), int(cols)] if 0 <= rows < cols < layer.ndim:
            return rows, cols
    return None


def _said(layer: Any) -> Mapping[str, Any]:
    return (layer.metadata or {}).get(METADATA_KEY) or {}


def measure_layer(
    labels: Stack,
    image: Stack | None,
    classes: Classes,
    cancel: CancelToken,
    *,
    as_classes: bool = False,
) -> Generator[Progress, None, Measured]:
    """Measure all objects; yields how far that is.

    Parameters
    ----------
    as_classes : whether numbers are those of classes, of which each is measured as a whole
    """
    from vrpsam_app.objects.tables import measure_stack

    told: list[Progress] = []
    meter = ProgressMeter(labels.plane_count, told.append, cancel=cancel)
    yield told[-1]
    tables = measure_stack(labels, image, classes=classes, meter=meter)
    size = labels.pixel_size or (None if image is None else image.pixel_size)
    unit = "px" if size is None else size.unit
    return Measured(tables.objects, tables.planes, unit, as_classes)


def link_layer(
    labels: Stack,
    links: LinkOptions,
    classes: Classes,
    cancel: CancelToken,
    *,
    as_classes: bool | None = None,
    record: ResultRecord | None = None,
) -> Generator[Progress, None, Linked]:
    """Give objects of a layer numbers that go through its stack; what holds classes is cut first.

    Objects of two classes are never linked.

    Parameters
    ----------
    labels : of the layer
    links : what is the same object
    classes : of the layer's numbers
    cancel : looked at after each slice
    as_classes : whether numbers are classes; None recognises masks
    record : of the layer; how large the objects of its references are tells where to cut, and what
        is too small to be one
    """
    from vrpsam_app.objects.linking import link_planes

    told: list[Progress] = []
    meter = ProgressMeter(labels.plane_count, told.append, cancel=cancel)
    yield told[-1]
    named: deque[Mapping[int, str]] = deque()

    def planes() -> Iterator[NDArray[np.int32]]:
        for plane in numbered:
            named.append(plane.classes)
            yield plane.values

    filters = None
    if as_classes or (as_classes is None and holds_masks(labels)):
        cutting = _cutting(labels, classes, record)
        if links.goes_through(labels.axes) and not any(o.min_score for o in cutting.values()):
            filters = cutting
            cutting = {name: options.without_filters() for name, options in cutting.items()}
        numbered = _cut(labels, classes, cutting)
    else:
        numbered = _as_they_are(labels, classes)
    several = isinstance(classes, Mapping)
    values = np.empty((labels.plane_count, *labels.plane_hw), np.int32)
    if labels.axes:
        linked = link_planes(
            planes(),
            links,
            axes=labels.axes,
            leading_shape=labels.leading_shape,
            classes=iter(named.popleft, None) if several else None,
        )
        for number, plane in enumerate(linked):
            values[number] = plane
            meter.finished()
            yield told[-1]
        found: Mapping[int, str] = linked.classes
        if filters is not None:
            found = _leave_out(values, filters, found if several else classes)
    else:
        (values[0],) = planes()
        found = named.pop()
    shaped = values.reshape(*labels.leading_shape, *labels.plane_hw)
    return Linked(shaped, dict(found) if several else classes)


def _leave_out(
    values: NDArray[np.int32], filters: Mapping[str, ObjectOptions], classes: Classes
) -> Mapping[int, str]:
    """Leave out whole objects in place, count the others from 1, and return their classes."""
    kept, gone = sifted(values, filters.get, classes or "")
    became = {number: i for i, number in enumerate(sorted(kept), start=1)}
    if gone:
        for plane in values:
            plane[:] = with_numbers(plane, became)
    return {i: classes[n] for n, i in became.items()} if isinstance(classes, Mapping) else {}


def _cutting(
    labels: Stack, classes: Classes, record: ResultRecord | None
) -> dict[str, ObjectOptions]:
    """Return how each class of a layer is cut into objects, and which of them stay."""
    from vrpsam_app.objects.finding import typical_in

    def options(label: str) -> ObjectOptions:
        if record is None:
            return DEFAULT_OBJECTS
        state, size = record.state, labels.pixel_size
        shown = state.settings.tiling.reference_pixel_size
        typical = typical_in(state.references, label, size, reference_pixel_size=shown)
        return (state.settings.objects or DEFAULT_OBJECTS).resolved(size, typical)

    names = classes.values() if isinstance(classes, Mapping) else [classes or ""]
    return {name: options(name) for name in names}


def _cut(
    labels: Stack, classes: Classes, cutting: Mapping[str, ObjectOptions]
) -> Iterator[Numbered]:
    """Cut each class of a layer, or all of it where there is one."""
    from vrpsam_app.objects.finding import cut_planes

    if not isinstance(classes, Mapping):
        for plane in cut_planes(labels, cutting[classes or ""]):
            yield Numbered(plane, {})
        return
    names = [classes[number] for number in sorted(classes)]
    each = [
        cut_planes(replace(labels, data=labels.data == number), cutting[name])
        for number, name in zip(sorted(classes), names, strict=True)
    ]
    for cut in zip(*each, strict=True):
        yield Numbered.together(np.stack(cut), names)


def _as_they_are(labels: Stack, classes: Classes) -> Iterator[Numbered]:
    for index in labels.indices():
        plane = labels.plane(index).astype(np.int32)
        yield Numbered(plane, classes if isinstance(classes, Mapping) else {})


def export_layer(
    folder: Path, labels: Stack, classes: Classes, picture: str, form: str, cancel: CancelToken
) -> Generator[Progress, None, list[Path]]:
    """Write the objects of a layer in a format of the core; yields how far that is.

    Formats that know no stacks get each slice as a picture of its own.
    """
    from vrpsam_app.exchange.formats import FORMATS, export_objects
    from vrpsam_app.exchange.object_plane import ObjectPlane

    told: list[Progress] = []
    meter = ProgressMeter(labels.plane_count, told.append, cancel=cancel)
    yield told[-1]
    stem = _plain(picture)
    pictures: dict[str, list[ObjectPlane]] = {}
    as_stack = FORMATS[form].stacks
    for index in labels.indices():
        values = labels.plane(index).astype(np.int32)
        position = dict(zip(labels.axes, index, strict=True))
        part = "".join(f"_{axis}{number:04d}" for axis, number in position.items())
        name = stem if as_stack else f"{stem}{part}"
        plane = ObjectPlane(
            values,
            f"{name}.tif" if as_stack else f"{name}.png",
            _classes_in(values, classes),
            position=position if as_stack else {},
        )
        pictures.setdefault(name, []).append(plane)
        meter.finished()
        yield told[-1]
    return export_objects(folder, pictures, form)


def _classes_in(values: NDArray[np.int32], classes: Classes) -> dict[int, str]:
    numbers = [int(n) for n in np.unique(values) if n]
    if classes is None:
        return {}
    if isinstance(classes, str):
        return dict.fromkeys(numbers, classes)
    return {n: classes[n] for n in numbers if classes.get(n)}


def _plain(name: str) -> str:
    """Return a layer's name as that of a file."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("._")
    return plain[:80] or "layer"


def _pretty(unit: str) -> str:
    for digit, raised in (("2", "²"), ("3", "³")):
        if unit.endswith(digit):
            unit = unit.removesuffix(digit) + raised
    return unit.replace("um", "µm")
