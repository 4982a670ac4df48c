"""Choose from which presence on an object counts as there, on scenes nothing was learned from."""

from __future__ import annotations

import numpy as np
import torch

from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.training.batch_source import SYNTHETIC_SEEDS, GroupSource
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch
from vrpsam_app.training.objective import run_batch

LOST = 0.01
"""Share of objects that are there and may be judged absent; each costs its whole mask."""

BATCHES = 24


def calibration_batches(source: GroupSource, *, size: int = 192) -> list[EpisodeBatch]:
    """Draw the same episodes each time, half of them (where a scene allows) without the object."""
    mix = EpisodeMix(episodes=4, two_shots=0, clicks=0, background=0, same_image=0, absent=0.5)
    rng = np.random.default_rng(SYNTHETIC_SEEDS + 2)
    drawn = (
        sample_batch([source.sample(rng, size, 3) for _ in range(2)], rng, mix)
        for _ in range(BATCHES)
    )
    return [batch for batch in drawn if batch.sets]


@torch.inference_mode()
def presence_threshold(
    model: EmbeddedVRPSAM, batches: list[EpisodeBatch], *, lost: float = LOST
) -> float:
    """Return the threshold at which a share `lost` of the present objects is judged absent.

    Never more than 0.5, so that a model that is sure of everything is taken at its word.
    """
    device = next(model.parameters()).device
    found = []
    for batch in batches:
        for episodes, output in run_batch(model, batch.to(device)):
            found.append(output.presence[episodes.present > 0].float().cpu())
    presence = torch.cat(found)
    if not len(presence):
        return 0.5
    return min(0.5, float(torch.quantile(presence, lost)))
