"""Marked episodes of numpy arrays -> one set of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.references import Reference
from vrpsam_app.training.episode_batch import EpisodeSet


@dataclass(frozen=True, slots=True, eq=False)
class MarkedEpisode:
    """An episode among the images of a batch.

    Attributes
    ----------
    references, target : numbers of images
    marked : the references with their marks
    truth : shape (S, S)
        The object in the target.
    unknown : shape (S, S), or None
        Where nobody knows whether it is there.
    points_xy, point_labels : shape (P, 2) and (P,)
        Clicks on the target, label -1 for padding.
    """

    references: tuple[int, ...]
    target: int
    marked: tuple[Reference, ...]
    truth: NDArray[np.bool_]
    unknown: NDArray[np.bool_] | None
    points_xy: NDArray[np.float32]
    point_labels: NDArray[np.int64]


def collate(episodes: Sequence[MarkedEpisode]) -> EpisodeSet:
    """Stack episodes with the same number of references."""
    marks = np.stack([np.stack([_maps(r) for r in e.marked]) for e in episodes])
    truth = np.stack([e.truth for e in episodes])[:, None]
    return EpisodeSet(
        reference_index=torch.tensor([e.references for e in episodes]),
        target_index=torch.tensor([e.target for e in episodes]),
        marks=torch.from_numpy(marks.astype(np.float32)),
        is_box=torch.tensor([[r.kind == "box" for r in e.marked] for e in episodes]),
        truth=torch.from_numpy(truth.astype(np.float32)),
        present=torch.from_numpy(truth.any((1, 2, 3)).astype(np.float32)),
        points_xy=torch.from_numpy(np.stack([e.points_xy for e in episodes])),
        point_labels=torch.from_numpy(np.stack([e.point_labels for e in episodes])),
        known=_known([e.unknown for e in episodes], truth.shape[1:]),
    )


def _maps(reference: Reference) -> NDArray[np.bool_]:
    """Return what a reference says of each pixel: object, certain, weak background (3, S, S)."""
    background = reference.known_background()
    return np.stack([reference.positive, background.certain, background.weak])


def _known(
    unknown: Sequence[NDArray[np.bool_] | None], shape: tuple[int, ...]
) -> torch.Tensor | None:
    """Stack what counts, (E, 1, S, S); None where everything does."""
    if all(u is None for u in unknown):
        return None
    everywhere = np.zeros(shape, np.bool_)
    counts = [~(everywhere if u is None else u[None]) for u in unknown]
    return torch.from_numpy(np.stack(counts).astype(np.float32))
