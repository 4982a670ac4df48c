"""The classes of PASCAL VOC and COCO, their four folds, and the classes that both know.

Few-shot segmentation is measured on classes that were not trained on: a fold's *novel* classes are
its test classes, the others are its *base* classes.
"""

from __future__ import annotations

from typing import Literal

from vrpsam_app.errors import ConfigError

FOLDS = 4

NovelRule = Literal["excluded", "background"]
"""What becomes of a training picture that shows a novel class.

``excluded``: it is left out, so that no novel object is ever seen. So are the lists that VRP-SAM's
published code trains on. ``background``: it stays if a base class is there too, with the novel
objects labelled background, so that the model learns to pass them over. The rule of PFENet and
HSNet; of VRP-SAM's second, unused set of lists.
"""

# In the order of VOC's label values, the first is 1.
PASCAL_CLASSES: tuple[str, ...] = (
    "aeroplane", "bicycle", "bird", "boat", "bottle",
    "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person",
    "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

# In the order of COCO's category ids, which run from 1 to 90 with gaps.
COCO_CLASSES: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck",
    "boat", "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe",
    "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl",
    "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza",
    "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip

# COCO knows all of VOC's classes; these it spells otherwise.
_COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def pascal_fold(fold: int) -> tuple[str, ...]:
    """Return the novel classes of a fold of PASCAL-5i: five in a row, from number 5 * fold.

    Parameters
    ----------
    fold : 0 to 3

    Raises
    ------
    ConfigError
        If there is no such fold.

    Examples
    --------
    >>> pascal_fold(3)
    ('pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor')
    """
    start = 5 * checked_fold(fold)
    return PASCAL_CLASSES[start : start + 5]


def coco_fold(fold: int) -> tuple[str, ...]:
    """Return the novel classes of a fold of COCO-20i: every fourth one, from number `fold`.

    Parameters
    ----------
    fold : 0 to 3

    Raises
    ------
    ConfigError
        If there is no such fold.

    Examples
    --------
    >>> coco_fold(1)[:3]
    ('bicycle', 'bus', 'traffic light')
    """
    return COCO_CLASSES[checked_fold(fold) :: FOLDS]


def coco_name(pascal_class: str) -> str:
    """Return the name that COCO has for a class of PASCAL VOC."""
    return _COCO_NAMES.get(pascal_class, pascal_class)


def disjoint_pascal_classes(fold: int) -> tuple[str, ...]:
    """Return the classes of PASCAL VOC that a model trained on a fold of COCO-20i has not seen.

    They are those that COCO has among the fold's novel classes, in VOC's order: 6, 4, 6 and 4
    classes for the folds 0 to 3. Every other class of VOC is one that such a model was trained on.

    Parameters
    ----------
    fold : 0 to 3, of COCO-20i

    Examples
    --------
    >>> disjoint_pascal_classes(1)
    ('bicycle', 'bus', 'horse', 'sofa')
    """
    novel = set(coco_fold(fold))
    return tuple(name for name in PASCAL_CLASSES if coco_name(name) in novel)


def coco_to_pascal_table() -> str:
    """Return the class-disjoint mapping as lines to print, one per fold of COCO-20i.

    A class whose name differs is written ``PASCAL name (COCO name)``.
    """
    lines = []
    for fold in range(FOLDS):
        classes = [
            name if coco_name(name) == name else f"{name} ({coco_name(name)})"
            for name in disjoint_pascal_classes(fold)
        ]
        lines.append(f"trained without COCO fold {fold}: test on {', '.join(classes)}")
    return "\n".join(lines)


def checked_fold(fold: int) -> int:
    """Return `fold` if it is one of the four."""
    if fold not in range(FOLDS):
        raise ConfigError(f"Fold {fold!r} does not exist: expected 0, 1, 2 or 3.")
    return fold


def checked_rule(rule: NovelRule) -> NovelRule:
    """Return `rule` if it is a rule about training pictures that show novel classes."""
    if rule not in ("excluded", "background"):
        raise ConfigError(
            f"The rule {rule!r} for novel classes is unknown: expected 'excluded' (leave such "
            "training pictures out) or 'background' (keep them, novel objects as background)."
        )
    return rule
