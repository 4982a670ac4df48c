"""What marks on a target change in an answer: the objects that they touch, and little else.

- "Not this": a click or a stroke takes away the objects that it touches, one of many whole; of an
  object that stands alone the model says, after hearing the marks, what remains. A box takes away
  all that lies in it, a painted area its own pixels.
- "This too": what the model finds after hearing the marks is added, and nothing is lost; where that
  would be several times what is there, only the objects under the marks are added. A painted area
  is added as it is.
- An object with marks of both kinds keeps what the model says of it.

Objects are told apart as files do it by default: connected parts, cut at their necks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Annotation, Box, Mask, Point, Scribble, rasterize
from vrpsam_app.objects.instances import width_of
from vrpsam_app.objects.watersheds import split_mask
from vrpsam_app.segmenter import Prediction

Window = tuple[slice, slice]

MOST_GROWTH = 3.0
"""Pixels that an answer to marks may add everywhere, as a share of those that were found before."""
LEAST_FOUND = 0.01
"""Share of the plane below which what was found before is too little to say what is too much."""
OTHERS_LIKE_IT = 2
"""From so many others of about its size on an object is one of many."""
ABOUT_ITS_SIZE = 3.0
"""Area of others, as a factor up or down."""
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
        Objects that a person said to be of this class; no other class has them.
    """

    prediction: Prediction
    claimed: NDArray[np.bool_]


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
        for reply in ask(asking):
            sheet.take(reply, wanted)
    for mark in wanted:
        sheet.add(mark)
    held = sheet.claimed.copy()
    for mark in marks:
        if not mark.positive:
            sheet.remove(mark, held)
    return Corrected(sheet.prediction(), sheet.claimed)


