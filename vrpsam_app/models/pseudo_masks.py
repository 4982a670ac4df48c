"""Pseudo-masks: a first guess, without training, at where the reference's object is in a target.

A prior splits its work: ``encode_reference`` keeps what depends on the reference alone, the call
compares a target with that. The published one is the largest cosine similarity of each target
position to any marked position of the reference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vrpsam_app.config import VRPEncoderConfig
from vrpsam_app.errors import ConfigError

# Added to the product of the two norms in the published code.
COSINE_EPSILON = 1e-7


class PseudoMaskPrior(nn.Module, ABC):
    """Base of the priors.

    Attributes
    ----------
    masks_reference : bool
        Whether the reference's high features are wanted masked, as the published network computes
        them, or of the whole image.
    """

    masks_reference: bool = True

    @abstractmethod
    def encode_reference(
        self, high: Tensor, mask: Tensor, background: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Keep what depends on the references alone.

        Parameters
        ----------
        high : shape (B, C, h, w), float
        mask : shape (B, 1, h, w), float in [0, 1]
            Share of each cell that is marked as the object.
        background : shape (B, 1, h, w), float in [0, 1], optional
            Share of each cell that is known not to be the object; the rest is unknown.

        Returns
        -------
        state : tuple of Tensor
            What :meth:`forward` takes as `state`, B entries unless a prior says otherwise.
        """

    @abstractmethod
    def forward(self, state: tuple[Tensor, ...], target_high: Tensor) -> Tensor:
        """Guess where the object is.

        Parameters
        ----------
        state : tuple of Tensor
            Of B references, or of one for all targets.
        target_high : shape (B, C, h, w), float

        Returns
        -------
        pseudo_mask : shape (B, 1, h, w), float in [0, 1]
        """


class CosinePrior(PseudoMaskPrior):
    """The published prior, restricted to the rows that can decide it.

    Parameters
    ----------
    max_foreground : int, optional
        Keep at most so many marked positions of a reference, evenly spread in reading order.
        None keeps all, which gives exactly the published pseudo-mask.
    """

    def __init__(self, max_foreground: int | None = None) -> None:
        super().__init__()
        self.max_foreground = max_foreground

    def encode_reference(
        self, high: Tensor, mask: Tensor, background: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Keep the feature rows (n_i, C) under each mask; background does not matter here."""
        return foreground_rows(high, mask, self.max_foreground)

    def forward(self, state: tuple[Tensor, ...], target_high: Tensor) -> Tensor:
        """Take the largest cosine similarity to any kept row."""
        return cosine_pseudo_mask(target_high, state)


def foreground_rows(high: Tensor, mask: Tensor, max_rows: int | None = None) -> tuple[Tensor, ...]:
    """Gather the features of the marked positions.

    Parameters
    ----------
    high : shape (B, C, h, w), float
    mask : shape (B, 1, h, w), float
        A position counts if its value is above zero.
    max_rows : int, optional

    Returns
    -------
    rows : B Tensors of shape (n_i, C)
    """
    gathered = []
    for maps, cells in zip(high, mask, strict=True):
        rows = maps.flatten(1).T[cells.flatten() > 0]
        if max_rows is not None and len(rows) > max_rows:
            spread = torch.linspace(0, len(rows) - 1, max_rows, device=rows.device)
            rows = rows[spread.round().long()]
        gathered.append(rows)
    return tuple(gathered)


def cosine_pseudo_mask(target_high: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """Compare each target position with the marked rows of its reference.

    Parameters
    ----------
    target_high : shape (B, C, h, w), float
    rows : B or one Tensor of shape (n_i, C), float

    Returns
    -------
    pseudo_mask : shape (B, 1, h, w), float in [0, 1]
        Largest cosine similarity, nowhere below zero; zero where nothing was marked.

    Notes
    -----
    The published code compares with all positions, after zeroing the unmarked ones. Those have
    similarity 0, which never exceeds another as the features come out of a ReLU: leaving them out
    changes nothing. Features of either sign are cut at 0, where the published maximum would end.
    """
    count, _, h, w = target_high.shape
    shared = rows if len(rows) == count else [rows[0]] * count
    masks = []
    for maps, marked in zip(target_high, shared, strict=True):
        positions = maps.flatten(1)  # (C, h * w)
        if not len(marked):
            masks.append(positions.new_zeros((1, h, w)))
            continue
        norms = marked.norm(dim=1)[:, None] * positions.norm(dim=0)[None, :]
        similarity = (marked @ positions) / (norms + COSINE_EPSILON)
        masks.append(similarity.amax(dim=0).clamp(min=0).reshape(1, h, w))
    return torch.stack(masks)


def build_prior(config: VRPEncoderConfig) -> PseudoMaskPrior:
    """Build the prior that a configuration names.

    Raises
    ------
    ConfigError
        If there is no prior of that name here.
    """
    if config.pseudo_mask == "cosine":
        return CosinePrior(config.max_foreground)
    raise ConfigError(
        f"The pseudo-mask {config.pseudo_mask!r} is not built from the configuration alone: "
        "pass the prior itself to VRPEncoder."
    )
