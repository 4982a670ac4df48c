"""Asking again about a target on which a person has marked what is right and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference, labels_of, references_for
from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter


def predict_corrected(
    segmenter: Segmenter,
    target: NDArray[Any],
    references: Sequence[Reference],
    corrections: Mapping[str, Corrections],
    *,
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    cancel: CancelToken | None = None,
) -> ClassPredictions:
    """Find every class of the references in a target, with marks on the target itself.

    Parameters
    ----------
    target : shape (H, W), (H, W, 3) or (H, W, 4)
        Shown whole, whatever its size: a mark may concern any part of it.
    references : of one class or several
    corrections : marks by the class they are about; a class that is left out has none
    intensity_range, threshold : as for :meth:`VRPSAMPredictor.predict`
    cancel : looked at before each class

    Returns
    -------
    classes : ClassPredictions
        The classes compete for each pixel.

    Raises
    ------
    ConfigError
        If marks belong to a class that has no reference.
    Cancelled
        If that was asked for.
    AnnotationError, EmptyReferenceError, ImageError
        As for ``segmenter.predict``.
    """
    labels = labels_of(references)
    if unknown := sorted(set(corrections) - set(labels)):
        raise ConfigError(
            f"The marks on the target belong to the class {unknown[0]!r}: expected one of the "
            f"classes that have references ({', '.join(labels) or 'none'})."
        )
    alone: dict[str, Prediction] = {}
    for label in labels:
        if cancel is not None:
            cancel.raise_if_cancelled()
        alone[label] = segmenter.predict(
            target,
            references_for(references, label),
            corrections=corrections.get(label),
            intensity_range=intensity_range,
            threshold=threshold,
        )
    return ClassPredictions.compete(alone)
