"""The small SAM: it learns to answer clicks and boxes on scenes, then it is frozen.

The mask decoder's first mask has to be what was asked for: one object by a click or a box, or
several of one kind by a click on each. Of its three masks for ambiguous prompts the best one has to
be, as SAM itself learned it, and each mask's score its IoU. Moreover the embeddings of an object's
cells have to be alike, and unlike those of all other cells, which teaches the image encoder long
before the decoder makes sense of what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.config import SAMConfig
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.reproduction.foundation_training import Losses, train_foundation
from vrpsam_app.reproduction.scene_folds import ScenePictures
from vrpsam_app.training.losses import dice_loss, soft_iou

LEARNING_RATE = 1e-3
PICTURES = 8
PROMPTS = 6
"""Of each picture, all of one kind."""

LEAST_OBJECT = 12 / 1024
"""Objects that cover less of the picture, three cells of 16 x 16, are not asked for."""

MOST_CLICKS = 3
KINDS = ("click", "box", "clicks")
_SLIGHT = 1e-6

FIRST_SHARPNESS = 2.0
"""Factor on random projections, whose attention would be all but even."""

SHARPNESS = 4.0
"""Logit of two cells with equal embeddings; at right angles it is minus that."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptBatch:
    """Pictures and what is asked of them.

    Attributes
    ----------
    images : shape (B, S, S, 3), uint8
    points_xy : shape (B * P, N, 2), float
        Clicks on the object; the first ``P`` belong to the first picture.
    labels : shape (B * P, N)
        1, or -1 for clicks that are not made.
    boxes_xyxy : shape (B * P, 4), float
    masks : shape (B * P, 1, S, S), float
    """

    images: Tensor
    points_xy: Tensor
    labels: Tensor
    boxes_xyxy: Tensor
    masks: Tensor


def train_sam(
    config: SAMConfig,
    scenes: ScenePictures,
    file: Path,
    *,
    steps: int,
    seed: int,
    device: torch.device,
    report: Callable[[str], None],
) -> Path:
    """Train the small SAM, or go on, and write its weights under segment-anything's keys.

    Parameters
    ----------
    config : SAMConfig
    scenes : ScenePictures
        Of the side that the SAM takes.
    file : Path
        Of the weights; see :func:`~vrpsam_app.reproduction.foundation_training.train_foundation`.
    steps, seed, device, report :
        As there.
    """
    torch.manual_seed(seed)
    sam = FrozenSAM(config).unfreeze().to(device)
    look_where_prompts_are(sam)
    draw = PromptSource(scenes)

    def losses(rng: np.random.Generator) -> Losses:
        kind = KINDS[int(rng.integers(len(KINDS)))]
        batch = draw(rng, PICTURES, PROMPTS, clicks=MOST_CLICKS if kind == "clicks" else 1)
        return prompt_losses(sam, batch, by_box=kind == "box", device=device)

    return train_foundation(
        sam, file, losses, steps=steps, learning_rate=LEARNING_RATE, seed=seed, report=report
    )


@torch.no_grad()
def look_where_prompts_are(sam: FrozenSAM) -> None:
    """Let prompts and cells of one place attend to each other from the first step on.

    Attention between prompts and picture begins with equal projections of queries and keys, so that
    it follows the likeness of their positions; found by chance that takes thousands of steps.
    """
    for name, attention in sam.mask_decoder.named_modules():
        if name.endswith(("token_to_image", "image_to_token")):
            projections: Any = attention
            projections.q_proj.weight.mul_(FIRST_SHARPNESS)
            projections.k_proj.weight.copy_(projections.q_proj.weight)
            for part in (projections.q_proj, projections.k_proj):
                part.bias.zero_()


