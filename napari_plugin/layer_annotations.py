"""Marks on Points, Shapes and Labels layers -> annotations on planes -> references.

Positions go from the marks' layer to the world and from there to the image, whatever the scales of
the two; napari has pixel centres at whole numbers, this package half a pixel further.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_plugin.layer_frame import matrix_of
from napari_plugin.layer_planes import Index, LayerPlanes
from vrpsam_app.annotations import Annotation, Box, Mask, Point, Scribble
from vrpsam_app.errors import AnnotationError
from vrpsam_app.references import Reference

POSITIVE = "positive"
"""Name of the property of points and shapes that says on (True) or beside (False) the object."""
CLASS = "class"
"""Name of the property of points and shapes that holds the class."""
NOT_VALUE = 255
"""Number of a Labels layer that says "not this" of the first class."""
# A path of this width or less is a line that nobody gave a width.
_HAIRLINE = 1.0
_ELLIPSE_CORNERS = 64


@dataclass(frozen=True, eq=False)
class PlaneMarks:
    """What is marked of one class on one plane.

    Attributes
    ----------
    index : of the plane
    label : name of the class
    annotations : in pixels of the plane
    strokes : whether masks among them were brushed, so that they may cover a part of the object
    """

    index: Index
    label: str
    annotations: tuple[Annotation, ...]
    strokes: bool = False


@dataclass(frozen=True, slots=True)
class LabelsMeaning:
    """What the numbers of a Labels layer stand for.

    Attributes
    ----------
    objects : whether they number objects of one kind, as Cellpose and StarDist write them, and not
        classes that a person brushed
    ids : of the objects that count; empty takes all
    """

    objects: bool = False
    ids: frozenset[int] = frozenset()


def marks_on(
    layer: Any,
    planes: LayerPlanes,
    *,
    classes: Mapping[int, str] | None = None,
    meaning: LabelsMeaning = LabelsMeaning(),
    point: Sequence[float] | None = None,
    only: Index | None = None,
) -> list[PlaneMarks]:
    """Read all marks of a layer.

    Parameters
    ----------
    layer : napari Points, Shapes or Labels
    planes : of the image that is marked
    classes : names of the classes by number; number 1 is ``object`` where it is not named
    meaning : of the numbers of a Labels layer
    point : position of the viewer, where the marks lie if their layer has fewer axes
    only : read this plane and no other; a Labels layer is then not looked through

    Returns
    -------
    marks : one for each plane and class that has any, planes in order
        Points and shapes whose `positive` property is False count against their class, and so do
        pixels of the value `NOT_VALUE` against the first.

    Raises
    ------
    AnnotationError
        If the layer is none of these.
    """
    names = classes or {}
    kind = type(getattr(layer, "__wrapped__", layer)).__name__
    if kind == "Labels":
        found = list(_of_labels(layer, planes, names, meaning, only, point))
    elif kind == "Points":
        found = _grouped(_of_points(layer, planes, names, point))
    elif kind == "Shapes":
        found = _grouped(_of_shapes(layer, planes, names, point))
    else:
        raise AnnotationError(
            f"{getattr(layer, 'name', layer)!r} is a layer of the kind {kind}: expected points, "
            "shapes or labels to mark with."
        )
    return [m for m in found if (only is None or m.index == only) and planes.holds(m.index)]


def references_of(
    marks: Iterable[PlaneMarks], planes: LayerPlanes, *, exhaustive: bool = False
) -> list[tuple[Index, Reference]]:
    """Put marks on the planes they lie on; each plane is read once.

    Parameters
    ----------
    exhaustive : whether everything of each kind is marked on these planes

    Raises
    ------
    AnnotationError, EmptyReferenceError
        If marks lie outside, or cover each other.
    """
    images: dict[Index, NDArray[Any]] = {}
    references = []
    for mark in marks:
        if mark.index not in images:
            images[mark.index] = planes.stack.plane(mark.index)
        complete = exhaustive and any(a.positive for a in mark.annotations)
        reference = Reference.from_annotations(
            images[mark.index], mark.annotations, exhaustive=complete, label=mark.label
        )
        if mark.strokes and not complete:
            # So that nobody takes the width of a stroke for that of the object.
            reference = replace(reference, kind="scribble")
        references.append((mark.index, reference))
    return references


def class_name(number: int, classes: Mapping[int, str]) -> str:
    """Return the name of a class: as it was named, ``object`` for 1, ``class 2`` and so on."""
    return classes.get(number) or ("object" if number == 1 else f"class {number}")


Placed = tuple[Index, str, Annotation]


def _grouped(placed: Iterable[Placed]) -> list[PlaneMarks]:
    groups: dict[tuple[Index, str], list[Annotation]] = {}
    for index, label, annotation in placed:
        groups.setdefault((index, label), []).append(annotation)
    return [
        PlaneMarks(index, label, tuple(annotations))
        for (index, label), annotations in sorted(groups.items())
    ]


def _of_points(
    layer: Any, planes: LayerPlanes, classes: Mapping[int, str], point: Sequence[float] | None
) -> Iterator[Placed]:
    """Yield clicks; how large a point is drawn says nothing."""
    if not len(layer.data):
        return
    indices, row_col = planes.positions(_world(layer, np.asarray(layer.data), planes, point))
    for i, (index, (row, col)) in enumerate(zip(indices, row_col, strict=True)):
        yield index, *_said(layer, i, classes, lambda sign, r=row, c=col: Point(r, c, sign))


def _of_shapes(
    layer: Any, planes: LayerPlanes, classes: Mapping[int, str], point: Sequence[float] | None
) -> Iterator[Placed]:
    hw = planes.stack.plane_hw
    for i, (vertices, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        corners = _ellipse(np.asarray(vertices)) if kind == "ellipse" else np.asarray(vertices)
        indices, outline = planes.positions(_world(layer, corners, planes, point))
        index = indices[0]
        if not planes.holds(index) or not _reaches(outline, hw):
            continue
        width = float(np.atleast_1d(layer.edge_width)[min(i, np.size(layer.edge_width) - 1)])

        def annotation(
            positive: bool,
            kind: str = kind,
            outline: NDArray[np.float64] = outline,
            width: float = width,
        ) -> Annotation:
            if kind in ("path", "line"):
                path = tuple((float(r), float(c)) for r, c in outline)
                wide = width * _pixels_per_unit(layer, planes)
                return Scribble(path, wide if wide > _HAIRLINE else None, positive)
            if kind == "rectangle" and _is_upright(outline):
                top, left = outline.min(0)
                bottom, right = outline.max(0)
                # A rectangle of no size is a click.
                if bottom - top < 1e-6 or right - left < 1e-6:
                    return Point(float(top), float(left), positive)
                return Box(float(top), float(left), float(bottom), float(right), positive)
            return Mask(_filled(outline, hw), positive)

        yield index, *_said(layer, i, classes, annotation)


def _of_labels(
    layer: Any,
    planes: LayerPlanes,
    classes: Mapping[int, str],
    meaning: LabelsMeaning,
    only: Index | None,
    point: Sequence[float] | None,
) -> Iterator[PlaneMarks]:
    """Yield the painted pixels of each value on each plane.

    A layer of the image's own shape and place is read plane by plane as it is; pixels of any other
    are brought to the image by their centres.
    """
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    if tuple(data.shape) == planes.shape and planes.lie_like(layer):
        for index in [only] if only is not None else _painted_planes(data, planes):
            plane = np.asarray(data[planes.place(index)])
            yield from _of_plane(plane, index, classes, meaning)
        return
    painted = np.argwhere(np.asarray(data))
    if not len(painted):
        return
    values = np.asarray(data)[tuple(painted.T)]
    indices, _ = planes.positions(_world(layer, painted.astype(float), planes, point))
    hw = planes.stack.plane_hw
    step = _pixels_per_unit(layer, planes)
    for index in sorted(set(indices)):
        if not planes.holds(index):
            continue
        here = np.array([i == index for i in indices])
        plane = np.zeros(hw, np.int64)
        # Each painted pixel covers the image pixels below it, so that a coarse brush has no holes.
        for shift in _shifts(step, painted.shape[1]):
            _, row_col = planes.positions(_world(layer, painted[here] + shift, planes, point))
            at = np.floor(row_col).astype(int)
            inside = ((at >= 0) & (at < np.array(hw))).all(1)
            plane[tuple(at[inside].T)] = values[here][inside]
        yield from _of_plane(plane, index, classes, meaning)


def _of_plane(
    plane: NDArray[Any], index: Index, classes: Mapping[int, str], meaning: LabelsMeaning
) -> Iterator[PlaneMarks]:
    if meaning.objects:
        marked = np.isin(plane, list(meaning.ids)) if meaning.ids else plane > 0
        if marked.any():
            yield PlaneMarks(index, class_name(1, classes), (Mask(marked),))
        return
    of_class: dict[str, list[Annotation]] = {}
    for value in np.unique(plane[plane > 0]).tolist():
        number = 1 if value == NOT_VALUE else int(value)
        mark = Mask(plane == value, positive=value != NOT_VALUE)
        of_class.setdefault(class_name(number, classes), []).append(mark)
    for label, marks in of_class.items():
        yield PlaneMarks(index, label, tuple(marks), strokes=True)


def _painted_planes(data: Any, planes: LayerPlanes) -> list[Index]:
    """Return the planes with any label; a lazy or stored array is read plane by plane."""
    if isinstance(data, np.ndarray):
        found = data.any(axis=planes.rows_cols)
        # Axes of the result that are no axes of the stack have length one.
        places = _leading_places(planes)
        return sorted({tuple(int(at[a]) for a in places) for at in np.argwhere(found)})
    return [i for i in planes.stack.indices() if np.asarray(data[planes.place(i)]).any()]


def _leading_places(planes: LayerPlanes) -> list[int]:
    """Return where the stack's axes are once rows and columns are taken away."""
    rest = [a for a in range(len(planes.shape)) if a not in planes.rows_cols]
    return [rest.index(axis) for axis in planes.leading]


