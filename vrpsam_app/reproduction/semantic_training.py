"""The small backbones: they learn to tell classes apart across pictures, then they are frozen.

ImageNet's part is played by a simpler task. The mean feature of each class in one picture of a
group is what every cell of the group's other pictures is compared with; which class comes nearest
has to be the right one. The background counts as a class.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.models.small_backbones import SmallBackboneName, build_small_stages
from vrpsam_app.reproduction.foundation_training import Losses, train_foundation
from vrpsam_app.reproduction.scene_folds import ScenePictures

LEARNING_RATE = 2e-3
GROUPS = 4
PICTURES = 3
"""Of each group: one shows the classes, the others are asked."""

SHARPNESS = 10.0
"""Factor on cosines before they are compared."""

_SLIGHT = 1e-6


class Stages(nn.ModuleDict):
    """A backbone's five stages under the names that its weights have in a file."""

    def __init__(self, name: SmallBackboneName) -> None:
        super().__init__({f"layer{i}": s for i, s in enumerate(build_small_stages(name))})

    def forward(self, images: Tensor) -> Tensor:
        """Take images (B, 3, S, S) in [0, 1] to features (B, C, S / 8, S / 8)."""
        mean = images.new_tensor(MEAN)[:, None, None]
        maps = (images - mean) / images.new_tensor(DEVIATION)[:, None, None]
        for stage in self.values():
            maps = stage(maps)
        return maps


def train_backbone(
    name: SmallBackboneName,
    scenes: ScenePictures,
    file: Path,
    *,
    steps: int,
    seed: int,
    device: torch.device,
    report: Callable[[str], None],
) -> Path:
    """Train a small backbone, or go on, and write its weights.

    Parameters
    ----------
    name : which
    scenes : ScenePictures
        Groups of at least three pictures.
    file : Path
        Of the weights; see :func:`~vrpsam_app.reproduction.foundation_training.train_foundation`.
    steps, seed, device, report :
        As there.
    """
    torch.manual_seed(seed)
    stages = Stages(name).to(device)
    draw = GroupSource(scenes)

    def losses(rng: np.random.Generator) -> Losses:
        images, classes = draw(rng, GROUPS, PICTURES)
        features = stages(images.to(device).permute(0, 3, 1, 2).float() / 255)
        return class_losses(features, classes.to(device), PICTURES)

    return train_foundation(
        stages, file, losses, steps=steps, learning_rate=LEARNING_RATE, seed=seed, report=report
    )


def class_losses(features: Tensor, classes: Tensor, pictures: int) -> Losses:
    """Find the classes of each group's first picture in its other ones.

    Parameters
    ----------
    features : shape (groups * pictures, C, h, w), float
    classes : shape (groups * pictures, K, S, S), float
        Where each class is, the background first; classes that a group lacks are empty.
    pictures : number of pictures of a group

    Returns
    -------
    losses : dict
        ``loss`` and ``accuracy`` over the cells of which the first picture shows the class.
    """
    h, w = features.shape[-2:]
    shares = torch.cat([pool_mask(c[:, None], (h, w)) for c in classes.unbind(1)], 1)
    features, shares = (x.unflatten(0, (-1, pictures)) for x in (features, shares))
    shown = shares[:, 0]  # (groups, K, h, w)
    area = shown.sum((2, 3))
    means = torch.einsum("gchw,gkhw->gkc", features[:, 0], shown) / (area[..., None] + _SLIGHT)
    cosine = torch.einsum(
        "gkc,gpchw->gpkhw", F.normalize(means, dim=2), F.normalize(features[:, 1:], dim=2)
    )
    absent = (area <= _SLIGHT)[:, None, :, None, None]
    logits = (SHARPNESS * cosine).masked_fill(absent, -1e4)
    truth = shares[:, 1:].masked_fill(absent, 0.0)
    # Rare classes count as much as frequent ones, as far as they are there.
    weight = truth / (truth.sum((1, 3, 4), keepdim=True) + 1.0)
    counted = weight.sum((1, 2, 3, 4)).clamp_min(_SLIGHT)
    loss = -(weight * logits.log_softmax(2)).sum((1, 2, 3, 4)) / counted
    right = (logits.argmax(2, keepdim=True) == truth.argmax(2, keepdim=True)).float()
    return {"loss": loss.mean(), "accuracy": right.mean()}


class GroupSource:
    """Draws pictures of some groups.

    Parameters
    ----------
    scenes : ScenePictures
    """

    def __init__(self, scenes: ScenePictures) -> None:
        self._scenes = scenes
        members: dict[str, list[int]] = {}
        for index, name in enumerate(scenes.names):
            members.setdefault(scenes.groups[name], []).append(index)
        self._members = list(members.values())

    def __call__(
        self, rng: np.random.Generator, groups: int, pictures: int
    ) -> tuple[Tensor, Tensor]:
        """Draw groups and some pictures of each.

        Returns
        -------
        images : shape (groups * pictures, S, S, 3), uint8
        classes : shape (groups * pictures, K, S, S), float
            Where each class is, as `class_losses` takes it.
        """
        chosen = rng.choice(len(self._members), groups)
        images: list[NDArray[np.uint8]] = []
        labels: list[NDArray[np.int64]] = []
        for group in chosen.tolist():
            picked = rng.permutation(self._members[group])[:pictures]
            present = np.unique(self._scenes.classes[picked])
            images.append(self._scenes.images[picked])
            labels.append(np.searchsorted(present, self._scenes.classes[picked]))
            if present[0] != 0:
                labels[-1] += 1  # no background: its place stays empty
        stacked = np.concatenate(labels)
        count = int(stacked.max()) + 1
        one_hot = np.arange(count)[None, :, None, None] == stacked[:, None]
        return (
            torch.from_numpy(np.concatenate(images)),
            torch.from_numpy(one_hot.astype(np.float32)),
        )
