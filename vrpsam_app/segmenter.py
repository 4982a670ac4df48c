"""What a prediction is, and the protocol that every way of segmenting from references satisfies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference


@dataclass(frozen=True, eq=False)
class Prediction:
    """Where the object is in one target image, how sure that is, and what said so.

    Attributes
    ----------
    mask : shape (H, W), bool
        ``probability > threshold``, empty if the object is judged absent.
    probability : shape (H, W), float32 in [0, 1]
        Per pixel, whether the object was judged present or not.
    score : predicted intersection over union of the mask with the truth
    presence : how sure it is that the object is in the image at all, in [0, 1]
    present : whether `presence` reaches the model's threshold
    pseudo_mask : shape (h, w), float32 in [0, 1]
        Training-free similarity with the reference, on the model's own grid.
    label : name of the class
    made_by : model, device, versions and intensity range, ready for a recipe
    threshold : probability above which a pixel belongs to the mask
    found_in : shape (H, W), bool, or None
        For a plane shown in tiles: where a tile that covers the pixel found the object present.
        The mask is empty elsewhere.
    instance_labels : shape (H, W), int32, or None
        Objects that the method told apart, 1 to N, 0 outside the mask. None where it knows only
        which pixels belong to the class.
    won : shape (H, W), bool, or None
        Of a class that competed: where it goes before the others, at any threshold. The mask is
        empty elsewhere.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    score: float
    presence: float
    present: bool
    pseudo_mask: NDArray[np.float32]
    label: str
    made_by: Mapping[str, object]
    threshold: float = 0.5
    found_in: NDArray[np.bool_] | None = None
    instance_labels: NDArray[np.int32] | None = None
    won: NDArray[np.bool_] | None = None

    def __repr__(self) -> str:
        rows, cols = self.mask.shape
        found = f"present={self.present}, score={self.score:.2f}"
        return f"Prediction(label={self.label!r}, {found}, {rows} x {cols})"

    def _repr_png_(self) -> bytes:
        from vrpsam_app.notebook_pictures import mask_png

        return mask_png(self.mask, self.probability)

    def at_threshold(self, threshold: float) -> Prediction:
        """Return the same prediction cut at another probability, without asking the model again.

        The mask of an object that was judged absent stays empty, and so do pixels that another
        class won. Objects that were told apart do not grow into what a lower threshold adds.

        Raises
        ------
        ConfigError
            If `threshold` is not in [0, 1].
        """
        threshold = check_threshold(threshold)
        mask = (self.probability > threshold) & self._allowed()
        objects = _objects_within(self.instance_labels, mask)
        return replace(self, mask=mask, threshold=threshold, instance_labels=objects)

    def _allowed(self) -> NDArray[np.bool_]:
        """Return where the mask may be, however low the threshold."""
        allowed = np.full(self.probability.shape, self.present, np.bool_)
        for part in (self.found_in, self.won):
            if part is not None:
                allowed &= part
        return allowed


@dataclass(frozen=True, eq=False)
class ClassPredictions:
    """Predictions of several classes in one target, and who won each pixel.

    Attributes
    ----------
    predictions : one per class, by name, in the order of `names`
    labels : shape (H, W), int32
        0 where no class is, else 1 + the index of the class in `names`.
    names : names of the classes
    """

    predictions: Mapping[str, Prediction]
    labels: NDArray[np.int32]
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ClassPredictions({', '.join(map(repr, self.predictions.values()))})"

    @classmethod
    def compete(cls, alone: Mapping[str, Prediction]) -> ClassPredictions:
        """Let predictions of the same target compete: each pixel goes to the most probable class.

        Parameters
        ----------
        alone : predictions by class name, each made as if it were the only class

        Returns
        -------
        predictions : ClassPredictions
            The masks no longer overlap; probabilities, scores and presences are untouched. Where
            two classes are equally probable the first one wins.
        """
        names = tuple(alone)
        labels = class_labels([(p.mask, p.probability) for p in alone.values()])
        lowest = class_labels([(p._allowed(), p.probability) for p in alone.values()])
        winner = np.where(labels > 0, labels, lowest)
        predictions = {
            name: replace(
                p,
                mask=labels == number,
                instance_labels=_objects_within(p.instance_labels, labels == number),
                won=winner == number,
            )
            for number, (name, p) in enumerate(alone.items(), start=1)
        }
        return cls(predictions, labels, names)

    def at_threshold(self, threshold: float) -> ClassPredictions:
        """Return the same classes cut at another probability; each pixel has one class again.

        Raises
        ------
        ConfigError
            If `threshold` is not in [0, 1].
        """
        return self.compete(
            {name: p.at_threshold(threshold) for name, p in self.predictions.items()}
        )


def check_threshold(threshold: float) -> float:
    """Return a threshold as a plain number.

    Raises
    ------
    ConfigError
        If it is not in [0, 1].
    """
    try:
        number = float(threshold)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise ConfigError(f"Threshold is {threshold}: expected a probability in [0, 1].")
    return number


def class_labels(
    classes: Sequence[tuple[NDArray[np.bool_], NDArray[np.float32]]],
) -> NDArray[np.int32]:
    """Give each pixel to the most probable of the classes that claim it, the first of equals.

    Parameters
    ----------
    classes : (mask, probability) of each, all of one shape

    Returns
    -------
    labels : same shape
        0 where no class is, else 1 + the index of the class.
    """
    shape = classes[0][0].shape
    labels, highest = np.zeros(shape, np.int32), np.full(shape, -1, np.float32)
    for number, (mask, probability) in enumerate(classes, start=1):
        won = mask & (probability > highest)
        labels[won] = number
        np.copyto(highest, probability, where=won)
    return labels


def _objects_within(
    instance_labels: NDArray[np.int32] | None, mask: NDArray[np.bool_]
) -> NDArray[np.int32] | None:
    return None if instance_labels is None else np.where(mask, instance_labels, 0).astype(np.int32)


class Segmenter(Protocol):
    """Anything that finds in a target what its references show.

    `corrections` are marks on the target (:class:`vrpsam_app.corrections.Corrections`); their type
    is left open here because that module stands above this one.
    """

    def predict(
        self,
        target: NDArray[Any],
        references: Reference | Sequence[Reference],
        *,
        corrections: Any | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Prediction:
        """Find one class in a target.

        Parameters
        ----------
        target : shape (H, W), (H, W, 3) or (H, W, 4)
        references : one or more, all of one label
        corrections : marks on the target, optional
        intensity_range : range of the set; None takes that of references and target
        threshold : probability above which a pixel belongs to the mask
        """
        ...

    def predict_classes(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        *,
        corrections: Any | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> ClassPredictions:
        """Find several classes, one for each label among the references, in a target.

        Parameters are those of :meth:`predict`, but for the labels.
        """
        ...
