"""The marks that VRP-SAM was published with, for results that are to be compared with the paper's.

They follow SEEM's interactive simulation as the published code uses it: single pixels, several long
random strokes cut to the mask, the filled tight box, the whole mask. They promise less than people
do (a stroke may cross the object many times), so everything else uses `annotation_simulation`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Kind, Scribble, rasterize

Marks = Literal["mask", "box", "scribble", "point", "mix"]
"""How all references of a run are marked: in one way, or each in one of four."""
KINDS: tuple[Kind, ...] = get_args(Kind)

# Pictures and masks of the paper's experiments are squashed to this side.
PAPER_SIDE = 512
# Most clicks of one reference; as many are made in evaluation where the mask has the pixels.
MAX_POINTS = 20
# Strokes of one reference in evaluation; in training 1 to 20.
EVALUATION_STROKES = 9
MAX_STROKES = 20
# Vertices, largest step and smallest and largest width of SEEM's two presets, in pixels at 512.
LONG_STROKE = ((10, 30), 20.0, (3.0, 10.0))
SHORT_STROKE = ((6, 22), 12.0, (2.5, 5.0))


def paper_marks(
    rng: np.random.Generator, kind: Kind, mask: NDArray[np.bool_], *, training: bool
) -> NDArray[np.bool_]:
    """Turn a mask into marks the way the paper's experiments do.

    Parameters
    ----------
    rng : generator
    kind : kind of the marks
    mask : shape (H, W), bool, not empty
        The object, in an image of about 512 pixels.
    training : whether numbers of points and strokes vary, as in training

    Returns
    -------
    marks : shape (H, W), bool
        Not empty. All marks lie on the object, except those of a box.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    spots = np.argwhere(mask)
    if len(spots) == 0:
        raise ValueError("The mask is empty: expected at least one pixel of an object to mark.")
    if kind == "mask":
        return mask.copy()
    marks = np.zeros_like(mask)
    if kind == "box":
        (top, left), (bottom, right) = spots.min(0), spots.max(0) + 1
        marks[top:bottom, left:right] = True
        return marks
    if kind == "point":
        most = min(MAX_POINTS, len(spots))
        count = int(rng.integers(1, most + 1)) if training else most
        row, col = spots[rng.choice(len(spots), count, replace=False)].T
        marks[row, col] = True
        return marks
    count = int(rng.integers(1, MAX_STROKES + 1)) if training else EVALUATION_STROKES
    strokes = [_stroke(rng, spots, mask.shape, training) for _ in range(count)]
    drawn: NDArray[np.bool_] = rasterize(strokes, mask.shape).positive & mask
    return drawn


def _stroke(
    rng: np.random.Generator, spots: NDArray[np.intp], hw: tuple[int, ...], training: bool
) -> Scribble:
    """Walk at random from a pixel of the object, turning gently, without leaving the image."""
    short = training and rng.random() < 0.5
    (fewest, most), speed, (thin, thick) = SHORT_STROKE if short else LONG_STROKE
    here = spots[int(rng.integers(len(spots)))] + 0.5
    heading = rng.uniform(0.0, 2.0 * np.pi)
    path = [here]
    for _ in range(int(rng.integers(fewest, most + 1)) - 1):
        heading += rng.normal(0.0, 0.5)
        step = rng.uniform(0.0, speed) * np.array([np.sin(heading), np.cos(heading)])
        here = np.clip(here + step, 0.5, np.array(hw) - 0.5)
        path.append(here)
    vertices = tuple((float(row), float(col)) for row, col in path)
    return Scribble(vertices, float(rng.uniform(thin, thick)))
