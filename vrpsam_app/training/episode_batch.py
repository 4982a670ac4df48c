"""Episodes as tensors: which image is reference and target of what, with which marks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vrpsam_app.models.embeddings import TensorRecord


@dataclass(frozen=True, eq=False)
class EpisodeSet(TensorRecord):
    """E episodes with the same number of shots.

    Attributes
    ----------
    reference_index : shape (E, shots), int
        Images that are references.
    target_index : shape (E,), int
        Image to segment.
    marks : shape (E, shots, 3, S, S), float in [0, 1]
        Object, certain background, weak background in each reference.
    is_box : shape (E, shots), bool
    truth : shape (E, 1, S, S), float
        The object in the target.
    present : shape (E,), float
        0 where the target has no such object.
    points_xy, point_labels : shape (E, P, 2) and (E, P)
        Clicks on the target, label -1 where there is none.
    known : shape (E, 1, S, S), float, or None where every pixel counts
        0 where nobody knows whether the target shows the object: such pixels count neither in a
        loss nor in a figure.
    """

    reference_index: Tensor
    target_index: Tensor
    marks: Tensor
    is_box: Tensor
    truth: Tensor
    present: Tensor
    points_xy: Tensor
    point_labels: Tensor
    known: Tensor | None = None

    @property
    def shots(self) -> int:
        """References per episode."""
        return self.reference_index.shape[1]

    def __len__(self) -> int:
        return self.reference_index.shape[0]


@dataclass(frozen=True, eq=False)
class EpisodeBatch:
    """Images that are encoded once, and the episodes among them.

    Attributes
    ----------
    images : shape (N, 3, S, S), uint8
    sets : tuple of EpisodeSet
        One per number of shots.
    keys : tuple of N str, or None
        Hash of each image's pixels, where the same pictures come again as they are; None where
        they are drawn or augmented, so that no embedding is worth keeping.
    """

    images: Tensor
    sets: tuple[EpisodeSet, ...]
    keys: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """Count the episodes."""
        return sum(len(s) for s in self.sets)

    def to(self, device: torch.device | str) -> EpisodeBatch:
        """Move everything to `device`."""
        return EpisodeBatch(
            self.images.to(device), tuple(s.to(device) for s in self.sets), self.keys
        )
