"""What all methods on a SAM share: what they say of themselves, and how objects are reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.found_objects import FoundObject, mean_score, paint_objects
from vrpsam_app.methods.sam_grid import SAMGrid
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


class SAMMethod(ReferenceSegmenter):
    """Base of the methods that ask a SAM.

    Parameters
    ----------
    pictures : SAMPictures
        Encodes pictures and answers prompts.

    Attributes
    ----------
    name : of the method, as in the table of :mod:`vrpsam_app.methods`
    """

    name: ClassVar[str]

    def __init__(self, pictures: SAMPictures) -> None:
        self.pictures = pictures

    @property
    def input_side(self) -> int:
        """Longer side, in pixels, of a picture that the SAM sees without reducing it."""
        return self.pictures.config.image_size

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: method, SAM, weights, device, settings, versions."""
        from vrpsam_app import __version__

        return {
            "method": self.name,
            "model": f"sam-{self.pictures.config.name}",
            "sha256": self.pictures.sha256,
            "device": str(self.pictures.device),
            "precision": "fp32",
            "settings": {"embeddings": self.pictures.precision, **self._settings()},
            "versions": {
                "vrpsam_app": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        }

    def _settings(self) -> dict[str, object]:
        """Return what else the answers depend on."""
        return {}

    def _report(
        self,
        objects: Sequence[FoundObject],
        grid: SAMGrid,
        *,
        presence: float,
        present: bool,
        pseudo_mask: NDArray[np.float32],
        label: str,
        intensity_range: IntensityRange | None,
        threshold: float,
        nested: bool = False,
    ) -> Prediction:
        """Make a prediction of objects, or of the best guess where none was accepted."""
        painted = paint_objects(objects, grid, threshold, nested=nested)
        present = present and bool(objects)
        return Prediction(
            mask=(painted.probability > threshold) & present,
            probability=painted.probability,
            score=mean_score(objects),
            presence=float(np.clip(presence, 0, 1)),
            present=present,
            pseudo_mask=pseudo_mask,
            label=label,
            made_by={**self.describe(), "range": intensity_range},
            threshold=threshold,
            instance_labels=painted.instance_labels * present,
        )


def marked_references(
    target: NDArray[Any],
    references: Sequence[Reference],
    label: str,
    corrections: Corrections | None,
) -> list[Reference]:
    """Return the references, and the marks on the target as one more.

    Raises
    ------
    EmptyReferenceError
        If none marks an object.
    """
    marked = list(references)
    if corrections is not None:
        marked += corrections.as_references(target, label)
    showing_references(marked)
    return marked


def showing_references(
    references: Sequence[Reference], *, before: Sequence[Reference] = ()
) -> list[Reference]:
    """Return the references with positive marks; of `before` alone if any of those has such.

    Raises
    ------
    EmptyReferenceError
        If there is none.
    """
    for some in (before, references):
        if showing := [r for r in some if not r.is_not_this]:
            return showing
    raise EmptyReferenceError(
        "No reference marks an object, all say 'not this': expected at least one with "
        "positive marks. Mark an object in one of them."
    )