def _said(layer: Any, i: int, classes: Mapping[int, str], make: Any) -> tuple[str, Annotation]:
    """Return class and annotation of mark `i`, by the properties that its layer has."""
    features = getattr(layer, "features", None)
    positive, label = True, class_name(1, classes)
    if features is not None and i < len(features):
        if POSITIVE in features:
            positive = bool(features[POSITIVE].iloc[i])
        if CLASS in features and str(features[CLASS].iloc[i]).strip() not in ("", "nan", "None"):
            label = str(features[CLASS].iloc[i]).strip()
    return label, make(positive)


def _world(
    layer: Any, data: NDArray[Any], planes: LayerPlanes, point: Sequence[float] | None
) -> NDArray[np.float64]:
    """Return positions in the world; axes that the marks lack take the viewer's position."""
    matrix = matrix_of(layer)
    world = np.asarray(data, float) @ matrix[:-1, :-1].T + matrix[:-1, -1]
    lacking = 0 if point is None else len(point) - world.shape[1]
    if lacking > 0:
        head = np.broadcast_to(np.asarray(point, float)[:lacking], (len(world), lacking))
        world = np.concatenate([head, world], axis=1)
    return world


def _pixels_per_unit(layer: Any, planes: LayerPlanes) -> float:
    """Return pixels of the image per pixel of a layer of marks."""
    ndim = layer.ndim
    ends = np.zeros((2, ndim))
    ends[1, -1] = 1.0
    world = np.asarray([layer.data_to_world(e) for e in ends], float)[:, -ndim:]
    data = planes.frame.to_data(world)
    return float(np.linalg.norm(data[1] - data[0])) or 1.0