class _Sheet:
    """A prediction while marks are worked into it."""

    def __init__(self, found: Prediction, ask: Ask) -> None:
        self._found, self._ask = found, ask
        self._hw = (found.mask.shape[0], found.mask.shape[1])
        self._threshold = found.threshold
        allowed = found.at_threshold(0).mask
        self.probability = np.where(allowed, found.probability, np.float32(0))
        self.claimed = np.zeros(found.mask.shape, np.bool_)
        self._objects = found.instance_labels
        self._score = found.score
        self._width = width_of(found.mask) if found.mask.any() else None

    @property
    def mask(self) -> NDArray[np.bool_]:
        return np.asarray(self.probability > self._threshold)

    def take(self, reply: Reply, positive: Sequence[Annotation]) -> None:
        """Add what the model found after hearing the marks."""
        part, found = self.probability[reply.window], reply.found
        self._score = found.score
        before = np.count_nonzero(self.mask)
        new = found.mask & (part <= self._threshold)
        enough = before > LEAST_FOUND * part.size
        if enough and np.count_nonzero(new) > MOST_GROWTH * before:
            near = np.zeros(self.mask.shape, np.bool_)
            for mark in positive:
                near |= self._touched(mark)
            new &= _joined(found.mask, near[reply.window], self._diameter(found.mask))
        np.maximum(part, np.where(new, found.probability, 0), out=part)

    def add(self, mark: Annotation) -> None:
        """See to it that what a mark shows is in the mask."""
        where = self._touched(mark)
        if isinstance(mark, Mask):
            self.probability[where] = 1
        elif not (self.mask & where).any():
            for reply in self._ask([mark]):
                self._add_faint(reply, where)
        if not (self.mask & where).any():
            self.probability[where] = 1
        for window, inside in self._at(where):
            self.claimed[window] |= inside
        if isinstance(mark, Mask):
            self.claimed |= where

    def remove(self, mark: Annotation, held: NDArray[np.bool_]) -> None:
        """See to it that what a mark refuses is not in the mask."""
        where = self._touched(mark)
        if not isinstance(mark, Box | Mask):
            for window, inside in list(self._at(where)):
                if (held[window] & inside).any() or not self._is_one_of_many(window, inside):
                    self._trim(window, inside, mark)
            for window, inside in list(self._at(where)):
                if not (held[window] & inside).any():
                    self._erase(*self._with_slope(window, inside))
        self._erase((slice(None), slice(None)), where)

    def prediction(self) -> Prediction:
        """Return the answer as it is now."""
        mask = self.mask
        objects = self._objects
        if objects is not None:
            objects = np.where(mask, objects, 0)
            new, _ = _labelled(mask & (objects == 0))
            objects = np.where(new > 0, new + objects.max(), objects).astype(np.int32)
        return replace(
            self._found,
            mask=mask,
            probability=self.probability,
            score=self._score,
            present=bool(mask.any()),
            found_in=None,
            instance_labels=objects,
        )

    def _touched(self, mark: Annotation) -> NDArray[np.bool_]:
        """Return the pixels that a mark points at: of a click the one, of a stroke its line."""
        if isinstance(mark, Scribble):
            mark = replace(mark, width=1.0)
        if isinstance(mark, Point):
            mark = replace(mark, radius=0.5)
        return rasterize([replace(mark, positive=True)], self._hw).positive

    def _at(self, where: NDArray[np.bool_]) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
        """Yield the objects that some pixels lie in, each in its window."""
        mask = self.mask
        if not (mask & where).any():
            return
        if self._objects is None:
            yield from _objects_at(mask, where, self._diameter(mask))
            return
        for number in np.unique(self._objects[mask & where]):
            if number:
                inside = (self._objects == number) & mask
                window = _window_of(inside, 1)
                yield window, inside[window]
        if (rest := mask & where & (self._objects == 0)).any():
            yield from _objects_at(mask & (self._objects == 0), rest, self._diameter(mask))

    def _diameter(self, mask: NDArray[np.bool_]) -> float:
        return self._width or width_of(mask)

    def _add_faint(self, reply: Reply, where: NDArray[np.bool_]) -> None:
        """Add what the model thinks possible where it was clicked, if that is like an object."""
        inside, probability = where[reply.window], reply.found.probability
        if not inside.any():
            return
        level = FAINT * float(probability[inside].max())
        faint = probability > level
        diameter = self._diameter(faint)
        grown = _joined(faint, inside, diameter)
        if grown.any() and np.count_nonzero(grown) <= LARGEST_FAINT * diameter**2:
            part = self.probability[reply.window]
            part[grown & (part <= self._threshold)] = 1

    def _is_one_of_many(self, window: Window, inside: NDArray[np.bool_]) -> bool:
        """Tell whether others of about an object's size were found, beside it or joined with it."""
        area, mask = np.count_nonzero(inside), self.mask
        parts, _ = _labelled(mask)
        sizes = np.bincount(parts.ravel())[1:]
        own = parts[window][inside][0]
        whole = parts == own
        box = _window_of(whole, 1)
        joined = split_mask(whole[box], "distance", diameter=self._diameter(mask))
        sizes = np.concatenate([np.delete(sizes, own - 1), np.bincount(joined.ravel())[1:]])
        alike = (sizes >= area / ABOUT_ITS_SIZE) & (sizes <= area * ABOUT_ITS_SIZE)
        return int(np.count_nonzero(alike)) - 1 >= OTHERS_LIKE_IT

    def _trim(self, window: Window, inside: NDArray[np.bool_], mark: Annotation) -> None:
        """Leave of an object what the model finds of it after hearing the marks."""
        kept = np.zeros(self.claimed.shape, np.bool_)
        asked = np.zeros(self.claimed.shape, np.bool_)
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
        labels = self.mask[rows, cols].astype(np.int32) * 2
        top, left = window[0].start - rows.start, window[1].start - cols.start
        labels[top : top + inside.shape[0], left : left + inside.shape[1]][inside] = 1
        wide = expand_labels(labels, reach)  # type: ignore[no-untyped-call]
        return (rows, cols), np.asarray(wide == 1)

    def _erase(self, window: Window, inside: NDArray[np.bool_]) -> None:
        self.probability[window][inside] = 0
        self.claimed[window] &= ~inside


def _objects_at(
    mask: NDArray[np.bool_], where: NDArray[np.bool_], diameter: float
) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Yield the objects of a mask that some pixels lie in; only those parts are cut."""
    parts, _ = _labelled(mask)
    for number in np.unique(parts[where & mask]):
        whole = parts == number
        window = _window_of(whole, 1)
        objects = split_mask(whole[window], "distance", diameter=diameter)
        for each in np.unique(objects[where[window] & whole[window]]):
            if each:
                yield window, objects == each


def _joined(
    mask: NDArray[np.bool_], where: NDArray[np.bool_], diameter: float
) -> NDArray[np.bool_]:
    """Return the objects of a mask that some pixels lie in, together."""
    together = np.zeros(mask.shape, np.bool_)
    for window, inside in _objects_at(mask, where, diameter):
        together[window] |= inside
    return together


def _labelled(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    from scipy import ndimage

    parts, count = ndimage.label(mask)
    return parts, int(count)


def _window_of(inside: NDArray[np.bool_], margin: int) -> Window:
    rows, cols = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + 1 + margin),
        slice(max(int(cols[0]) - margin, 0), int(cols[-1]) + 1 + margin),
    )
