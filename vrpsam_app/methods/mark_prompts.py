"""Marks of a person as questions to SAM: one for each marked object."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Kind
from vrpsam_app.corrections import SCRIBBLE_CLICKS, Corrections
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures, SAMPrompt
from vrpsam_app.references import Reference

MOST_OBJECTS = 32
"""Marked objects that are asked for, the largest marks first."""

MOST_NEGATIVE = 8
"""Negative clicks beside each."""

BOX_MARGIN = 0.05
"""How far an object may reach beyond its box, as a share of the box's side."""

MASK_PROMPT_FINER = 4
"""Pixels of SAM's mask prompt for a cell of its embedding, along each axis."""

ONE_CLICK_SCALES = slice(1, 4)
"""One click may mean a part or the whole: SAM's masks 1 to 3 answer it."""

CLEAR = slice(0, 1)
"""Several clicks or a box leave no doubt: mask 0 answers them."""


def prompts_of_reference(reference: Reference) -> list[SAMPrompt]:
    """Turn each connected part of the positive marks into a question on the reference image.

    Parameters
    ----------
    reference : Reference
        With positive marks.

    Returns
    -------
    prompts : one to `MOST_OBJECTS`
        A point becomes a click, a stroke several, a box itself; a mask becomes its box and the
        point farthest inside. Negative marks are clicks beside all of them.
    """
    beside = [
        innermost_xy(part, corner) for part, corner in parts_of(reference.negative, MOST_NEGATIVE)
    ]
    return [
        _prompt(reference.kind, part, corner, beside)
        for part, corner in parts_of(reference.positive, MOST_OBJECTS)
    ]


def prompts_of_corrections(corrections: Corrections, picture: SAMPicture) -> list[SAMPrompt]:
    """Turn clicks, strokes, the box and the earlier answer of corrections into a question, or none.

    All of them speak of one object, as clicks on one object after the other correct its mask.
    Masks among the annotations are no prompts: they are marks to learn from.
    """
    points_xy, labels = corrections.clicks_xy()
    box = corrections.box_xyxy()
    earlier = None
    if corrections.mask_logits is not None:
        side = MASK_PROMPT_FINER * picture.embedding.shape[-1]
        earlier = picture.grid.square_logits(corrections.mask_logits, side)
    if box is None and earlier is None and not (labels == 1).any():
        return []
    return [SAMPrompt(points_xy, labels == 1, box, earlier)]


def negative_clicks(corrections: Corrections) -> list[NDArray[np.float32]]:
    """Return the clicks, and points along strokes, that say "not here", each (x, y)."""
    points_xy, labels = corrections.clicks_xy()
    return list(points_xy[labels == 0])


def answering_masks(prompt: SAMPrompt) -> slice:
    """Return which of SAM's four masks are meant for a question."""
    clear = prompt.box_xyxy is not None or len(prompt.points_xy) > 1
    return CLEAR if clear else ONE_CLICK_SCALES


def complete_marks(pictures: SAMPictures, rgb: NDArray[np.uint8], reference: Reference) -> NDArray:
    """Let SAM say how far an object reaches of which a point, a stroke or a box is known.

    Parameters
    ----------
    pictures : SAMPictures
    rgb : shape (H, W, 3)
        The reference image.
    reference : Reference
        With positive marks. A mask is complete already.

    Returns
    -------
    mask : shape (H, W), bool
        Holds what was marked by points, strokes and masks, and nothing that was marked as not the
        object. Inside a box the answer counts instead of the box, if there is one.
    """
    if reference.kind == "mask":
        return reference.positive
    picture = pictures.encode(rgb)
    prompts = prompts_of_reference(reference)
    answers = pictures.ask(picture, prompts)
    mask = np.zeros_like(reference.positive)
    for number, prompt in enumerate(prompts):
        meant = answering_masks(prompt)
        best = meant.start + int(answers.scores[number, meant].argmax())
        logits = picture.grid.resized(answers.logits[number : number + 1, best : best + 1])
        found = (logits[0, 0] > 0).cpu().numpy()
        if prompt.box_xyxy is not None:
            found &= _within(prompt.box_xyxy, found.shape)
        mask |= found
    marked = reference.positive if reference.kind != "box" or not mask.any() else False
    completed: NDArray[np.bool_] = (mask | marked) & ~reference.negative
    return completed if completed.any() else reference.positive


def parts_of(
    marks: NDArray[np.bool_], most: int
) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int]]]:
    """Yield the connected parts of marks, the largest first, each with its (top, left) corner."""
    from scipy import ndimage

    numbered, _ = ndimage.label(marks, np.ones((3, 3)))
    areas = np.bincount(numbered.ravel())[1:]
    windows = ndimage.find_objects(numbered)
    for index in np.argsort(-areas, kind="stable")[:most]:
        rows, cols = windows[index]
        yield numbered[rows, cols] == index + 1, (rows.start, cols.start)


def _prompt(
    kind: Kind,
    part: NDArray[np.bool_],
    corner: tuple[int, int],
    beside: list[NDArray[np.float32]],
) -> SAMPrompt:
    top, left = corner
    height, width = part.shape
    box = np.array([left, top, left + width, top + height], np.float32)
    if kind == "box":
        return SAMPrompt.at([], beside, box_xyxy=box)
    if kind == "mask":
        return SAMPrompt.at([innermost_xy(part, corner)], beside, box_xyxy=box)
    if kind == "scribble":
        return SAMPrompt.at(_along(part, corner), beside)
    return SAMPrompt.at([innermost_xy(part, corner)], beside)


def innermost_xy(part: NDArray[np.bool_], corner: tuple[int, int]) -> NDArray[np.float32]:
    """Return the middle of the pixel farthest from the border of a part, (x, y)."""
    from scipy import ndimage

    # With a frame of zeros, so that a part at its window's border is not deepest on it.
    depth = ndimage.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    return np.array([corner[1] + col + 0.5, corner[0] + row + 0.5], np.float32)


def _along(part: NDArray[np.bool_], corner: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Return points spread along a stroke, evenly over its pixels in the order of its length."""
    pixels = np.argwhere(part).astype(np.float64)
    centred = pixels - pixels.mean(0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    order = np.argsort(centred @ axis, kind="stable")
    count = min(SCRIBBLE_CLICKS, len(pixels))
    chosen = order[((np.arange(count) + 0.5) * len(pixels) / count).astype(int)]
    rows_cols = pixels[chosen] + np.array(corner) + 0.5
    return list(rows_cols[:, ::-1].astype(np.float32))


def _within(box_xyxy: NDArray[np.float32], hw: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of a box and a little around it."""
    left, top, right, bottom = box_xyxy
    across, down = BOX_MARGIN * (right - left), BOX_MARGIN * (bottom - top)
    rows, cols = np.arange(hw[0]) + 0.5, np.arange(hw[1]) + 0.5
    inside = ((rows > top - down) & (rows < bottom + down))[:, None]
    return inside & ((cols > left - across) & (cols < right + across))[None]
