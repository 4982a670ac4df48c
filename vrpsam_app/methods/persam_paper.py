"""PerSAM as published, number for number: to compare with, not to work with.

It takes pixels by their index, stretches the picture's cue over all of SAM's square, finds one
object, and finds it in every picture. :mod:`vrpsam_app.methods.persam` does better in these;
PerSAM-F is in :mod:`vrpsam_app.methods.persam_f_paper`.

Zhang et al., Personalize Segment Anything Model with One Shot, ICLR 2024, arXiv:2305.03048, and
their code, whose masks are pictures painted 255 that pass through SAM's own preprocessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.found_objects import FoundObject
from vrpsam_app.methods.sam_method import SAMMethod, marked_references
from vrpsam_app.methods.sam_pictures import SAMAnswers, SAMPicture, SAMPictures, SAMPrompt
from vrpsam_app.models.guided_decoder import Guidance
from vrpsam_app.models.object_features import cosine_map
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

PAINTED = 255
"""Value of the object in the picture of a mask; the published code's cells depend on it."""

SCALES = slice(1, 4)
CLEAR = slice(0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class PaperPass:
    """One of the three questions to SAM.

    Attributes
    ----------
    logits : shape (M, 4h, 4w)
    scores : shape (M,)
    """

    logits: Tensor
    scores: Tensor

    @property
    def best(self) -> int:
        """Index of the mask with the best predicted score."""
        return int(self.scores.argmax())


@dataclass(frozen=True, slots=True, eq=False)
class PaperSteps:
    """Everything that PerSAM computes on the way to one mask.

    Attributes
    ----------
    similarity : shape (h, w)
        Cosine of each cell of the square with the target's vector.
    points_xy : shape (1 or 2, 2), int
        Indices of the pixels with the largest and, in PerSAM, the smallest similarity.
    attention_cue : shape (h, w), or None
    passes : the first answer and two refinements; fewer if a mask came out empty
    """

    similarity: Tensor
    points_xy: NDArray[np.int64]
    attention_cue: Tensor | None
    passes: tuple[PaperPass, ...]


class PaperPerSAM(SAMMethod):
    """PerSAM with one positive and one negative point.

    Several references are taken together, as if their marked cells lay in one picture; "not this"
    references say nothing. Clicks on the target join the points.

    Parameters
    ----------
    pictures : SAMPictures
        Embeddings are read at fp32.
    """

    name: ClassVar[str] = "persam_paper"

    def __init__(self, pictures: SAMPictures) -> None:
        super().__init__(pictures.at_precision("fp32"))

    def target_rows(
        self, references: Sequence[Reference], intensity_range: IntensityRange | None = None
    ) -> Tensor:
        """Gather the features of the marked cells, shape (n, C)."""
        rows = []
        for reference in references:
            if reference.is_not_this:
                continue
            picture = self.pictures.encode(to_rgb(reference.image, intensity_range))
            cells = _marked_cells(picture, reference.positive)
            rows.append(picture.embedding[0].flatten(1).T[cells.flatten().to(self.pictures.device)])
        return torch.cat(rows)

    def follow(
        self,
        picture: SAMPicture,
        rows: Tensor,
        clicks: tuple[NDArray[np.float32], NDArray[np.int64]] | None = None,
    ) -> PaperSteps:
        """Find the target in a picture, keeping every step.

        Parameters
        ----------
        picture : SAMPicture
        rows : shape (n, C)
            From :meth:`target_rows`.
        clicks : points (P, 2) in (x, y) and labels (P,) of a person, optional
        """
        mean = rows.mean(0)
        similarity = cosine_map(picture.embedding, F.normalize(mean, dim=0)[None])
        full = at_full_size(similarity[None], picture)
        points = index_xy([full.flatten().argmax(), full.flatten().argmin()], full.shape)
        deviations = (full - full.mean()) / full.std()
        hw = similarity.shape[-2:]
        cue = F.interpolate(deviations[None, None], size=hw, mode="bilinear").sigmoid()[0, 0]
        prompt = with_clicks(by_index(points, [True, False], picture), clicks)
        first = one_pass(self._ask(picture, prompt, Guidance(cue, mean)), CLEAR)
        second = one_pass(self._ask(picture, prompt.refined(first.logits[0], None)), SCALES)
        passes = [first, second, *self._boxed(picture, prompt, second.logits[second.best])]
        return PaperSteps(similarity[0], points, cue, tuple(passes))

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        marked = marked_references(target, references, label, corrections)
        clicks = None if corrections is None else corrections.clicks_xy()
        picture = self.pictures.encode(to_rgb(target, intensity_range))
        with torch.inference_mode():
            rows = self.target_rows(marked, intensity_range)
            steps = self.follow(picture, rows, clicks)
            last = steps.passes[-1]
            found = FoundObject(last.logits[last.best], float(last.scores[last.best]), 1.0)
            return self._report(
                [found],
                picture.grid,
                presence=1.0,
                present=True,
                pseudo_mask=steps.similarity.clamp(0, 1).cpu().numpy(),
                label=label,
                intensity_range=intensity_range,
                threshold=threshold,
            )

    def _ask(
        self, picture: SAMPicture, prompt: SAMPrompt, guidance: Guidance | None = None
    ) -> SAMAnswers:
        return self.pictures.ask(picture, [prompt], guidance)

    def _boxed(self, picture: SAMPicture, prompt: SAMPrompt, logits: Tensor) -> list[PaperPass]:
        """Refine a mask by its own box; the published code fails where it is empty."""
        box = _published_box(logits, picture)
        if box is None:
            return []
        return [one_pass(self._ask(picture, prompt.refined(logits, box)), SCALES)]


def _marked_cells(picture: SAMPicture, mask: NDArray[np.bool_]) -> Tensor:
    """Return which cells of the square the published code takes for the object, (h, w), bool.

    The mask is a picture to it: painted, normalised as SAM normalises pictures, and sampled between
    its pixels, so that a cell counts from the share on that is brighter than SAM's mean red.
    """
    painted = np.repeat((mask * np.uint8(PAINTED))[..., None], 3, 2).astype(np.uint8)
    hw = (picture.embedding.shape[-2], picture.embedding.shape[-1])
    sampled = F.interpolate(picture.grid.image(painted), size=hw, mode="bilinear")
    cells: Tensor = sampled[0, 0] > 0
    if not cells.any():  # the published code would divide by zero: take the fullest cell
        covered = picture.grid.coverage(mask)
        cells[: covered.shape[0], : covered.shape[1]] = covered == covered.max()
    return cells


def at_full_size(similarity: Tensor, picture: SAMPicture) -> Tensor:
    """Bring a map of cells to the picture's size in the published steps, (1, 1, h, w) to (H, W)."""
    finer = F.interpolate(similarity, scale_factor=4, mode="bilinear")
    return picture.grid.resized(finer)[0, 0]


def index_xy(places: Sequence[Tensor], hw: Sequence[int]) -> NDArray[np.int64]:
    """Turn flat indices into (column, row)."""
    return np.array([divmod(int(p), hw[1])[::-1] for p in places], np.int64)


def by_index(
    points_xy: NDArray[np.int64], positive: Sequence[bool], picture: SAMPicture
) -> SAMPrompt:
    """Ask by pixels as the published code does: scaled by index, then moved by half a pixel."""
    shifted = points_xy + 0.5 / picture.grid.scale_xy
    return SAMPrompt(shifted.astype(np.float32), np.array(positive))


def _published_box(logits: Tensor, picture: SAMPicture) -> NDArray[np.float32] | None:
    """Return the box of a mask, its last pixels inside, in the same convention."""
    mask = picture.grid.resized(logits[None, None])[0, 0] > 0
    rows, cols = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    if not len(rows):
        return None
    box = np.array([int(cols[0]), int(rows[0]), int(cols[-1]), int(rows[-1])])
    return (box + np.tile(0.5 / picture.grid.scale_xy, 2)).astype(np.float32)


def with_clicks(
    prompt: SAMPrompt, clicks: tuple[NDArray[np.float32], NDArray[np.int64]] | None
) -> SAMPrompt:
    """Add the clicks of a person, points (P, 2) in (x, y) and labels (P,)."""
    if clicks is None:
        return prompt
    points = np.concatenate([prompt.points_xy, clicks[0]])
    return SAMPrompt(points, np.concatenate([prompt.positive, clicks[1] == 1]))


def one_pass(answers: SAMAnswers, which: slice) -> PaperPass:
    """Take some of the masks of the only answer."""
    return PaperPass(answers.logits[0, which], answers.scores[0, which])
