"""VRP-SAM as published: a frozen backbone, the VRP encoder, a frozen SAM.

========================  ============================================  =====================
step                      shape                                         once per
========================  ============================================  =====================
``encode_images``         (B, 3, 512, 512) -> :class:`PaperEmbedding`   image
``encode_reference``      marks (B, 3, 512, 512) -> `PaperReference`    annotated reference
``decode``                -> :class:`DecoderOutput`, (B, 1, 256, 256)   target and class
========================  ============================================  =====================

Sun et al., VRP-SAM: SAM with Visual Reference Prompt, CVPR 2024, arXiv:2402.17726; the published
code squashes to 512 x 512, enlarges the same picture to SAM's 1024 with aligned corners, and uses
mask token 0. ``encode_images`` joins what ``encode_sam`` and ``encode_semantic`` give, which no
training step changes, with what the learned weights make of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vrpsam_app.config import ModelConfig
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.resize import resize_bilinear
from vrpsam_app.models.vrp_encoder import (
    ReferenceEncoding,
    SemanticFeatures,
    TargetEncoding,
    VRPEncoder,
)
from vrpsam_app.models.vrp_sam import VRPSAM, require_object

# ImageNet's statistics, which are also SAM's pixel mean and deviation divided by 255.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class PaperEmbedding(TensorRecord):
    """All that depends on an image alone.

    Attributes
    ----------
    sam : shape (B, C, h, w)
        SAM's image embedding.
    middle, state : shape (B, C', h', w')
        What the image needs to be a reference.
    reduced, high : shape (B, C'', h', w')
        What it needs to be a target.
    """

    sam: Tensor
    middle: Tensor
    state: Tensor
    reduced: Tensor
    high: Tensor


@dataclass(frozen=True, eq=False)
class SAMMap(TensorRecord):
    """What frozen SAM says of images, shape (B, C, h, w)."""

    sam: Tensor


@dataclass(frozen=True, eq=False)
class SemanticMaps(TensorRecord):
    """What the frozen backbone says of images.

    Attributes
    ----------
    middle, state : shape (B, C', h', w')
    high : shape (B, C'', h', w')
        Of the whole image; a reference's are computed anew, under its mask.
    """

    middle: Tensor
    state: Tensor
    high: Tensor


@dataclass(frozen=True, eq=False)
class PaperReference(TensorRecord):
    """All that depends on annotated references alone.

    Attributes
    ----------
    tokens : shape (B, N, C)
    prototype : shape (B, C)
    prior : tuple of Tensor
        State of the pseudo-mask's prior.
    not_this : shape (B,)
        1 where the marks say what the object is not.
    """

    tokens: Tensor
    prototype: Tensor
    prior: tuple[Tensor, ...]
    not_this: Tensor

    def take(self, index: Tensor) -> Self:
        """Select batch items; the prior holds one tensor per item."""
        return type(self)(
            tokens=self.tokens[index],
            prototype=self.prototype[index],
            prior=tuple(self.prior[int(i)] for i in index),
            not_this=self.not_this[index],
        )

    def joined_with(self, others: Sequence[Self]) -> Self:
        """Return all references behind each other; the prior holds one tensor per item."""
        every = (self, *others)
        return type(self)(
            tokens=torch.cat([one.tokens for one in every]),
            prototype=torch.cat([one.prototype for one in every]),
            prior=tuple(rows for one in every for rows in one.prior),
            not_this=torch.cat([one.not_this for one in every]),
        )

    def encoding(self) -> ReferenceEncoding:
        """Return the value the VRP encoder takes."""
        return ReferenceEncoding(tokens=self.tokens, prototype=self.prototype, prior=self.prior)


class PaperVRPSAM(VRPSAM[PaperEmbedding, PaperReference]):
    """The published composition; only ``vrp_encoder`` has anything to learn."""

    embedding_type = PaperEmbedding
    reference_type = SemanticFeatures

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.vrp_encoder = VRPEncoder(config.vrp_encoder)
        self.sam = FrozenSAM(config.sam)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def output_hw(self, input_hw: tuple[int, int]) -> tuple[int, int]:
        """Size of the decoder's output grid, whatever the input: four times SAM's grid."""
        side = 4 * self.config.sam.embedding_side
        return side, side

    def encode_images(self, images: Tensor) -> PaperEmbedding:
        """Encode images (B, 3, S, S) in [0, 1], S the VRP encoder's ``image_size``."""
        return self.join(self.encode_sam(images), self.encode_semantic(images))

    def encode_reference_images(self, images: Tensor) -> SemanticFeatures:
        """Compute what references need: SAM never sees them, nor the last layers unmasked."""
        return self.vrp_encoder.encode_images(self._normalised(images))

    def encode_sam(self, images: Tensor) -> SAMMap:
        """Compute SAM's embedding of images."""
        side = self.config.sam.image_size
        enlarged = resize_bilinear(
            self._normalised(images), (side, side), align_corners=self.config.align_corners
        )
        return SAMMap(self.sam.encode(enlarged))

    def encode_semantic(self, images: Tensor) -> SemanticMaps:
        """Compute the semantic maps of images."""
        features = self.vrp_encoder.encode_images(self._normalised(images))
        high = self.vrp_encoder.semantic_encoder.high_features(features.state)
        return SemanticMaps(middle=features.middle, state=features.state, high=high)

    def join(self, sam: SAMMap, maps: SemanticMaps) -> PaperEmbedding:
        """Add what the learned weights make of the frozen parts' answers."""
        return PaperEmbedding(
            sam=sam.sam,
            middle=maps.middle,
            state=maps.state,
            reduced=self.vrp_encoder.feature_augmenter.reduce(maps.middle),
            high=maps.high,
        )

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.deviation

    def encode_reference(
        self, embedding: PaperEmbedding | SemanticFeatures, marks: Tensor, is_box: Tensor
    ) -> PaperReference:
        """Encode annotated references, one per batch item.

        The published encoder knows neither background nor unknown pixels: it reads the object's
        marks, or, for a "not this" reference, the background's. `is_box` changes nothing here.
        """
        positive, certain, _ = marks.split(1, 1)
        not_this = (positive.amax((1, 2, 3)) == 0).float()
        mask = torch.where(not_this[:, None, None, None] > 0, certain, positive)
        if self.config.vrp_encoder.mask_pooling == "nearest":
            mask = (mask > 0.5).to(mask.dtype)
        features = SemanticFeatures(middle=embedding.middle, state=embedding.state)
        encoding = self.vrp_encoder.encode_reference(features, mask)
        return PaperReference(
            tokens=encoding.tokens,
            prototype=encoding.prototype,
            prior=encoding.prior,
            not_this=not_this,
        )

    def decode(
        self,
        target: PaperEmbedding,
        references: Sequence[PaperReference],
        prompts: PromptTensors | None = None,
        *,
        visual_prompts: bool = True,
        together: TensorRecord | None = None,
    ) -> DecoderOutput:
        """Find the references' object in each target; see :meth:`VRPSAM.decode`.

        What "not this" references find is taken out of the answer, as far as they are sure of it.
        """
        showing = [r for r in references if not bool(r.not_this.any())]
        against = [r for r in references if bool(r.not_this.any())]
        require_object(showing)
        logits, score, pseudo_mask = self._decode(
            target, showing, prompts or PromptTensors(), visual_prompts=visual_prompts
        )
        if against:
            unwanted, _, _ = self._decode(target, against, PromptTensors())
            logits = logits - unwanted.clamp_min(0)
        return DecoderOutput(
            mask_logits=logits,
            score=score.clamp(0, 1),  # SAM's head answers without bounds
            presence=logits.sigmoid().amax((1, 2, 3)),
            pseudo_mask=pseudo_mask,
        )

    def _decode(
        self,
        target: PaperEmbedding,
        references: list[PaperReference],
        prompts: PromptTensors,
        *,
        visual_prompts: bool = True,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask logits, predicted IoU and pseudo-mask for one side of the question."""
        encoded = TargetEncoding(reduced=target.reduced, high=target.high)
        output = self.vrp_encoder.generate([r.encoding() for r in references], encoded)
        # SAM sees the same picture enlarged: its prompts move with it.
        scale = self.config.sam.image_size / self.config.vrp_encoder.image_size
        clicks, dense = self.sam.prompt(
            None if prompts.points_xy is None else prompts.points_xy * scale,
            prompts.point_labels,
            None if prompts.boxes_xyxy is None else prompts.boxes_xyxy * scale,
            prompts.mask_logits,
            batch_size=output.visual_prompts.shape[0],
        )
        tokens = [output.visual_prompts] if visual_prompts else []
        decoded = self.sam.decode_masks(target.sam, torch.cat([*tokens, clicks], 1), dense)
        return decoded.mask_logits[:, :1], decoded.scores[:, 0], output.pseudo_mask
