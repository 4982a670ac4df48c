"""An endless stream of batches, made in other processes while the model computes.

Batch number k of seed s depends on k and s alone: not on the number of workers, not on when the run
was stopped and taken up again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from vrpsam_app.data.synthetic_scenes import ALL_WORLDS, SceneGroup, generate_group
from vrpsam_app.errors import VRPSAMError
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch

Batch = TypeVar("Batch", covariant=True)

SYNTHETIC_SEEDS = 1 << 40
"""Seeds of training scenes lie below this, those of validation scenes above."""


class GroupSource(Protocol):
    """Anything that draws groups of labelled pictures."""

    def sample(self, rng: np.random.Generator, size: int, images: int) -> SceneGroup:
        """Draw a group of `images` square pictures of side `size`."""
        ...


@dataclass(frozen=True, slots=True)
class SyntheticGroups:
    """Procedural scenes as a source."""

    def sample(self, rng: np.random.Generator, size: int, images: int) -> SceneGroup:
        """Draw scenes never drawn before."""
        seed = int(rng.integers(SYNTHETIC_SEEDS))
        return generate_group(seed, size=size, images=images, worlds=ALL_WORLDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """What each batch is made of.

    Attributes
    ----------
    sources : pairs of source and weight
        Each group of a batch is drawn from one of them.
    groups, images : int
        Groups per batch and pictures per group.
    sizes : pairs of picture side in pixels and weight
        All pictures of a batch have one size; larger ones come in fewer groups.
    seed : int
    mix : EpisodeMix
    """

    sources: Sequence[tuple[GroupSource, float]]
    groups: int = 6
    images: int = 3
    sizes: tuple[tuple[int, float], ...] = ((128, 0.4), (192, 0.5), (256, 0.1))
    seed: int = 0
    mix: EpisodeMix = field(default_factory=EpisodeMix)

    def batch(self, step: int) -> EpisodeBatch:
        """Make batch number `step`; groups that give no episode are drawn again."""
        batch = self._draw(np.random.default_rng([self.seed, step]))
        again = 0
        while not batch.sets:
            again += 1
            batch = self._draw(np.random.default_rng([self.seed, step, again]))
        return batch

    def _draw(self, rng: np.random.Generator) -> EpisodeBatch:
        return sample_batch(self.draw_groups(rng), rng, self.mix)

    def draw_groups(self, rng: np.random.Generator) -> list[SceneGroup]:
        """Draw the groups of a batch: how many, of which size, from which sources."""
        size = self.sizes[_draw(rng, [w for _, w in self.sizes])][0]
        # The work of a batch stays about equal: twice the side, a quarter of the groups.
        count = max(1, round(self.groups * (160 / size) ** 2))
        weights = [w for _, w in self.sources]
        return [
            self.sources[_draw(rng, weights)][0].sample(rng, size, self.images)
            for _ in range(count)
        ]


class Plan(Protocol[Batch]):
    """Anything that makes batches by number."""

    def batch(self, step: int, /) -> Batch:
        """Make batch number `step`, with at least one episode; always the same one."""
        ...


class _Stream(IterableDataset[Any]):
    """Batches from a first one on, dealt out to the workers in turn."""

    def __init__(self, plan: Plan[Any], first: int) -> None:
        super().__init__()
        self.plan, self.first = plan, first

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        step, stride = self.first, 1
        if info is not None:
            step, stride = self.first + info.id, info.num_workers
        while True:
            try:
                batch = self.plan.batch(step)
            except VRPSAMError as error:
                yield error  # raised in a worker, its sentence would come as a traceback
                return
            yield batch
            step += stride


def stream_batches(plan: Plan[Batch], first: int = 0, *, workers: int = 1) -> Iterator[Batch]:
    """Yield the batches of a plan from number `first` on, for ever.

    Parameters
    ----------
    workers : int
        Processes that make them ahead of time; 0 makes them in this one.

    Raises
    ------
    VRPSAMError
        If one cannot be made, in whichever process.
    """
    loader = DataLoader(
        _Stream(plan, first),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        persistent_workers=False,
    )
    for batch in loader:
        if isinstance(batch, VRPSAMError):
            raise batch
        yield batch


def _draw(rng: np.random.Generator, weights: Sequence[float]) -> int:
    share = np.asarray(weights, float)
    return int(rng.choice(len(share), p=share / share.sum()))
