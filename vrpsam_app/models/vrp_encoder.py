"""VRP encoder: a marked reference and a target become visual prompts for SAM's decoder.

=======================  =========================================  ========================
step                     module                                     paper [1]_
=======================  =========================================  ========================
features of both images  :mod:`~vrpsam_app.models.semantic_encoder`  section 4.1
pseudo-mask              :mod:`~vrpsam_app.models.pseudo_masks`      section 4.1, appendix
augmented maps           :mod:`~vrpsam_app.models.feature_augmenter` section 4.1, eq. 1 to 3
visual prompts           :mod:`~vrpsam_app.models.prompt_generator`  section 4.2, eq. 4 and 5
=======================  =========================================  ========================

Everything that depends on the reference alone is computed once, in ``encode_reference``.

References
----------
.. [1] Sun et al., VRP-SAM: SAM with Visual Reference Prompt, CVPR 2024, arXiv:2402.17726.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vrpsam_app.config import VRPEncoderConfig
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.feature_augmenter import FeatureAugmenter, masked_average_pool
from vrpsam_app.models.prompt_generator import PromptGenerator
from vrpsam_app.models.pseudo_masks import PseudoMaskPrior, build_prior
from vrpsam_app.models.resize import pool_mask
from vrpsam_app.models.semantic_encoder import build_semantic_encoder


@dataclass(frozen=True, eq=False)
class SemanticFeatures(TensorRecord):
    """Features of images, whichever part they will play.

    Attributes
    ----------
    middle : shape (B, C_middle, h, w), float
    state : shape (B, C, h, w), float
        From which the high features are computed, masked or not.
    """

    middle: Tensor
    state: Tensor


@dataclass(frozen=True, eq=False)
class TargetEncoding(TensorRecord):
    """What a target needs for any reference: keep it and each further class costs little.

    Attributes
    ----------
    reduced : shape (B, C, h, w), float
    high : shape (B, C_high, h, w), float
    """

    reduced: Tensor
    high: Tensor


@dataclass(frozen=True, eq=False)
class ReferenceEncoding(TensorRecord):
    """Everything that depends on the reference alone.

    Attributes
    ----------
    tokens : shape (B, N, C), float
        Prompt queries that have asked the reference.
    prototype : shape (B, C), float
    prior : tuple of Tensor
        State of the pseudo-mask's prior; of the cosine one, B Tensors (n_i, C_high).
    """

    tokens: Tensor
    prototype: Tensor
    prior: tuple[Tensor, ...]

    def take(self, index: Tensor) -> ReferenceEncoding:
        """Select references of the batch."""
        prior = tuple(self.prior[i] for i in index.tolist())
        return ReferenceEncoding(self.tokens[index], self.prototype[index], prior)


@dataclass(frozen=True, eq=False)
class VRPOutput(TensorRecord):
    """What the encoder hands to the decoder.

    Attributes
    ----------
    visual_prompts : shape (B, N * shots, C), float
    pseudo_mask : shape (B, 1, h, w), float
        With several references, the largest of theirs at each position.
    """

    visual_prompts: Tensor
    pseudo_mask: Tensor


class VRPEncoder(nn.Module):
    """The trained part of VRP-SAM around a frozen backbone.

    Parameters
    ----------
    config : VRPEncoderConfig
    shared_channels : int, optional
        With ``semantic_encoder="shared"``, the channels of the maps handed in.
    prior : PseudoMaskPrior, optional
        Replaces the one the configuration names.

    Examples
    --------
    >>> from vrpsam_app.config import VRPEncoderConfig
    >>> config = VRPEncoderConfig(semantic_encoder="shared", hidden_dim=32, num_queries=5)
    >>> encoder = VRPEncoder(config, shared_channels=8).eval()
    >>> reference, target = torch.rand(2, 1, 8, 16, 16)
    >>> output = encoder(reference, torch.ones(1, 1, 64, 64), target)
    >>> output.visual_prompts.shape
    torch.Size([1, 5, 32])
    """

    def __init__(
        self,
        config: VRPEncoderConfig,
        *,
        shared_channels: int | None = None,
        prior: PseudoMaskPrior | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.semantic_encoder = build_semantic_encoder(config, shared_channels=shared_channels)
        self.prior = build_prior(config) if prior is None else prior
        self.feature_augmenter = FeatureAugmenter(
            self.semantic_encoder.middle_channels,
            config.hidden_dim,
            dropout=config.dropout,
            mask_gain=config.mask_gain,
        )
        self.prompt_generator = PromptGenerator(
            config.hidden_dim,
            config.num_queries,
            config.num_heads,
            query_init=config.query_init,
        )

    def encode_images(self, images: Tensor) -> SemanticFeatures:
        """Compute what references and targets have in common.

        Parameters
        ----------
        images : shape (B, 3, S, S), float
            Normalised by ImageNet's mean and standard deviation; with a shared encoder the maps
            (B, shared_channels, h, w) instead.

        Returns
        -------
        features : SemanticFeatures
        """
        return SemanticFeatures(*self.semantic_encoder.middle_features(images))

    def encode_reference(
        self, features: SemanticFeatures, mask: Tensor, background: Tensor | None = None
    ) -> ReferenceEncoding:
        """Compute everything that depends on the reference alone.

        Parameters
        ----------
        features : SemanticFeatures
        mask : shape (B, 1, S, S), float in [0, 1]
            The marks, over the same picture as the images, at any size.
        background : shape (B, 1, S, S), float in [0, 1], optional
            What is known not to be the object, for priors that use it.

        Returns
        -------
        reference : ReferenceEncoding

        Raises
        ------
        ValueError
            If a mask is not of shape (B, 1, S, S).
        """
        grid = (features.middle.shape[2], features.middle.shape[3])
        cells = self._to_grid(mask, grid)
        known = None if background is None else self._to_grid(background, grid)
        seen = cells if self.prior.masks_reference else None
        high = self.semantic_encoder.high_features(features.state, seen)
        prior = self.prior.encode_reference(high, cells, known)
        reduced = self.feature_augmenter.reduce(features.middle)
        prototype = masked_average_pool(reduced, cells)
        augmented = self.feature_augmenter(reduced, prototype, cells)
        start = self.prompt_generator.first_tokens(
            prototype, masked_average_pool(reduced, 1 - cells)
        )
        tokens = self.prompt_generator.reference_half(augmented, start)
        return ReferenceEncoding(tokens=tokens, prototype=prototype, prior=prior)

    def encode_target(self, features: SemanticFeatures) -> TargetEncoding:
        """Compute what a target needs whatever the reference."""
        return TargetEncoding(
            reduced=self.feature_augmenter.reduce(features.middle),
            high=self.semantic_encoder.high_features(features.state),
        )

    def generate(
        self,
        reference: ReferenceEncoding | Sequence[ReferenceEncoding],
        target: SemanticFeatures | TargetEncoding,
    ) -> VRPOutput:
        """Make visual prompts for targets.

        Parameters
        ----------
        reference : ReferenceEncoding or several
            Several references of one object are several shots: their prompts stand side by side.
            An encoding of one reference serves all targets of the batch.
        target : SemanticFeatures or TargetEncoding
            Of B targets.

        Returns
        -------
        output : VRPOutput

        Raises
        ------
        ValueError
            If there is no reference.
        """
        references = [reference] if isinstance(reference, ReferenceEncoding) else list(reference)
        if not references:
            raise ValueError("There is no reference encoding: expected one or more.")
        if isinstance(target, SemanticFeatures):
            target = self.encode_target(target)
        prompts, pseudo_masks = [], []
        for shot in references:
            pseudo_mask = self.prior(shot.prior, target.high)
            augmented = self.feature_augmenter(target.reduced, shot.prototype, pseudo_mask)
            prompts.append(self.prompt_generator.target_half(shot.tokens, augmented))
            pseudo_masks.append(pseudo_mask)
        return VRPOutput(
            visual_prompts=torch.cat(prompts, dim=1),
            pseudo_mask=torch.stack(pseudo_masks).amax(dim=0),
        )

    def forward(self, reference: Tensor, mask: Tensor, target: Tensor) -> VRPOutput:
        """Run all steps on one reference for each target, as training does.

        Parameters
        ----------
        reference, target : shape (B, 3, S, S), float
            As for :meth:`encode_images`.
        mask : shape (B, 1, S, S), float in [0, 1]

        Returns
        -------
        output : VRPOutput
        """
        encoding = self.encode_reference(self.encode_images(reference), mask)
        return self.generate(encoding, self.encode_images(target))

    def _to_grid(self, mask: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """Bring a mask to the feature grid, as the configuration says."""
        if mask.dim() != 4 or mask.shape[1] != 1:
            raise ValueError(
                f"The mask has shape {tuple(mask.shape)}: expected (B, 1, S, S). Add the missing "
                "axes with mask[:, None]."
            )
        return pool_mask(mask, grid_hw, self.config.mask_pooling)
