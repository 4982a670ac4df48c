"""A reference: an image with marks on it that show what to look for, or what not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.annotation_types import as_annotations, as_mask, check_same_size
from vrpsam_app.annotations import Annotation, Kind, Marks, rasterize
from vrpsam_app.errors import AnnotationError, EmptyReferenceError
from vrpsam_app.images import check_plane, plane_key

# How far outside a box the background is believed to reach, as a share of its shorter side.
BOX_RING_SHARE = 0.15
BOX_RING_MIN_PIXELS = 2

_COVERED = (
    "The negative marks cover all positive ones. Remove some of them, or mark the object again."
)


@dataclass(frozen=True, eq=False)
class KnownBackground:
    """What a reference says about pixels that are not the object.

    Attributes
    ----------
    certain : shape (H, W), bool
        Marked as not the object, or left unmarked where everything of the kind is marked.
    weak : shape (H, W), bool
        Probably background: just outside a box. Never overlaps `certain` or the positive marks.
    """

    certain: NDArray[np.bool_]
    weak: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Reference:
    """An image, the pixels marked on it, and what the marks mean.

    Unmarked pixels are unknown, not background, unless `exhaustive` says that everything of this
    kind is marked.

    Attributes
    ----------
    image : shape (H, W), (H, W, 3) or (H, W, 4), read-only
        The plane as it was given, in its own type.
    positive, negative : shape (H, W), bool, read-only
        Marked as the object, and as not the object; where both are given the negative mark wins.
    kind : kind of the positive marks
    exhaustive : True if every object of this kind in the image is marked
    label : name of the class

    Raises
    ------
    ImageError
        If the image has a shape or type that cannot be read.
    AnnotationError
        If a mask has another size than the image, or the label is empty.
    EmptyReferenceError
        If nothing is marked, or negative marks cover all positive ones.

    Examples
    --------
    >>> from vrpsam_app.annotations import Point
    >>> image = np.zeros((64, 64), np.uint8)
    >>> reference = Reference.from_annotations(image, [Point(20, 30)], label="nucleus")
    >>> reference.kind, int(reference.positive.sum())
    ('point', 12)
    """

    image: NDArray[Any]
    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    kind: Kind
    exhaustive: bool = False
    label: str = "object"

    def __post_init__(self) -> None:
        image = check_plane(self.image, name="The reference image")
        if image.flags.writeable or image.base is not None:
            image = image.copy()
            image.flags.writeable = False
        size = image.shape[:2]
        given = as_mask(self.positive)
        check_same_size(given.shape, size, "The positive mask", "the reference image")
        marks = Marks(given, self.negative, self.kind)
        if not isinstance(self.label, str) or not self.label.strip():
            raise AnnotationError(
                f"The label is {self.label!r}: expected a name such as 'nucleus'."
            )
        if given.any() and not marks.positive.any():
            raise EmptyReferenceError(_COVERED)
        if not (marks.positive.any() or marks.negative.any()):
            raise EmptyReferenceError(
                f"The reference image of {size[0]} x {size[1]} pixels has no marks: expected at "
                "least one. Click, stroke, box or outline the object."
            )
        object.__setattr__(self, "image", image)
        object.__setattr__(self, "positive", marks.positive)
        object.__setattr__(self, "negative", marks.negative)
        object.__setattr__(self, "exhaustive", bool(self.exhaustive))

    def __repr__(self) -> str:
        rows, cols = self.image.shape[:2]
        words = [f"label={self.label!r}", f"kind={self.kind!r}"]
        words += ["exhaustive=True"] * self.exhaustive + ["not this"] * self.is_not_this
        return f"Reference({', '.join(words)}, {rows} x {cols})"

    def _repr_png_(self) -> bytes:
        from vrpsam_app.notebook_pictures import marks_png

        return marks_png(self.image, Marks(self.positive, self.negative, self.kind))

    @classmethod
    def from_annotations(
        cls,
        image: ArrayLike,
        annotations: Sequence[Annotation],
        *,
        exhaustive: bool = False,
        label: str = "object",
    ) -> Reference:
        """Build a reference from points, boxes, scribbles and masks.

        Parameters
        ----------
        image : shape (H, W), (H, W, 3) or (H, W, 4)
        annotations : marks in (row, col) order, in pixels of `image`
        exhaustive : True if everything of this kind is marked
        label : name of the class
        """
        plane = check_plane(image, name="The reference image")
        annotations = as_annotations(annotations)
        marks = rasterize(annotations, (plane.shape[0], plane.shape[1]))
        wanted = any(a.positive for a in annotations)
        if wanted and marks.negative.any() and not marks.positive.any():
            raise EmptyReferenceError(_COVERED)
        return cls(plane, marks.positive, marks.negative, marks.kind, exhaustive, label)

    @classmethod
    def from_mask(
        cls,
        image: ArrayLike,
        mask: ArrayLike,
        *,
        exhaustive: bool = False,
        label: str = "object",
        negative: ArrayLike | None = None,
    ) -> Reference:
        """Build a reference from a mask of the object.

        Parameters
        ----------
        image : shape (H, W), (H, W, 3) or (H, W, 4)
        mask : shape (H, W), bool or numbers
            The object is where it is not zero; a label image marks all its objects.
        exhaustive : True if everything of this kind is marked
        label : name of the class
        negative : shape (H, W), optional
            Where it is not zero there certainly is no object.
        """
        positive = as_mask(mask)
        nowhere = np.zeros(positive.shape, dtype=np.bool_)
        against = nowhere if negative is None else as_mask(negative)
        plane = check_plane(image, name="The reference image")
        return cls(plane, positive, against, "mask", exhaustive, label)

    def as_not_this(self) -> Reference:
        """Return a reference that says "not this" of everything that was marked as the object.

        What was marked as not the object is unknown to the new reference: it may be what is looked
        for. A reference that has no positive marks is returned as it is.
        """
        if self.is_not_this:
            return self
        nowhere = np.zeros_like(self.positive)
        return replace(self, positive=nowhere, negative=self.positive, exhaustive=False)

    def spelled_out(self) -> tuple[Reference, ...]:
        """Return this and, of a whole picture's background, what somebody pointed at once more.

        Where everything of a kind is marked, all the rest is background, in which a few strokes
        that say "not this" would drown. As a reference of their own they are heard.
        """
        if not self.exhaustive or self.is_not_this or not self.negative.any():
            return (self,)
        nowhere = np.zeros_like(self.positive)
        return self, replace(self, positive=nowhere, kind="mask", exhaustive=False)

    @property
    def is_not_this(self) -> bool:
        """True if the reference has negative marks only."""
        return not self.positive.any()

    @cached_property
    def image_key(self) -> str:
        """Hash of the image's type, shape and pixels."""
        return plane_key(self.image)

    @cached_property
    def content_key(self) -> str:
        """Hash of everything that can change a prediction: all but the label."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.image_key} {self.kind} {self.exhaustive}".encode())
        digest.update(np.packbits(self.positive).tobytes())
        digest.update(np.packbits(self.negative).tobytes())
        return digest.hexdigest()

    def known_background(self) -> KnownBackground:
        """Return where the marks say, or suggest, that the object is not.

        Returns
        -------
        background : KnownBackground
            `certain` holds the negative marks and, for an exhaustive reference, every pixel that is
            not marked as the object. `weak` holds, for boxes, a ring just outside each: 15 % of its
            shorter side wide, at least 2 pixels.
        """
        certain = ~self.positive if self.exhaustive else self.negative.copy()
        weak = np.zeros_like(certain)
        if self.kind == "box" and not self.is_not_this:
            weak = _rings(self.positive) & ~self.positive & ~certain
        return KnownBackground(certain, weak)


def labels_of(references: Iterable[Reference]) -> tuple[str, ...]:
    """Return the classes in the order in which their first example comes.

    Raises
    ------
    AnnotationError
        If a class has only "not this" references, so that nothing shows what it looks like.
    """
    references = list(references)
    labels = tuple(dict.fromkeys(r.label for r in references if not r.is_not_this))
    if orphans := sorted({r.label for r in references} - set(labels)):
        raise AnnotationError(
            f"The class {orphans[0]!r} has only 'not this' references: mark at least one example "
            "of the object itself."
        )
    return labels


def references_for(references: Iterable[Reference], label: str) -> list[Reference]:
    """Return the references of one class, with those of the other classes as "not this".

    All of them carry `label`, as a segmenter expects that is asked for one class.
    """
    references = list(references)
    others = [r.as_not_this() for r in references if r.label != label and not r.is_not_this]
    return [
        *(r for r in references if r.label == label),
        *(replace(r, label=label) for r in others),
    ]


def spelled_out(references: Iterable[Reference]) -> list[Reference]:
    """Return the references of one class, each with what :meth:`Reference.spelled_out` adds.

    What is spelled out already stays as it is: a method may ask another segmenter in its turn.
    """
    given = list(references)
    parts = [part for reference in given for part in reference.spelled_out()]
    if len(parts) == len(given):
        return given
    known = {reference.content_key for reference in given}
    return [part for part in parts if part in given or part.content_key not in known]


def _rings(boxes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the surroundings of each box among the marks."""
    from scipy import ndimage

    labels, _ = ndimage.label(boxes)
    rings = np.zeros_like(boxes)
    for index, (rows, cols) in enumerate(ndimage.find_objects(labels), start=1):
        shorter = min(rows.stop - rows.start, cols.stop - cols.start)
        width = max(BOX_RING_MIN_PIXELS, round(BOX_RING_SHARE * shorter))
        near = (
            slice(max(rows.start - width, 0), rows.stop + width),
            slice(max(cols.start - width, 0), cols.stop + width),
        )
        part = labels[near] == index
        if _has_straight_sides(labels[rows, cols] == index):
            rings[near] |= ndimage.maximum_filter(part, size=2 * width + 1, mode="constant")
    return rings


def _has_straight_sides(part: NDArray[np.bool_]) -> bool:
    """Tell a union of boxes from a disc or stroke marked beside them.

    The rows of a box are all alike; those of a disc differ from row to row (more than half of them,
    whatever its radius).
    """
    changes = (part[1:] != part[:-1]).any(axis=1).sum()
    return bool(changes <= len(part) / 3)
