"""Marks as people make them, from masks: one click, one quick stroke, a loose box, an outline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.annotations import Annotation, Box, Kind, Point, Scribble, rasterize

Gesture = Literal["point", "scribble", "box", "outline", "mask"]
GESTURES: tuple[Gesture, ...] = get_args(Gesture)

# Radius of a click's disc and width of a stroke in pixels: from a fine pen to a broad brush.
CLICK_RADIUS = (1.5, 6.0)
STROKE_WIDTH = (2.0, 12.0)
# A side of a quick box is off by up to this share of the box's length, four times of five outward.
BOX_SLACK = 0.15
BOX_OUTWARD = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedMarks:
    """What a simulated person drew.

    Attributes
    ----------
    positive, negative : shape (H, W), bool
        Never both on one pixel; `positive` is never empty.
    kind : kind of the positive marks; an outline is a mask
    exhaustive : True where every object of the class is marked
    target : shape (H, W), bool
        The object the person meant: one object, or all of them for a mask.
    """

    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    kind: Kind
    exhaustive: bool
    target: NDArray[np.bool_]


def simulate(
    rng: np.random.Generator,
    gesture: Gesture,
    objects: NDArray[np.integer] | NDArray[np.bool_],
    *,
    not_this: NDArray[np.bool_] | None = None,
    negatives: int = 0,
) -> SimulatedMarks:
    """Mark one object with a gesture, or all of them with a mask.

    Parameters
    ----------
    rng : generator
    gesture : "point" (a click), "scribble", "box" or "outline" of one object, or "mask" of all
    objects : shape (H, W)
        Integers number the objects of the class, 0 elsewhere; of booleans each connected part is
        an object.
    not_this : shape (H, W), bool
        Where negative marks may go, for example the pixels of another class; needed only for them.
    negatives : number of negative clicks and strokes

    Returns
    -------
    marks : SimulatedMarks

    Raises
    ------
    ValueError
        If there is no object, or the gesture is unknown.
    """
    if gesture not in GESTURES:
        raise ValueError(f"Gesture {gesture!r} is unknown: expected one of {', '.join(GESTURES)}.")
    present = objects != 0
    if objects.ndim != 2 or not present.any():
        raise ValueError(
            f"No object to mark in an array of shape {objects.shape}: expected (H, W) with at "
            "least one pixel that is not 0."
        )
    target = present if gesture == "mask" else pick_object(rng, objects)
    drawn: list[Annotation] = []
    if gesture == "point":
        drawn.append(click(rng, target))
    elif gesture == "scribble":
        drawn.append(stroke(rng, target))
    elif gesture == "box":
        drawn.append(loose_box(rng, target))
    if not_this is not None and negatives > 0 and not_this.any():
        for _ in range(negatives):
            draw = click if rng.random() < 0.6 else stroke
            drawn.append(draw(rng, pick_object(rng, not_this), positive=False))
    marks = rasterize(drawn, target.shape)
    positive = marks.positive if gesture in ("point", "scribble", "box") else target
    # A negative mark that spills over the object is one the person would not have made.
    negative = marks.negative & ~target
    kind: Kind = "mask" if gesture == "outline" else gesture
    return SimulatedMarks(positive & ~negative, negative, kind, gesture == "mask", target)


def pick_object(
    rng: np.random.Generator, objects: NDArray[np.integer] | NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Choose one object as a person would: rather a large one, rather one not cut by the border.

    Parameters
    ----------
    rng : generator
    objects : shape (H, W), numbered objects or a boolean mask, at least one pixel not 0

    Returns
    -------
    mask : shape (H, W), bool
    """
    numbered = ndimage.label(objects)[0] if objects.dtype == np.bool_ else objects
    areas = np.bincount(numbered.ravel()).astype(np.float64)
    areas[0] = 0.0
    weight = np.sqrt(areas)
    frame = np.concatenate([numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]])
    weight[np.unique(frame)] *= 0.25
    number = int(rng.choice(len(weight), p=weight / weight.sum()))
    return numbered == number