def prompt_losses(
    sam: FrozenSAM, batch: PromptBatch, *, by_box: bool, device: torch.device
) -> Losses:
    """Ask a SAM and hold its answers against the objects."""
    images = batch.images.to(device).permute(0, 3, 1, 2).float() / 255
    mean = images.new_tensor(MEAN)[:, None, None]
    deviation = images.new_tensor(DEVIATION)[:, None, None]
    embeddings = sam.encode((images - mean) / deviation)
    masks, points = batch.masks.to(device), batch.points_xy.to(device)
    each = embeddings.repeat_interleave(len(masks) // len(embeddings), 0)
    if by_box:
        sparse, dense = sam.prompt(boxes_xyxy=batch.boxes_xyxy.to(device))
    else:
        sparse, dense = sam.prompt(points, batch.labels.to(device))
    decoded = sam.decode_masks(each, sparse, dense)
    answers = decoded.mask_logits.split(1, dim=1)
    truth = pool_mask(masks, (answers[0].shape[-2], answers[0].shape[-1]))
    wrong = torch.stack([balanced_loss(logits, truth) for logits in answers])  # (4, B * P)
    quality = torch.stack([soft_iou(logits, truth) for logits in answers], dim=1)
    # A little of all three, or one that is best by chance in the beginning stays the only one.
    ambiguous = wrong[1:].amin(dim=0) + 0.1 * wrong[1:].mean(dim=0)
    likeness = likeness_loss(embeddings, masks)
    score = F.mse_loss(decoded.scores, quality)
    return {
        "loss": (wrong[0] + 0.5 * ambiguous).mean() + 0.5 * likeness + 0.1 * score,
        "iou": quality[:, 0].mean(),
        "best_iou": quality[:, 1:].amax(dim=1).mean(),
        "likeness": likeness,
    }


def balanced_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Add cross-entropy, in which object and rest count alike, and Dice.

    Where every pixel counts alike the empty mask is learned first, and kept for hundreds of steps.

    Parameters
    ----------
    logits, truth : shape (B, 1, h, w)

    Returns
    -------
    loss : shape (B,)
    """
    wrong = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    sides = [
        (wrong * share).sum((1, 2, 3)) / (share.sum((1, 2, 3)) + 1) for share in (truth, 1 - truth)
    ]
    return (sides[0] + sides[1]) / 2 + dice_loss(logits.sigmoid(), truth)


def likeness_loss(embeddings: Tensor, masks: Tensor) -> Tensor:
    """Compare the cells of each object with all cells: alike on the object, unlike beside it.

    Parameters
    ----------
    embeddings : shape (B, C, h, w)
    masks : shape (B * P, 1, S, S)
        The first ``P`` belong to the first embedding.

    Returns
    -------
    loss : scalar
    """
    flat = embeddings.float().flatten(2)  # (B, C, h * w)
    directions = F.normalize(flat - flat.mean(2, keepdim=True))
    logits = SHARPNESS * (2 * torch.einsum("bci,bcj->bij", directions, directions) - 1)
    cells = pool_mask(masks, (embeddings.shape[-2], embeddings.shape[-1])).flatten(1)
    inside = cells.unflatten(0, (len(embeddings), -1))  # (B, P, h * w)
    area, rest = inside.sum(2), (1 - inside).sum(2)
    # Object and rest count alike, however small the object is.
    unlike = torch.einsum("bpi,bij,bpj->bp", inside, F.softplus(-logits), inside) / area**2
    alike = torch.einsum("bpi,bij,bpj->bp", inside, F.softplus(logits), 1 - inside)
    return ((unlike + alike / (area * rest + _SLIGHT)) / 2).mean()


class PromptSource:
    """Draws pictures and prompts on their objects.

    Parameters
    ----------
    scenes : ScenePictures
        Its objects are asked for.
    """

    def __init__(self, scenes: ScenePictures) -> None:
        self._scenes = scenes
        self._objects = [
            objects_of(instances, classes)
            for instances, classes in zip(scenes.instances, scenes.classes, strict=True)
        ]
        self._usable = np.flatnonzero([bool(len(found.numbers)) for found in self._objects])

    def __call__(
        self, rng: np.random.Generator, pictures: int, prompts: int, *, clicks: int
    ) -> PromptBatch:
        """Draw a batch.

        Parameters
        ----------
        rng : numpy Generator
        pictures, prompts : number of pictures, and of prompts on each
        clicks : most clicks of a prompt, each on another object of one kind; with 1 always one
        """
        side = self._scenes.images.shape[1]
        count = pictures * prompts
        points = np.zeros((count, clicks, 2), np.float32)
        labels = np.full((count, clicks), -1, np.int64)
        boxes = np.zeros((count, 4), np.float32)
        masks = np.zeros((count, 1, side, side), np.float32)
        images = np.zeros((pictures, side, side, 3), np.uint8)
        for i, index in enumerate(rng.choice(self._usable, pictures).tolist()):
            found = self._objects[index]
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            images[i] = _turned(self._scenes.images[index], turns, mirrored)
            numbered = _turned(found.numbered, turns, mirrored)
            for k in range(i * prompts, (i + 1) * prompts):
                chosen = found.choose(rng, int(rng.integers(1, clicks + 1)))
                for n, number in enumerate(chosen):
                    spots = np.argwhere(numbered == number)
                    row, col = spots[int(rng.integers(len(spots)))]
                    points[k, n], labels[k, n] = (col + 0.5, row + 0.5), 1
                mask = np.isin(numbered, chosen)
                rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                boxes[k] = cols[0], rows[0], cols[-1] + 1, rows[-1] + 1
                masks[k, 0] = mask
        return PromptBatch(*map(torch.from_numpy, (images, points, labels, boxes, masks)))


@dataclass(frozen=True, slots=True, eq=False)
class PictureObjects:
    """Everything that can be asked for in a picture.

    Attributes
    ----------
    numbered : shape (H, W), int32
    numbers, kinds, areas : shape (N,)
        Of the objects that are large enough: number, class, pixels.
    """

    numbered: NDArray[np.int32]
    numbers: NDArray[np.int32]
    kinds: NDArray[np.int32]
    areas: NDArray[np.int64]

    def choose(self, rng: np.random.Generator, most: int) -> list[int]:
        """Choose an object, rather a large one, and others of its kind, `most` in all."""
        chance = np.sqrt(self.areas)
        first = int(rng.choice(len(self.numbers), p=chance / chance.sum()))
        others = np.flatnonzero(self.kinds == self.kinds[first])
        others = rng.permutation(others[others != first])[: most - 1]
        return [int(self.numbers[first]), *self.numbers[others].tolist()]


def objects_of(instances: NDArray[np.integer], classes: NDArray[np.integer]) -> PictureObjects:
    """List the objects of a picture.

    Parameters
    ----------
    instances, classes : shape (H, W)
    """
    numbered = instances.astype(np.int32)
    areas = np.bincount(numbered.ravel())
    areas[0] = 0
    numbers = np.flatnonzero(areas >= max(1.0, LEAST_OBJECT * numbered.size))
    spots = [int(np.argmax(numbered == number)) for number in numbers]
    return PictureObjects(
        numbered=numbered,
        numbers=numbers.astype(np.int32),
        kinds=classes.ravel()[spots].astype(np.int32),
        areas=areas[numbers],
    )


def _turned(array: NDArray[np.generic], turns: int, mirrored: bool) -> NDArray[np.generic]:
    turned = np.rot90(array, turns)
    return turned[:, ::-1] if mirrored else turned
