"""PerSAM-F as published: one point, no guidance, three scales mixed by two fitted numbers.

The published loop asks the decoder a thousand times on the reference; here it is asked once, see
:mod:`vrpsam_app.models.scale_weights`, with the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.fitted_scales import FittedScales
from vrpsam_app.methods.persam_paper import (
    SCALES,
    PaperPass,
    PaperPerSAM,
    PaperSteps,
    at_full_size,
    by_index,
    index_xy,
    one_pass,
    with_clicks,
)
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures
from vrpsam_app.models.object_features import cosine_map
from vrpsam_app.models.scale_weights import STEPS, ScaleWeights, fit_scale_weights, mean_of_fits
from vrpsam_app.references import Reference


class PaperPerSAMF(FittedScales, PaperPerSAM):
    """PerSAM-F, number for number.

    Parameters
    ----------
    pictures : SAMPictures
    scales : ScaleWeights, optional
        From :meth:`fit`. Without them they are fitted on the references of each question, once for
        the same references.
    steps : int
        Of the fit.
    """

    name: ClassVar[str] = "persam_f_paper"

    def __init__(
        self, pictures: SAMPictures, *, scales: ScaleWeights | None = None, steps: int = STEPS
    ) -> None:
        super().__init__(pictures)
        self.scales = scales
        self.steps = steps

    def follow(
        self,
        picture: SAMPicture,
        rows: Tensor,
        clicks: tuple[NDArray[np.float32], NDArray[np.int64]] | None = None,
    ) -> PaperSteps:
        """Find the target in a picture; see :meth:`PaperPerSAM.follow`.

        The first pass is the mixture alone; unfitted, all scales count the same.
        """
        similarity, points = self._similarity(picture, rows)
        prompt = with_clicks(by_index(points, [True], picture), clicks)
        answer = one_pass(self.pictures.ask(picture, [prompt]), SCALES)
        scales = self.scales or ScaleWeights.equal()
        passes = [PaperPass(scales.mix(answer.logits)[None], answer.scores.mean()[None])]
        for _ in range(2):
            passes += self._boxed(picture, prompt, passes[-1].logits[passes[-1].best])
        return PaperSteps(similarity, points, None, tuple(passes))

    def on_itself(self, picture: SAMPicture, rows: Tensor) -> PaperSteps:
        """Ask for the target by its best point only: the three scales, which the fit mixes."""
        similarity, points = self._similarity(picture, rows)
        answer = one_pass(self.pictures.ask(picture, [by_index(points, [True], picture)]), SCALES)
        return PaperSteps(similarity, points, None, (answer,))

    def _with(self, scales: ScaleWeights) -> PaperPerSAMF:
        return PaperPerSAMF(self.pictures, scales=scales, steps=self.steps)

    def _fit(
        self,
        references: Sequence[Reference],
        showing: Sequence[Reference],
        intensity_range: IntensityRange | None,
    ) -> ScaleWeights:
        """Fit each picture alone, as published; of several the mean counts."""
        with torch.inference_mode():
            rows = self.target_rows(showing, intensity_range)
            asked = []
            for reference in showing:
                picture = self.pictures.encode(to_rgb(reference.image, intensity_range))
                answer = self.on_itself(picture, rows).passes[0]
                full = picture.grid.resized(answer.logits[None]).flatten(2)
                truth = torch.from_numpy(reference.positive.astype(np.float32))
                asked.append((full, truth.flatten()[None]))
        return mean_of_fits(
            [fit_scale_weights(logits, truth, steps=self.steps) for logits, truth in asked]
        )

    @staticmethod
    def _similarity(picture: SAMPicture, rows: Tensor) -> tuple[Tensor, NDArray[np.int64]]:
        """Compare with the middle between mean and largest feature; find the best pixel."""
        vector = F.normalize(rows.amax(0) / 2 + rows.mean(0) / 2, dim=0)
        similarity = cosine_map(picture.embedding, vector[None])
        full = at_full_size(similarity[None], picture)
        return similarity[0], index_xy([full.flatten().argmax()], full.shape)
