"""How much each place of a target is like the object, by matching and by a fit in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.semantic_maps import SemanticMap, SemanticMaps
from vrpsam_app.models.closed_form_prior import ClosedFormPrior, NormalEquations
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.feature_matching import Matches, match_both_ways
from vrpsam_app.references import Reference

FEATURE_NORM = 4.0
"""Length of a typical feature vector that the fit sees: how weak the ridge is beside it."""

LOG_RIDGE_PER_CELL = -1.0
"""Semantic features want less of a ridge for few marks than the finer ones of the model's prior."""

ORDINARY = 0.5
"""Constant beside the channels, as a share of a typical cell's length: cells that differ little
from the mean have no direction of their own, and would resemble anything."""

RIM = 0.02
"""Share of the fullest cell from which a cell is no pure background."""

PROBABLY, HARDLY = 0.6, 0.3
"""Likeness from which an unmarked cell of a reference counts as another piece of the object, and
below which it counts as background, where the two are compared."""


@dataclass(frozen=True, eq=False)
class ClassKnowledge(TensorRecord):
    """What a set of references shows; it depends on them alone.

    Attributes
    ----------
    mean, deviation : shape (C,)
        Of each channel over all references.
    ordinary : shape ()
        Constant that is appended to each cell, see `ORDINARY`.
    rows : shape (n, C + 1)
        Unit vectors of all cells of all references, after these were taken out.
    likeness : shape (n,)
        How much each cell is the object: what the marks say, else what the fit says.
    positive : shape (n,)
        Weight of each cell as marked object.
    equations : NormalEquations
        The fit.
    object_level, background_level : shape ()
        How much a marked cell resembles the nearest one elsewhere on the object, and the nearest
        one beside it: mean cosines, by which :attr:`Evidence.recognised` is measured.
    """

    mean: Tensor
    deviation: Tensor
    ordinary: Tensor
    rows: Tensor
    likeness: Tensor
    positive: Tensor
    equations: NormalEquations
    object_level: Tensor
    background_level: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for the object in one target.

    Attributes
    ----------
    grid : SemanticMap
        Of the target.
    values : shape (h, w), float in [0, 1]
        Large where both the fit and the matching say so.
    matches : Matches
    recognised : float in [0, 1]
        How well the object was found again: 0, no better than in the references' own background;
        1, as well as elsewhere on the references' own object.
    """

    grid: SemanticMap
    values: Tensor
    matches: Matches
    recognised: float


def knowledge_of(
    maps: SemanticMaps, references: Sequence[Reference], intensity_range: IntensityRange | None
) -> ClassKnowledge:
    """Learn from references what to look for, or find what was learned from them before.

    Parameters
    ----------
    maps : SemanticMaps
    references : at least one with positive marks
    intensity_range : of the set
    """
    shown = "+".join(r.content_key for r in references)
    key = f"{maps.origin}/knowledge/{intensity_range}/{shown}"

    def compute() -> ClassKnowledge:
        with torch.inference_mode():
            encoded = [maps.encode(to_rgb(r.image, intensity_range)) for r in references]
            return _learn(encoded, references).to("cpu")

    return maps.store.get_or_compute(key, compute).to(maps.device)


def evidence_in(target: SemanticMap, knowledge: ClassKnowledge) -> Evidence:
    """Look for the object in the features of a target."""
    features = _standardised(target.features, knowledge.mean, knowledge.deviation)
    prior = _prior(features)
    score = prior.score(_scaled(features), knowledge.equations)
    fitted = prior.logits(score, knowledge.equations).sigmoid()[0, 0]
    matches = match_both_ways(
        _units(features, knowledge.ordinary),
        knowledge.rows,
        knowledge.likeness,
        knowledge.positive,
    )
    matched = matches.likeness.reshape(fitted.shape)
    gap = (knowledge.object_level - knowledge.background_level).clamp_min(1e-3)
    recognised = ((matches.similarity - knowledge.background_level) / gap).clamp(0, 1)
    return Evidence(target, (fitted * matched).clamp(0, 1).sqrt(), matches, float(recognised))


def _learn(encoded: Sequence[SemanticMap], references: Sequence[Reference]) -> ClassKnowledge:
    cells = torch.cat([e.rows for e in encoded])
    mean, deviation = cells.mean(0), cells.std(0, correction=0) + 1e-3
    features = [_standardised(e.features, mean, deviation) for e in encoded]
    marks = [_marks(e, r) for e, r in zip(encoded, references, strict=True)]
    prior = _prior(features[0])
    boxes = [torch.tensor([r.kind == "box"], device=cells.device) for r in references]
    equations = reduce(
        add,
        (prior.fit(_scaled(f), m, b) for f, m, b in zip(features, marks, boxes, strict=True)),
    )
    likeness = []
    for own, said in zip(features, marks, strict=True):
        fitted = prior.logits(prior.score(_scaled(own), equations), equations).sigmoid()
        positive, certain, _ = said[0].flatten(1).unbind(0)
        # What nobody marked is the object as far as the fit says so.
        unknown = (1 - positive - certain).clamp(0, 1)
        likeness.append((positive + unknown * fitted.flatten()).clamp(0, 1))
    lengths = torch.cat([f[0].flatten(1).norm(dim=0) for f in features])
    ordinary = ORDINARY * lengths.square().mean().sqrt()
    rows, alike = torch.cat([_units(f, ordinary) for f in features]), torch.cat(likeness)
    positive = torch.cat([m[0, 0].flatten() for m in marks])
    levels = _levels(rows, alike, positive, torch.cat(_places(encoded)))
    return ClassKnowledge(mean, deviation, ordinary, rows, alike, positive, equations, *levels)


def _levels(
    rows: Tensor, likeness: Tensor, positive: Tensor, places: Tensor
) -> tuple[Tensor, Tensor]:
    """Compare marked cells with the rest of the object, and with the background, see above."""
    marked = positive >= 0.5 * positive.max()
    cosines = rows[marked] @ rows.T
    steps = (places[marked][:, None] - places[None]).abs().amax(2)
    # Neighbours share what they see, so that they would always be the nearest; and cells on the rim
    # of an object show it as well as what is beside it.
    elsewhere = (likeness > PROBABLY) & (steps > 1)
    beside = (likeness < HARDLY) & (positive < RIM * positive.max()) & (steps > 1)
    levels = []
    for allowed, otherwise in ((elsewhere, 1.0), (beside, 0.0)):
        best = cosines.where(allowed, torch.full_like(cosines, -torch.inf)).amax(1)
        found = best[torch.isfinite(best)]
        levels.append(found.mean() if len(found) else rows.new_tensor(otherwise))
    return levels[0], levels[1]


def _places(encoded: Sequence[SemanticMap]) -> list[Tensor]:
    """Return row and column of all cells, far apart for different references, (h * w, 2) each."""
    places, first = [], 0
    for grid in encoded:
        h, w = grid.cells_hw
        rows = torch.arange(h, device=grid.features.device).repeat_interleave(w) + first
        cols = torch.arange(w, device=grid.features.device).repeat(h)
        places.append(torch.stack([rows, cols], 1))
        first += h + 2
    return places


def _marks(encoded: SemanticMap, reference: Reference) -> Tensor:
    """Bring marks to the grid: object, certain and weak background, (1, 3, h, w)."""
    known = reference.known_background()
    maps = [encoded.coverage(m) for m in (reference.positive, known.certain, known.weak)]
    return torch.stack(maps)[None]


def _prior(features: Tensor) -> ClosedFormPrior:
    prior = ClosedFormPrior(features.shape[1]).requires_grad_(False)
    torch.nn.init.constant_(prior.log_ridge_per_cell, LOG_RIDGE_PER_CELL)
    return prior.to(features.device)


def _standardised(features: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    centred = (features - mean[:, None, None]) / deviation[:, None, None]
    return centred.clamp(-6, 6)


def _scaled(features: Tensor) -> Tensor:
    return features * (FEATURE_NORM / math.sqrt(features.shape[1]))


def _units(features: Tensor, ordinary: Tensor) -> Tensor:
    """Return the cells as unit rows, a constant appended, (1, C, h, w) to (h * w, C + 1)."""
    rows = features[0].flatten(1).T
    return F.normalize(torch.cat([rows, ordinary.expand(len(rows), 1)], 1), dim=1)
