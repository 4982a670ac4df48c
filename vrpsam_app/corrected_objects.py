"""What marks on a target change in an answer: the objects that they touch, and little else.

- "Not this": a click or a stroke takes away the objects that it touches, one of many whole; of an
  object that stands alone the model says, after hearing the marks, what remains, and where it
  insists all goes. A box takes away all that lies in it, a painted area its own pixels.
- "This too": what the model finds after hearing the marks is added, and nothing is lost; where that
  would be several times what is there, only the objects under the marks are added. A painted area
  is added as it is.
- An object with marks of both kinds keeps what the model says of it.

Objects are told apart as files do it by default: connected parts, cut at their necks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation, Box, Mask, Point, Scribble, rasterize
from vrpsam_app.marked_parts import MarkedParts, Window, joined, window_of
from vrpsam_app.objects.instances import width_of
from vrpsam_app.segmenter import Prediction

MOST_GROWTH = 3.0
"""Pixels that an answer to marks may add to a window, as a share of those found there before."""
LEAST_FOUND = 0.01
"""Share of the window below which what was found before is too little to say what is too much."""
OTHERS_LIKE_IT = 2
"""From so many others of about its size on an object is one of many."""
ABOUT_ITS_SIZE = 3.0
"""Area of others, as a factor up or down."""
LARGE, COMPACT = 0.05, 1.5
"""A part of something larger is a region and no object if it fills so much of the plane, and is so
many times as large as the largest circle in it."""
FAINT = 0.5
"""Share of the probability under a mark down to which pixels count as what was clicked."""
LARGEST_FAINT = 3.0
"""How much larger than a typical object something faint may be to be added whole."""


@dataclass(frozen=True, eq=False)
class Reply:
    """What the model says of a part of the plane after hearing the marks.

    Attributes
    ----------
    window : rows and columns of the plane
    found : of the window's size
    """

    window: Window
    found: Prediction


@dataclass(frozen=True, eq=False)
class Corrected:
    """An answer that obeys the marks.

    Attributes
    ----------
    prediction : Prediction
    claimed : shape (H, W), bool
        Objects that a person said to be of this class.
    pointed : shape (H, W), bool
        The pixels that were pointed at for it.
    """

    prediction: Prediction
    claimed: NDArray[np.bool_]
    pointed: NDArray[np.bool_]


Ask = Callable[[Sequence[Annotation]], Sequence[Reply]]
"""From marks to what the model says around them, after hearing all marks on the plane."""


def corrected_objects(found: Prediction, marks: Sequence[Annotation], ask: Ask) -> Corrected:
    """Add what marks ask for and take away what they refuse.

    Parameters
    ----------
    found : the answer before
    marks : on the target
    ask : called for positive clicks, strokes and boxes, and for clicks on objects that stand alone

    Returns
    -------
    corrected : Corrected
        Its probability is 0 where something was taken away or had been judged absent, so that no
        threshold brings it back; its score is that of the last reply, if there is one.
    """
    sheet = _Sheet(found, ask)
    wanted = [m for m in marks if m.positive]
    if asking := [m for m in wanted if not isinstance(m, Mask)]:
        near = sheet.touched(wanted)
        for reply in ask(asking):
            sheet.take(reply, near)
    for mark in wanted:
        sheet.add(mark)
    held = sheet.claimed.copy()
    for mark in marks:
        if not mark.positive:
            sheet.remove(mark, held)
    return Corrected(sheet.prediction(), sheet.claimed, sheet.pointed)


class _Sheet:
    """A prediction while marks are worked into it."""

    def __init__(self, found: Prediction, ask: Ask) -> None:
        self._found, self._ask = found, ask
        self._hw = (found.mask.shape[0], found.mask.shape[1])
        self._threshold = found.threshold
        allowed = found.at_threshold(0).mask
        self.probability = np.where(allowed, found.probability, np.float32(0))
        self.claimed = np.zeros(self._hw, np.bool_)
        self.pointed = np.zeros(self._hw, np.bool_)
        self._score = found.score
        width = width_of(found.mask) if found.mask.any() else None
        self._width = width
        self._parts = MarkedParts(found.mask, width, found.instance_labels)

    def touched(self, marks: Sequence[Annotation]) -> NDArray[np.bool_]:
        """Return the pixels that marks point at."""
        near = np.zeros(self._hw, np.bool_)
        for mark in marks:
            near |= self._touched(mark)
        return near

    def take(self, reply: Reply, near: NDArray[np.bool_]) -> None:
        """Add what the model found after hearing the marks, whose pixels are `near`."""
        window, found = reply.window, reply.found
        self._score = found.score
        part = self.probability[window]
        new = found.mask & (part <= self._threshold)
        new &= ~self._cut_off(window, new, near[window])
        before = np.count_nonzero(self._parts.mask[window])
        limit = MOST_GROWTH * before
        if before > LEAST_FOUND * part.size and np.count_nonzero(new) > limit:
            new &= joined(found.mask, near[window], self._diameter(found.mask))
            if np.count_nonzero(new) > limit:
                return
        self._raise(window, new, found.probability)

    def add(self, mark: Annotation) -> None:
        """See to it that what a mark shows is in the mask."""
        where = self._touched(mark)
        everywhere = (slice(None), slice(None))
        if not isinstance(mark, Mask) and not (self._parts.mask & where).any():
            for reply in self._ask([mark]):
                self._add_faint(reply, where)
        if isinstance(mark, Mask) or not (self._parts.mask & where).any():
            drawn = rasterize([mark], self._hw).positive
            self._raise(everywhere, drawn & ~self._parts.mask, np.ones(self._hw, np.float32))
        for window, inside in self._parts.at(where):
            self.claimed[window] |= inside
        self.pointed |= where
        if isinstance(mark, Mask):
            self.claimed |= where

    def remove(self, mark: Annotation, held: NDArray[np.bool_]) -> None:
        """See to it that what a mark refuses is not in the mask."""
        where = self._touched(mark)
        if not isinstance(mark, Box | Mask):
            touched = list(self._parts.at(where))
            many = [self._is_one_of_many(*each) for each in touched]
            for (window, inside), one_of_many in zip(touched, many, strict=True):
                if (held[window] & inside).any():
                    self._trim(window, inside, mark)
                elif one_of_many:
                    self._erase(*self._with_slope(window, inside))
            if not all(many):
                self._take_from_one(where, held, mark)
        self._erase((slice(None), slice(None)), where)

    def prediction(self) -> Prediction:
        """Return the answer as it is now."""
        mask, objects = self._parts.mask, self._found.instance_labels
        there = self._found.present or bool(self.claimed.any())
        return replace(
            self._found,
            mask=mask.copy(),
            probability=self.probability,
            score=self._score,
            present=there and bool(self.probability.any()),
            found_in=None,
            instance_labels=None if objects is None else numbered(mask, objects),
        )

    def _touched(self, mark: Annotation) -> NDArray[np.bool_]:
        """Return the pixels that a mark points at: of a click the one, of a stroke its line."""
        height, width = self._hw
        if isinstance(mark, Scribble):
            line = [(min(max(r, 0), height), min(max(c, 0), width)) for r, c in mark.vertices]
            mark = replace(mark, vertices=tuple(line), width=1.0)
        elif isinstance(mark, Point):
            row, col = min(max(mark.row, 0), height), min(max(mark.col, 0), width)
            mark = replace(mark, row=row, col=col, radius=0.5)
        return rasterize([replace(mark, positive=True)], self._hw).positive

    def _diameter(self, mask: NDArray[np.bool_]) -> float:
        return self._width or width_of(mask)

    def _cut_off(
        self, window: Window, new: NDArray[np.bool_], near: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return the new parts that the side of a window cuts, but for those under a mark."""
        from scipy import ndimage

        parts, _ = ndimage.label(new)
        sides = []
        for axis, span in enumerate(window):
            first, last = parts.take(0, axis), parts.take(-1, axis)
            sides += [first] if (span.start or 0) > 0 else []
            sides += [last] if span.stop is not None and span.stop < self._hw[axis] else []
        if not sides:
            return np.zeros(new.shape, np.bool_)
        cut = np.setdiff1d(np.concatenate(sides), np.append(parts[near], 0))
        return np.isin(parts, cut)

    def _add_faint(self, reply: Reply, where: NDArray[np.bool_]) -> None:
        """Add what the model thinks possible where it was clicked, if that is like an object."""
        inside, probability = where[reply.window], reply.found.probability
        if not inside.any():
            return
        faint = probability > FAINT * float(probability[inside].max())
        diameter = self._diameter(faint)
        grown = joined(faint, inside, diameter)
        if grown.any() and np.count_nonzero(grown) <= LARGEST_FAINT * diameter**2:
            self._raise(reply.window, grown & ~self._parts.mask[reply.window], np.ones_like(faint))

    def _is_one_of_many(self, window: Window, inside: NDArray[np.bool_]) -> bool:
        """Tell whether others of about an object's size were found, beside it or joined with it."""
        from scipy import ndimage

        area = np.count_nonzero(inside)
        alone, sizes = self._parts.sizes_beside(window, inside)
        if not alone and area > LARGE * self._parts.mask.size:
            circle = np.pi * ndimage.distance_transform_edt(np.pad(inside, 1)).max() ** 2
            if area > COMPACT * circle:
                return False
        alike = (sizes >= area / ABOUT_ITS_SIZE) & (sizes <= area * ABOUT_ITS_SIZE)
        return int(np.count_nonzero(alike)) >= OTHERS_LIKE_IT

    def _take_from_one(
        self, where: NDArray[np.bool_], held: NDArray[np.bool_], mark: Annotation
    ) -> None:
        """Leave of what hangs together with a mark what the model finds, or nothing."""
        for window, inside in list(self._parts.whole_at(where)):
            self._trim(window, inside, mark)
        self._parts.renew()
        for window, inside in list(self._parts.whole_at(where)):
            if not (held[window] & inside).any():
                self._erase(*self._with_slope(window, inside))

    def _trim(self, window: Window, inside: NDArray[np.bool_], mark: Annotation) -> None:
        """Leave of an object what the model finds of it after hearing the marks."""
        kept = np.zeros(self._hw, np.bool_)
        asked = np.zeros(self._hw, np.bool_)
        for reply in self._ask([mark]):
            kept[reply.window] |= reply.found.probability > self._threshold
            asked[reply.window] = True
        self._erase(window, inside & asked[window] & ~kept[window])

    def _with_slope(
        self, window: Window, inside: NDArray[np.bool_]
    ) -> tuple[Window, NDArray[np.bool_]]:
        """Widen an object by what slopes down from it, up to the middle between it and others."""
        from skimage.segmentation import expand_labels

        reach = max(1, round(self._diameter(inside) / 2))
        rows, cols = (slice(max(span.start - reach, 0), span.stop + reach) for span in window)
        labels = self._parts.mask[rows, cols].astype(np.int32) * 2
        top, left = window[0].start - rows.start, window[1].start - cols.start
        labels[top : top + inside.shape[0], left : left + inside.shape[1]][inside] = 1
        wide = expand_labels(labels, reach)  # type: ignore[no-untyped-call]
        return (rows, cols), np.asarray(wide == 1)

    def _raise(
        self, window: Window, where: NDArray[np.bool_], probability: NDArray[np.generic]
    ) -> None:
        """Add pixels of a window with the probability that they have."""
        if where.any():
            self.probability[window][where] = probability[where]
            self._parts.add(window, where)

    def _erase(self, window: Window, inside: NDArray[np.bool_]) -> None:
        self.probability[window][inside] = 0
        self.claimed[window] &= ~inside
        self.pointed[window] &= ~inside
        self._parts.remove(window, inside)


def numbered(mask: NDArray[np.bool_], objects: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the numbers of objects in a mask; pixels without one get new ones, part by part."""
    from scipy import ndimage

    kept = np.where(mask, objects, 0)
    new, _ = ndimage.label(mask & (kept == 0))
    return np.where(new > 0, new + objects.max(initial=0), kept).astype(np.int32)


def nearer(
    claims: NDArray[np.bool_], own: NDArray[np.bool_], other: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return where, of what two classes claim, the marks of the other are nearer.

    Parameters
    ----------
    claims : shape (H, W), what was claimed for both
    own, other : shape (H, W), what was pointed at
    """
    from scipy import ndimage

    farther = np.zeros(claims.shape, np.bool_)
    if claims.any() and other.any():
        window = window_of(claims | own | other, 0)
        to_other = ndimage.distance_transform_edt(~other[window])
        to_own = ndimage.distance_transform_edt(~own[window]) if own.any() else np.inf
        farther[window] = claims[window] & (to_other < to_own)
    return farther