def click(rng: np.random.Generator, mask: NDArray[np.bool_], *, positive: bool = True) -> Point:
    """Click on an object, near its middle more often than near its border."""
    depth, (top, left) = _depth(mask)
    weight = depth.ravel() ** 3
    index = int(rng.choice(len(weight), p=weight / weight.sum()))
    row, col = divmod(index, depth.shape[1])
    deepest = float(depth[row, col])
    radius = min(_log_uniform(rng, CLICK_RADIUS), 1.0 + 1.5 * deepest)
    if not positive:
        radius = min(radius, max(1.0, deepest))
    jitter = rng.uniform(0.0, 1.0, 2)
    return Point(top + row + float(jitter[0]), left + col + float(jitter[1]), positive, radius)


def stroke(rng: np.random.Generator, mask: NDArray[np.bool_], *, positive: bool = True) -> Scribble:
    """Draw one quick line of two to six vertices along the middle of an object."""
    depth, (top, left) = _depth(mask)
    medial = depth >= 0.7 * ndimage.maximum_filter(depth, size=5)
    spots = np.argwhere(medial & (depth > 0.0))
    here = spots[int(rng.integers(len(spots)))]
    path = [here]
    reach = 1.0 + 0.45 * np.sqrt(float((depth > 0.0).sum())) * rng.uniform(0.5, 1.2)
    # A quick stroke stays short however large the object is.
    reach = min(reach, 0.2 * max(mask.shape))
    heading = np.zeros(2)
    for _ in range(int(rng.integers(1, 6))):
        move = spots - here
        length = np.hypot(move[:, 0], move[:, 1])
        ahead = (length > 0.3 * reach) & (length <= reach) & (move @ heading >= -0.2 * length)
        choices = np.flatnonzero(ahead)
        stop = _visible(rng, depth, here, spots[choices])
        if stop is None:
            break
        heading = (stop - here) / np.linalg.norm(stop - here)
        here = stop
        path.append(here)
    width = min(_log_uniform(rng, STROKE_WIDTH), 1.0 + 2.0 * float(depth.max()))
    if not positive:
        width = min(width, 2.0 * max(1.0, float(min(depth[r, c] for r, c in path))))
    vertices = tuple((top + float(r) + 0.5, left + float(c) + 0.5) for r, c in path)
    return Scribble(vertices, width, positive)


def loose_box(rng: np.random.Generator, mask: NDArray[np.bool_]) -> Box:
    """Put a quick box around an object: each side off by up to 15 %, mostly outward."""
    (rows, cols) = _window(mask)
    sides = []
    for span, limit in ((rows, mask.shape[0]), (cols, mask.shape[1])):
        length = span.stop - span.start
        slack = rng.uniform(0.0, BOX_SLACK, 2) * length
        slack *= np.where(rng.random(2) < BOX_OUTWARD, 1.0, -1.0)
        low = min(max(span.start - slack[0], 0.0), span.stop - 0.5)
        high = max(min(span.stop + slack[1], float(limit)), low + 0.5)
        sides.append((float(low), float(high)))
    return Box(top=sides[0][0], left=sides[1][0], bottom=sides[0][1], right=sides[1][1])


def _visible(
    rng: np.random.Generator,
    depth: NDArray[np.float64],
    here: NDArray[np.intp],
    choices: NDArray[np.intp],
) -> NDArray[np.intp] | None:
    """Return one of up to 12 random choices that a straight line inside the object reaches."""
    if len(choices) == 0:
        return None
    tried = choices[rng.integers(0, len(choices), 12)]
    share = np.linspace(0.0, 1.0, 9)[None, :, None]
    line = np.rint(here + share * (tried - here)[:, None, :]).astype(np.intp)
    inside = (depth[line[..., 0], line[..., 1]] > 0.0).all(1)
    reachable = np.flatnonzero(inside)
    return tried[reachable[0]] if len(reachable) else None


def _depth(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Distance to the outside within the object's window, and the window's top left corner."""
    rows, cols = _window(mask)
    padded = np.pad(mask[rows, cols], 1)
    return ndimage.distance_transform_edt(padded)[1:-1, 1:-1], (rows.start, cols.start)


def _window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))
