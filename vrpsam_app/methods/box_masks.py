"""Boxes of objects as masks: SAM is asked by each, and answers that do not fill it are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Box
from vrpsam_app.data.boxed_pictures import BoxedPictures
from vrpsam_app.errors import ConfigError
from vrpsam_app.image_files import read_image, write_image
from vrpsam_app.images import to_rgb
from vrpsam_app.label_files import write_labels
from vrpsam_app.methods.prompted_pictures import PromptedModel, PromptedPicture, answered
from vrpsam_app.methods.sam_pictures import SAMPrompt
from vrpsam_app.output_paths import prepare_folder

LEAST_AGREEMENT = 0.7
"""Intersection over union of a mask's box with the one it was asked by, from which it is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxMask:
    """A mask made of a box.

    Attributes
    ----------
    mask : shape (H, W), bool
        Within the box.
    agreement : intersection over union of the mask's box with the box that was drawn
    score : predicted intersection over union of the mask with the object
    """

    mask: NDArray[np.bool_]
    agreement: float
    score: float

    @property
    def is_taken(self) -> bool:
        """Whether the mask fills its box as an object would."""
        return self.agreement >= LEAST_AGREEMENT


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a folder of boxes.

    Attributes
    ----------
    folder : labelled, ready to learn from
    taken, refused : numbers of boxes
    """

    folder: Path
    taken: int
    refused: int


def mask_of_box(picture: PromptedPicture, box: Box) -> BoxMask:
    """Ask for the object in a box.

    Parameters
    ----------
    picture : opened by a SAM or a model
    box : in pixels of the picture
    """
    height, width = picture.original_hw
    corners = np.array(
        [max(box.left, 0), max(box.top, 0), min(box.right, width), min(box.bottom, height)],
        np.float32,
    )
    if corners[0] >= corners[2] or corners[1] >= corners[3]:
        return BoxMask(np.zeros((height, width), np.bool_), 0.0, 0.0)
    logits, scores = answered(picture, [SAMPrompt(box_xyxy=corners)], None)
    found = (picture.resized(logits[:, None])[0, 0] > 0).cpu().numpy()
    rows, cols = np.arange(height) + 0.5, np.arange(width) + 0.5
    inside = ((rows > corners[1]) & (rows < corners[3]))[:, None]
    mask: NDArray[np.bool_] = found & inside & ((cols > corners[0]) & (cols < corners[2]))[None]
    return BoxMask(mask, _agreement(mask, corners), float(scores[0]))


def convert_boxes(
    model: PromptedModel,
    boxed: BoxedPictures,
    folder: str | Path,
    *,
    label: str | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Write a labelled folder with masks in the place of boxes.

    Pictures in which a box was refused are left out whole: an object that is there and not labelled
    would teach that it is none.

    Parameters
    ----------
    model : PromptedModel
    boxed : BoxedPictures
    folder : of the result: ``images/``, ``masks/``, ``meta.json``, ``conversion.json``
    label : only boxes with this; all by default
    report : told how many pictures are done, and how many there are

    Raises
    ------
    ConfigError
        If no box has the label, or all are refused.
    OutputError
        If a picture of that name is there already.
    """
    if label is not None and label not in boxed.labels:
        raise ConfigError(
            f"No box in {boxed.folder} is labelled {label!r}: expected one of "
            f"{', '.join(boxed.labels)}."
        )
    root = Path(folder)
    images, masks = prepare_folder(root / "images"), prepare_folder(root / "masks")
    taken, details = 0, {}
    for done, (name, path) in enumerate(boxed.pictures.items(), start=1):
        boxes = [b for b in boxed.boxes[name] if label is None or b.label == label]
        rgb = to_rgb(read_image(path))
        picture = model.open(rgb)
        found = [mask_of_box(picture, b.box) for b in boxes]
        details[name] = [{"agreement": f.agreement, "score": f.score} for f in found]
        if found and all(f.is_taken for f in found):
            objects = np.zeros(rgb.shape[:2], np.uint16)
            for number, own in enumerate(found, start=1):
                objects[own.mask & (objects == 0)] = number
            write_image(images / f"{name}.png", rgb)
            write_labels(masks / f"{name}.png", objects)
            taken += len(found)
        if report is not None:
            report(done, len(boxed.pictures))
    refused = sum(map(len, details.values())) - taken
    if not taken:
        raise ConfigError(
            f"No box in {boxed.folder} could be made a mask of: all {refused} answers leave too "
            "much of their box empty. Outline the objects, or ask another SAM."
        )
    meta = {"kind": "instance", "classes": [label or "object"], "made_by": "boxes, by SAM"}
    (root / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    said = {"model": model.describe(), "taken": taken, "refused": refused, "pictures": details}
    (root / "conversion.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return Conversion(root, taken, refused)


def _agreement(mask: NDArray[np.bool_], corners: NDArray[np.float32]) -> float:
    """Compare a mask's own box with another one."""
    if not mask.any():
        return 0.0
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    own = (cols[0], rows[0], cols[-1] + 1, rows[-1] + 1)
    across = min(own[2], corners[2]) - max(own[0], corners[0])
    down = min(own[3], corners[3]) - max(own[1], corners[1])
    both = max(across, 0) * max(down, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (own, corners)]
    return float(both / (sum(areas) - both))
