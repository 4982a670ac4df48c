"""Intersections and unions summed per class over episodes: mIoU and FB-IoU of the papers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.metrics import Mask, check_shapes


class ClassTally:
    """Pixels counted per class, foreground and background apart.

    A mean over episodes weighs a speck like a bus; the few-shot literature therefore sums the
    pixels of each class over its episodes first (Min et al., HSNet, ICCV 2021, whose code VRP-SAM
    evaluates with).

    Examples
    --------
    >>> tally = ClassTally()
    >>> truth = np.array([[True, True, False, False]])
    >>> tally.add("cat", np.array([[True, False, False, False]]), truth)
    >>> tally.mean_iou(), round(tally.fb_iou(), 3)
    (0.5, 0.583)
    """

    def __init__(self) -> None:
        # Per class: intersection and union of the background, then of the foreground.
        self._counts: dict[Hashable, NDArray[np.int64]] = {}

    def add(self, name: Hashable, found: Mask, truth: Mask, ignore: Mask | None = None) -> None:
        """Count one episode of a class.

        Parameters
        ----------
        name : of the class
        found, truth : shape (H, W), bool
        ignore : shape (H, W), bool, optional
            Pixels that count neither as foreground nor as background.

        Raises
        ------
        ImageError
            If the shapes differ.
        """
        check_shapes(found, truth, ignore)
        if ignore is not None:
            found, truth = found[~ignore], truth[~ignore]
        counts = [
            [np.count_nonzero(a & b), np.count_nonzero(a | b)]
            for a, b in ((~found, ~truth), (found, truth))
        ]
        self._counts[name] = self._counts.get(name, np.zeros((2, 2), np.int64)) + counts

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Classes counted so far, in the order of their first episode."""
        return tuple(self._counts)

    def iou_of(self, name: Hashable) -> float:
        """Return the foreground IoU of one class; 0 where nothing was ever found or true.

        Raises
        ------
        ConfigError
            If the class has no episode.
        """
        self._check([name])
        intersection, union = self._counts[name][1]
        return float(intersection / max(union, 1))

    def mean_iou(self, names: Iterable[Hashable] | None = None) -> float:
        """Return mIoU: the mean foreground IoU of the classes, by default of all counted ones.

        Raises
        ------
        ConfigError
            If a class has no episode, or there is no class.
        """
        chosen = self._check(self.names if names is None else names)
        return float(np.mean([self.iou_of(name) for name in chosen]))

    def fb_iou(self, names: Iterable[Hashable] | None = None) -> float:
        """Return FB-IoU: the mean of background and foreground IoU, summed over the classes.

        Raises
        ------
        ConfigError
            If a class has no episode, or there is no class.
        """
        chosen = self._check(self.names if names is None else names)
        total = np.sum([self._counts[name] for name in chosen], axis=0)
        return float(np.mean(total[:, 0] / np.maximum(total[:, 1], 1)))

    def _check(self, names: Iterable[Hashable]) -> list[Hashable]:
        wanted = list(names)
        missing = [name for name in wanted if name not in self._counts]
        if missing or not wanted:
            raise ConfigError(
                f"No episode was counted of {', '.join(map(repr, missing)) or 'any class'}: "
                "expected at least one per class. Count them, or leave the class out of `names`."
            )
        return wanted
