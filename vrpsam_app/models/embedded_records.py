"""What the embedded model says of pictures, of references, and of several references together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.models.closed_form_prior import NormalEquations
from vrpsam_app.models.curved_prior import CurvedFit, Samples
from vrpsam_app.models.embeddings import TensorRecord


@dataclass(frozen=True, eq=False)
class ImageEmbedding(TensorRecord):
    """All that depends on an image alone (shapes in :mod:`conv_image_encoder`)."""

    embedding: Tensor
    semantic: Tensor
    classifier: Tensor
    mid_detail: Tensor
    fine_detail: Tensor
    texture: Tensor
    dense: Tensor

    def colours(self) -> Tensor:
        """Return the picture at stride 2, (B, 3, h, w) in [0, 1], where the filter bank begins."""
        return (self.texture[:, :3] + 1) / 2

    def halved_dense(self) -> Tensor:
        """Return dense features on the grid of the closed-form fits."""
        return F.avg_pool2d(self.dense, 2)

    def finest(self) -> Tensor:
        """Return all features at stride 2, fixed and dense."""
        return torch.cat([self.texture, self.dense.to(self.texture.dtype)], 1)


@dataclass(frozen=True, eq=False)
class ReferenceEncoding(TensorRecord):
    """All that depends on annotated references alone.

    Attributes
    ----------
    equations : NormalEquations
        The reference's share of the closed-form fit.
    dense_equations : NormalEquations
        The same of the fit on dense features.
    tokens : shape (B, N, C)
        Prompt queries after attending to the reference.
    prototype : shape (B, C)
        Mean feature of the object.
    foreground : shape (B, K, C)
        Unit feature vectors of the object, zero rows where it has fewer than K cells.
    has_object : shape (B,)
        0 for a "not this" reference, which only takes part in the closed-form fits.
    exhaustive : shape (B,)
        1 where everything of the kind is marked, so that the rest is known background.
    samples, texture_samples : Samples
        Cells for the curved fits on learned features, and on fixed and dense ones.
    own : shape (B, LEVELS, OWN_FACTS)
        What each level would make of the reference itself, see :mod:`cut_head`; 0 unless everything
        is marked.
    """

    equations: NormalEquations
    dense_equations: NormalEquations
    tokens: Tensor
    prototype: Tensor
    foreground: Tensor
    has_object: Tensor
    exhaustive: Tensor
    samples: Samples
    texture_samples: Samples
    own: Tensor


@dataclass(frozen=True, eq=False)
class CurvedFits(TensorRecord):
    """What references of a class say together.

    Attributes
    ----------
    learned, fixed : CurvedFit
        On learned features, and on fixed and dense ones.
    exhaustive : shape (B,)
        1 where a reference is marked throughout.
    own : shape (B, LEVELS, OWN_FACTS)
        Mean over those that are.
    """

    learned: CurvedFit
    fixed: CurvedFit
    exhaustive: Tensor
    own: Tensor
