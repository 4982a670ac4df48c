"""How well objects are followed through a film: region similarity J and contour accuracy F.

As the DAVIS challenges measure: Perazzi et al., A Benchmark Dataset and Evaluation Methodology for
Video Object Segmentation, CVPR 2016; Pont-Tuset et al., The 2017 DAVIS Challenge, arXiv:1704.00675.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.errors import ImageError
from vrpsam_app.evaluation.metrics import Mask, check_shapes, iou

CONTOUR_SHARE = 0.008
"""How far apart contours may lie to count as the same, as a share of the frame's diagonal."""
RECALLED = 0.5
"""Frames with more than this count as found."""
QUARTERS = 4


def contour_accuracy(
    found: Mask, truth: Mask, ignore: Mask | None = None, *, share: float = CONTOUR_SHARE
) -> float:
    """Return F, the harmonic mean of precision and recall of a mask's contour.

    Parameters
    ----------
    found, truth : shape (H, W), bool
    ignore : shape (H, W), bool, optional
        Pixels that count as background in both, as DAVIS treats them.
    share : float
        Tolerance as a share of the diagonal, rounded up to whole pixels.

    Returns
    -------
    accuracy : in [0, 1]
        1 where both are empty, 0 where one is.

    Raises
    ------
    ImageError
        If the shapes differ.

    Notes
    -----
    A contour is where a mask differs from its right, lower or lower right neighbour; contours
    match where they are within a disc of the tolerance.
    """
    check_shapes(found, truth, ignore)
    if ignore is not None:
        found, truth = found & ~ignore, truth & ~ignore
    reach = math.ceil(share * math.hypot(*truth.shape))
    own, true = contour(found), contour(truth)
    if not own.any() or not true.any():
        return float(own.any() == true.any())
    precision = float((ndimage.distance_transform_edt(~true) <= reach)[own].mean())
    recall = float((ndimage.distance_transform_edt(~own) <= reach)[true].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour(mask: Mask) -> Mask:
    """Return the pixels that differ from a neighbour to the right, below, or right below."""
    edge = np.zeros(mask.shape, np.bool_)
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edge


@dataclass(frozen=True, slots=True)
class MeasureOverTime:
    """One measure of one object through a film.

    Attributes
    ----------
    mean : over frames
    recall : share of the frames above one half
    decay : mean of the first quarter of the frames minus that of the last
    """

    mean: float
    recall: float
    decay: float

    @classmethod
    def of(cls, values: Sequence[float]) -> MeasureOverTime:
        """Sum up the values of the frames, in order.

        Raises
        ------
        ImageError
            If there is none.
        """
        if not values:
            raise ImageError("No frame was compared: expected at least one besides the first.")
        series = np.asarray(values, float)
        ends = np.rint(np.linspace(1, len(series), QUARTERS + 1) + 1e-10).astype(int) - 1
        first, last = series[ends[0] : ends[1] + 1], series[ends[-2] : ends[-1] + 1]
        return cls(
            float(series.mean()),
            float((series > RECALLED).mean()),
            float(first.mean() - last.mean()),
        )


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """How well one object of one film was followed.

    Attributes
    ----------
    film, label : which object
    region : J, intersection over union
    contour : F, accuracy of the contour
    """

    film: str
    label: str
    region: MeasureOverTime
    contour: MeasureOverTime

    @property
    def both(self) -> float:
        """J&F, the mean of the two means."""
        return (self.region.mean + self.contour.mean) / 2


class ObjectScorer:
    """Takes frame after frame of one film; no frame is kept.

    Parameters
    ----------
    film : its name
    labels : name of each object by its number in the label images
    """

    def __init__(self, film: str, labels: Mapping[int, str]) -> None:
        self._film = film
        self._labels = dict(labels)
        self._region: dict[int, list[float]] = {number: [] for number in labels}
        self._contour: dict[int, list[float]] = {number: [] for number in labels}

    def add(
        self,
        found: NDArray[np.integer],
        truth: NDArray[np.integer],
        ignore: Mask | None = None,
    ) -> None:
        """Compare the next frame.

        Parameters
        ----------
        found, truth : shape (H, W), number of the object at each pixel, 0 for none
        ignore : shape (H, W), bool, optional
            Pixels that count as background in both.
        """
        check_shapes(found, truth, ignore)
        for number in self._labels:
            own, true = found == number, truth == number
            self._region[number].append(iou(own, true, ignore))
            self._contour[number].append(contour_accuracy(own, true, ignore))

    def scores(self) -> list[ObjectScores]:
        """Return the scores of each object."""
        return [
            ObjectScores(
                self._film,
                label,
                MeasureOverTime.of(self._region[number]),
                MeasureOverTime.of(self._contour[number]),
            )
            for number, label in self._labels.items()
        ]


@dataclass(frozen=True, slots=True)
class VideoScores:
    """Means over objects, as DAVIS counts: each object has the same weight, whatever its film.

    Attributes
    ----------
    objects : how many
    region_mean, region_recall, region_decay : of J
    contour_mean, contour_recall, contour_decay : of F
    """

    objects: int
    region_mean: float
    region_recall: float
    region_decay: float
    contour_mean: float
    contour_recall: float
    contour_decay: float

    @property
    def both(self) -> float:
        """J&F."""
        return (self.region_mean + self.contour_mean) / 2

    @classmethod
    def of(cls, scores: Iterable[ObjectScores]) -> VideoScores:
        """Average objects.

        Raises
        ------
        ImageError
            If there is none.
        """
        listed = list(scores)
        if not listed:
            raise ImageError("No object was followed: expected scores of at least one.")
        means = [
            float(np.mean([getattr(getattr(s, measure), part) for s in listed]))
            for measure in ("region", "contour")
            for part in ("mean", "recall", "decay")
        ]
        return cls(len(listed), *means)
