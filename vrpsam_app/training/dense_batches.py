"""Batches in which every pixel has a name, and episodes ask for what is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vrpsam_app.data.synthetic_scenes import SceneGroup
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.training.batch_source import BatchPlan
from vrpsam_app.training.dense_kinds import DenseKinds
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch

SIZES = ((128, 0.4), (160, 0.3), (192, 0.2), (256, 0.1))
"""Sides of views and their weights: many small ones show more kinds, large ones what is around."""

GROUPS, IMAGES = 6, 2
"""Groups per batch at a side of 160 pixels, pictures per group."""


@dataclass(frozen=True, eq=False)
class DenseBatch:
    """Episodes, and what each pixel of their N images shows.

    Attributes
    ----------
    episodes : EpisodeBatch
    shares : shape (N, K, h, w), float in [0, 1]
        Share of each cell that is of each kind; stride 2.
    known : shape (N, 1, h, w), float in [0, 1]
        Share of it that anybody has labelled.
    taught : shape (N, K), float
        1 where an image's labels tell of a kind.
    """

    episodes: EpisodeBatch
    shares: Tensor
    known: Tensor
    taught: Tensor

    def to(self, device: torch.device | str) -> DenseBatch:
        """Move everything to `device`."""
        moved = (getattr(self, name).to(device) for name in ("shares", "known", "taught"))
        return DenseBatch(self.episodes.to(device), *moved)


@dataclass(frozen=True, slots=True)
class DensePlan:
    """What each batch is made of.

    Attributes
    ----------
    plan : BatchPlan
        Sources, groups and seed.
    kinds : DenseKinds
    """

    plan: BatchPlan
    kinds: DenseKinds

    @classmethod
    def like(cls, plan: BatchPlan, kinds: DenseKinds) -> DensePlan:
        """Draw from a run's sources as the dense encoder needs it."""
        mix = EpisodeMix(episodes=2, two_shots=0, clicks=0, same_image=0, absent=0, background=0.07)
        changed = dataclasses.replace(
            plan, groups=GROUPS, images=IMAGES, sizes=SIZES, seed=plan.seed + 3, mix=mix
        )
        return cls(changed, kinds)

    def batch(self, step: int) -> DenseBatch:
        """Make batch number `step`."""
        again = 0
        while True:
            rng = np.random.default_rng([self.plan.seed, step, again])
            groups = self.plan.draw_groups(rng)
            episodes = sample_batch(groups, rng, self.plan.mix)
            if episodes.sets:
                return DenseBatch(episodes, *named_shares(groups, self.kinds))
            again += 1


def named_shares(groups: Sequence[SceneGroup], kinds: DenseKinds) -> tuple[Tensor, Tensor, Tensor]:
    """Return shares, known shares and what is taught of the images of groups; see `DenseBatch`."""
    shares, known, taught = [], [], []
    for group in groups:
        named = kinds.of_classes(group)
        count, *side = group.classes.shape
        maps = torch.zeros(count, len(kinds), *side)
        for number, kind in enumerate(named, start=1):
            if kind >= 0:
                maps[:, kind] += torch.from_numpy(group.classes == number)
        told = torch.zeros(count, len(kinds))
        told[:, list(kinds.of_world(group.world))] = 1
        ignored = np.zeros(group.classes.shape) if group.ignored is None else group.ignored
        half = (side[0] // 2, side[1] // 2)
        shares.append(pool_mask(maps, half))
        known.append(pool_mask(torch.from_numpy(ignored == 0).float()[:, None], half))
        taught.append(told)
    return torch.cat(shares), torch.cat(known), torch.cat(taught)