def _shifts(step: float, ndim: int) -> list[NDArray[np.float64]]:
    """Return points inside a painted pixel, as dense as the image's pixels."""
    count = max(1, int(np.ceil(step)))
    inside = (np.arange(count) + 0.5) / count - 0.5
    shifts = []
    for row in inside:
        for col in inside:
            shift = np.zeros(ndim)
            shift[-2:] = row, col
            shifts.append(shift)
    return shifts


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outline of an ellipse from the corners of the box around it, turned or not."""
    centre = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)
    return np.asarray(
        centre + np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * down, float
    )


def _is_upright(corners: NDArray[np.float64]) -> bool:
    sides = np.diff(corners, axis=0)
    return bool(np.all(np.isclose(sides, 0, atol=1e-6).any(axis=1)))


def _filled(outline: NDArray[np.float64], hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill an outline; what is thinner than a pixel still marks the pixels it crosses."""
    from skimage.draw import polygon, polygon_perimeter

    mask = np.zeros(hw, np.bool_)
    # Pixel centres are at whole numbers there.
    mask[polygon(outline[:, 0] - 0.5, outline[:, 1] - 0.5, hw)] = True
    if not mask.any():
        at = np.floor(outline).astype(int)
        mask[polygon_perimeter(at[:, 0], at[:, 1], hw, clip=True)] = True
    return mask


def _reaches(outline: NDArray[np.float64], hw: tuple[int, int]) -> bool:
    low, high = outline.min(axis=0), outline.max(axis=0)
    return bool((high > 0).all() and (low < np.array(hw)).all())
