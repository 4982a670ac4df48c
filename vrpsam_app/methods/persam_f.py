"""PerSAM-F on any SAM: which of its scales is meant, learned from the marked objects.

A click may mean a part or the whole; SAM answers with three masks. Two numbers, fitted on the
references, say how much each counts. The decoder is asked once for each reference, whatever the
number of steps; see :mod:`vrpsam_app.models.scale_weights`.

Other than the published code (:mod:`vrpsam_app.methods.persam_f_paper`), this one has all that
:mod:`vrpsam_app.methods.persam` has, and is fitted on each marked object by itself: on a picture of
fifty nuclei a click is to give one nucleus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.geometry import resize_mask_area
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.fitted_scales import FittedScales
from vrpsam_app.methods.mark_prompts import complete_marks, innermost_xy, parts_of
from vrpsam_app.methods.object_model import ObjectModel, object_model_of
from vrpsam_app.methods.persam import DEFAULT, SCALES, PerSAM, PerSAMSettings, Question
from vrpsam_app.methods.sam_pictures import SAMPictures, SAMPrompt
from vrpsam_app.models.scale_weights import STEPS, ScaleWeights, fit_scale_weights
from vrpsam_app.references import Reference

FIT_OBJECTS = 8
"""Marked objects of a reference that are fitted, the largest first."""

FIT_SIDE = 64
"""Side of the square to which an object and its surroundings are brought for the fit."""

SURROUNDINGS = 1.0
"""How far these reach beyond the object on each side, as a share of its longer side."""


class PerSAMF(FittedScales, PerSAM):
    """PerSAM-F with the defaults of :class:`PerSAM`.

    Parameters
    ----------
    pictures : SAMPictures
    settings : PerSAMSettings
    scales : ScaleWeights, optional
        From :meth:`fit`. Without them they are fitted on the references of each question, once for
        the same references.
    steps : int
        Of the fit.

    Examples
    --------
    >>> tuned = PerSAMF(pictures).fit(references)  # doctest: +SKIP
    >>> tuned.scales.weights.tolist()  # doctest: +SKIP
    """

    name: ClassVar[str] = "persam_f"
    boxes_at_once: ClassVar[bool] = True

    def __init__(
        self,
        pictures: SAMPictures,
        *,
        settings: PerSAMSettings = DEFAULT,
        scales: ScaleWeights | None = None,
        steps: int = STEPS,
    ) -> None:
        super().__init__(pictures, settings=settings)
        self.scales = scales
        self.steps = steps

    def _with(self, scales: ScaleWeights) -> PerSAMF:
        return PerSAMF(self.pictures, settings=self.settings, scales=scales, steps=self.steps)

    def _first(self, question: Question, prompts: Sequence[SAMPrompt]) -> Tensor:
        """Ask by the points on the object alone, as in the fit, and mix the scales."""
        points = [
            p if p.box_xyxy is not None else SAMPrompt.at(list(p.points_xy[p.positive]))
            for p in prompts
        ]
        answers = self.pictures.ask(question.picture, points)
        return (self.scales or ScaleWeights.equal()).mix(answers.logits[:, SCALES])

    def _fit(
        self,
        references: Sequence[Reference],
        showing: Sequence[Reference],
        intensity_range: IntensityRange | None,
    ) -> ScaleWeights:
        with torch.inference_mode():
            model = object_model_of(self.pictures, references, intensity_range)
            asked = [self._objects(r, model, intensity_range) for r in showing]
            logits, truth = (torch.cat(parts) for parts in zip(*asked, strict=True))
        return fit_scale_weights(logits, truth, steps=self.steps)

    def _objects(
        self, reference: Reference, model: ObjectModel, intensity_range: IntensityRange | None
    ) -> tuple[Tensor, Tensor]:
        """Decode the marked objects of a reference at once.

        Returns
        -------
        logits : shape (K, 3, P)
        truth : shape (K, P)
        """
        rgb = to_rgb(reference.image, intensity_range)
        picture = self.pictures.encode(rgb)
        mask = complete_marks(self.pictures, rgb, reference)
        evidence = model.evidence(picture).cpu()
        objects, prompts = [], []
        for part, (top, left) in parts_of(mask, FIT_OBJECTS):
            alone = np.zeros_like(mask)
            alone[top : top + part.shape[0], left : left + part.shape[1]] = part
            covered = picture.grid.coverage(alone)
            place = int((evidence * (covered >= 0.5 * covered.max())).argmax())
            point = picture.grid.cell_xy(*divmod(place, evidence.shape[1]))
            if not alone[int(point[1]), int(point[0])]:
                point = innermost_xy(part, (top, left))
            objects.append(alone)
            prompts.append(SAMPrompt.at([point]))
        answers = self.pictures.ask(picture, prompts)
        logits, truth = [], []
        for alone, own in zip(objects, answers.logits[:, SCALES], strict=True):
            window = _surroundings(alone)
            full = picture.grid.resized(own[None])[..., window[0], window[1]]
            size = (FIT_SIDE, FIT_SIDE)
            logits.append(F.interpolate(full, size, mode="bilinear").flatten(2))
            truth.append(torch.from_numpy(resize_mask_area(alone[window], size)).flatten()[None])
        return torch.cat(logits).cpu(), torch.cat(truth)


def _surroundings(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the window of an object and of what lies around it."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    margin = int(np.ceil(SURROUNDINGS * max(np.ptp(rows) + 1, np.ptp(cols) + 1)))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + 1 + margin),
        slice(max(int(cols[0]) - margin, 0), int(cols[-1]) + 1 + margin),
    )
