"""SAM itself: it answers marks on the target, and knows nothing of other pictures.

Clicks, strokes, a box and an earlier mask on the target are its prompts, whether they come as
corrections or as a reference whose image is the target. Where there are none it gives everything
that it takes for an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.annotations import Mask
from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of, plane_key, to_rgb
from vrpsam_app.methods.automatic_masks import DEFAULT, AutomaticSettings, automatic_masks
from vrpsam_app.methods.found_objects import FoundObject
from vrpsam_app.methods.mark_prompts import (
    answering_masks,
    prompts_of_corrections,
    prompts_of_reference,
)
from vrpsam_app.methods.sam_method import SAMMethod, marked_references
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures, SAMPrompt
from vrpsam_app.reference_segmenter import check_settings
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


class PlainSAM(SAMMethod):
    """SAM with its own prompts, or with none.

    Parameters
    ----------
    pictures : SAMPictures
    settings : AutomaticSettings
        Of the search where there are no prompts.

    Examples
    --------
    >>> sam = PlainSAM(SAMPictures.from_file("sam_vit_b_01ec64.pth"))  # doctest: +SKIP
    >>> sam.segment(target, Corrections((Point(40, 60),))).mask  # doctest: +SKIP
    >>> sam.segment(target).instance_labels.max()  # doctest: +SKIP
    """

    name: ClassVar[str] = "sam"
    answers_marks: ClassVar[bool] = True

    def __init__(self, pictures: SAMPictures, *, settings: AutomaticSettings = DEFAULT) -> None:
        super().__init__(pictures)
        self.settings = settings

    def segment(
        self,
        target: NDArray[Any],
        prompts: Corrections | None = None,
        *,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Prediction:
        """Answer prompts on a picture, or find everything in it; no reference is needed.

        Parameters
        ----------
        target : shape (H, W), (H, W, 3) or (H, W, 4)
        prompts : points, strokes, at most one box, mask logits, optional
        intensity_range : by default that of the picture
        threshold : on the probability

        Raises
        ------
        ImageError
            If the target is not a plane.
        AnnotationError, ConfigError
            If prompts or threshold are none, or do not fit.
        """
        plane = check_plane(target, name="target")
        check_settings(plane, prompts, intensity_range, threshold)
        return self._answer(
            plane, [], "object", prompts, intensity_range or intensity_range_of([plane]), threshold
        )

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        marked_references(target, references, label, corrections)
        key = plane_key(target)
        here = [r for r in references if not r.is_not_this and r.image_key == key]
        return self._answer(target, here, label, corrections, intensity_range, threshold)

    def _answer(
        self,
        target: NDArray[Any],
        here: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        given = corrections or Corrections()
        drawn = Corrections(tuple(a for a in given.annotations if isinstance(a, Mask)))
        marks = [*here, *drawn.as_references(target, label)]
        with torch.inference_mode():
            picture = self.pictures.encode(to_rgb(target, intensity_range))
            prompts = prompts_of_corrections(given, picture)
            for reference in marks:
                prompts += [] if reference.is_not_this else prompts_of_reference(reference)
            found = (
                self._prompted(picture, prompts)
                if prompts
                else automatic_masks(self.pictures, picture, self.settings)
            )
            return self._report(
                found,
                picture.grid,
                presence=float(bool(found)),
                present=bool(found),
                pseudo_mask=np.zeros(picture.grid.cells_hw, np.float32),
                label=label,
                intensity_range=intensity_range,
                threshold=threshold,
                nested=not prompts,
            )

    def _prompted(self, picture: SAMPicture, prompts: Sequence[SAMPrompt]) -> list[FoundObject]:
        answers = self.pictures.ask(picture, prompts)
        found = []
        for number, prompt in enumerate(prompts):
            meant = answering_masks(prompt)
            scores = answers.scores[number, meant]
            best = int(scores.argmax())
            logits = answers.logits[number, meant][best]
            found.append(FoundObject(logits, float(scores[best].clamp(0, 1)), 1.0))
        return found

    def _settings(self) -> dict[str, object]:
        return asdict(self.settings)
