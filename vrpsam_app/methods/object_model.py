"""What references show, in SAM's features: parts of the object, and of what is around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.mark_prompts import complete_marks
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.object_features import cosine_map, mean_vector, part_vectors
from vrpsam_app.references import Reference

OBJECT_PARTS = 3
BACKGROUND_PARTS = 6
"""Vectors that stand for the object, and for everything else, which is more varied."""

LEAST_SHARE = 0.5
"""Cells that the object covers less than this share of its fullest cell say nothing about it."""

MOST_SHARE = 0.1
"""Cells that it covers more than this share of that are no background either: they are its rim."""

HARD_BACKGROUND = 0.9
"""Share of the background that is easier to tell from the object than evidence 0 stands for."""

TRUST_IN_WEAK = 0.5
"""Weight of rings outside boxes and of unlike unmarked cells, beside 1 for certain background."""

LEAST_GAP = 1e-3
"""Between object and background, in cosines; below it a picture tells them apart by nothing."""


@dataclass(frozen=True, eq=False)
class ObjectModel(TensorRecord):
    """What a set of references shows; it depends on them alone.

    Attributes
    ----------
    embedding : shape (C,)
        Mean feature of the object, not normalised, all references alike.
    parts : shape (K, C)
        Unit vectors of the object.
    background : shape (L, C)
        Unit vectors of what is not the object; one zero vector if nothing is known of it.
    object_level : shape ()
        Mean margin of the references' own object cells, see :meth:`evidence`.
    background_level : shape ()
        Margin that nine in ten of their background cells stay below.
    """

    embedding: Tensor
    parts: Tensor
    background: Tensor
    object_level: Tensor
    background_level: Tensor

    def evidence(self, picture: SAMPicture) -> Tensor:
        """Return how much each cell of a picture looks like the object.

        The margin of a cell is its best cosine with a part of the object less its best with the
        background.

        Returns
        -------
        evidence : shape (rows, columns) of `SAMGrid.cells_hw`, float in [0, 1]
            0 at what is hard to tell from the object in the references' background, 1 at their
            mean object.
        """
        margin = _margin(cosine_map(picture.cells, self.parts), self._background_map(picture))
        gap = (self.object_level - self.background_level).clamp_min(LEAST_GAP)
        return ((margin - self.background_level) / gap).clamp(0, 1)

    def attention_cue(self, picture: SAMPicture) -> Tensor:
        """Return the cue of target-guided attention, over the whole square, 0 where it is padded.

        As published, but for the deviations, which are taken over the picture, and its place, which
        is that of the picture in the square.
        """
        unit = F.normalize(self.embedding, dim=0)[None]
        similarity = cosine_map(picture.cells, unit)[0]
        inside = similarity[picture.grid.inside().to(similarity.device)]
        deviation = inside.std(correction=0).clamp_min(1e-6)
        cue = ((similarity - inside.mean()) / deviation).sigmoid()
        rows, cols = picture.embedding.shape[-2:]
        return F.pad(cue, (0, cols - cue.shape[1], 0, rows - cue.shape[0]))

    def _background_map(self, picture: SAMPicture) -> Tensor:
        return cosine_map(picture.cells, self.background)


def object_model_of(
    pictures: SAMPictures,
    references: Sequence[Reference],
    intensity_range: IntensityRange | None,
) -> ObjectModel:
    """Learn from references what to look for, or find what was learned from them before.

    Parameters
    ----------
    pictures : SAMPictures
    references : at least one with positive marks
        Points, strokes and boxes are completed by SAM itself.
    intensity_range : of the set
    """
    shown = "+".join(r.content_key for r in references)
    key = f"{pictures.origin}/object/{intensity_range}/{shown}"

    def compute() -> ObjectModel:
        with torch.inference_mode():
            cells = [_cells_of(pictures, r, intensity_range) for r in references]
            return _model_of(cells).to("cpu")

    return pictures.store.get_or_compute(key, compute).to(pictures.device)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Rows of features (n, C) of one reference, and what each weighs as object and background.

    `unknown` holds the cells of which nothing is said, shape (n,), bool.
    """

    rows: Tensor
    positive: Tensor
    negative: Tensor
    unknown: Tensor


def _cells_of(
    pictures: SAMPictures, reference: Reference, intensity_range: IntensityRange | None
) -> _Cells:
    rgb = to_rgb(reference.image, intensity_range)
    picture = pictures.encode(rgb)
    rows = picture.cells[0].flatten(1).T
    known = reference.known_background()
    if reference.is_not_this:
        negative = picture.grid.coverage(known.certain).flatten().to(rows.device)
        nowhere = torch.zeros_like(negative)
        return _Cells(rows, nowhere, negative, nowhere > 0)
    mask = complete_marks(pictures, rgb, reference)
    positive, certain, weak = (
        picture.grid.coverage(m).flatten().to(rows.device)
        for m in (mask, known.certain & ~mask, known.weak & ~mask)
    )
    beside = positive <= MOST_SHARE * positive.max()
    positive = positive * (positive >= LEAST_SHARE * positive.max())
    negative = (certain + TRUST_IN_WEAK * weak) * beside
    unknown = beside & (negative == 0) & picture.grid.inside().flatten().to(rows.device)
    return _Cells(rows, positive / positive.sum(), negative, unknown)


def _model_of(cells: Sequence[_Cells]) -> ObjectModel:
    rows, positive = torch.cat([c.rows for c in cells]), torch.cat([c.positive for c in cells])
    is_object = positive > 0
    parts = part_vectors(rows[is_object], positive[is_object], OBJECT_PARTS)
    negative = torch.cat([_background(c, parts) for c in cells])
    is_background = negative > 0
    if is_background.any():
        background = part_vectors(rows[is_background], negative[is_background], BACKGROUND_PARTS)
    else:
        background = torch.zeros_like(parts[:1])
    units = F.normalize(rows, dim=1)
    margin = _margin(parts @ units.T, background @ units.T)
    object_level = (margin * positive).sum() / positive.sum()
    # Where nothing is known to be background, what is no more like the object than like nothing.
    level = torch.zeros_like(object_level)
    if is_background.any():
        level = torch.quantile(margin[is_background], HARD_BACKGROUND)
    return ObjectModel(mean_vector(rows, positive), parts, background, object_level, level)


def _background(cells: _Cells, parts: Tensor) -> Tensor:
    """Weigh the background of a reference; where it names none, what is unlike any object, (n,).

    Unmarked is unknown: only the half that looks least like what any reference shows is taken.
    """
    if cells.negative.any() or not cells.unknown.any():
        return cells.negative
    likeness = (F.normalize(cells.rows, dim=1) @ parts.T).amax(1)
    unlike = cells.unknown & (likeness <= likeness[cells.unknown].median())
    return TRUST_IN_WEAK * unlike.to(likeness.dtype)


def _margin(to_object: Tensor, to_background: Tensor) -> Tensor:
    return to_object.amax(0) - to_background.amax(0)
