"""SAM made of segment-anything's own classes: encode images, embed prompts, decode masks.

=================  ===================================  ==============================
method             in                                   out
=================  ===================================  ==============================
``encode``         images (B, 3, S, S), normalised      embeddings (B, C, h, w)
``prompt``         points, boxes, mask logits           sparse (B, N, C), dense
``decode_masks``   embeddings, sparse, dense            :class:`DecodedMasks`
=================  ===================================  ==============================

The state dict has the keys of segment-anything's ``Sam``, so its checkpoints load unchanged.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vrpsam_app.config import SAMConfig
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.frozen_module import FrozenModule
from vrpsam_app.models.lean_vit import encode_vit
from vrpsam_app.models.sam_decoder import DecodedMasks, decode_batch
from vrpsam_app.models.sam_modules import sam_modules
from vrpsam_app.models.tiny_vit_encoder import TinyViTEncoder
from vrpsam_app.models.torchvision_ops import import_torchvision

# segment-anything subtracts nothing from coordinates but adds half a pixel: it expects the index
# of a pixel and moves to its centre. Coordinates here are continuous, pixel i covers [i, i + 1).
_PIXEL_CENTRE = 0.5


class FrozenSAM(FrozenModule):
    """SAM with frozen weights; gradients still reach the prompts through the decoder.

    Parameters
    ----------
    config : SAMConfig
        Sizes; the presets of :mod:`vrpsam_app.config` are ViT-B, L, H and a tiny one.
    image_encoder : nn.Module, optional
        Takes images (B, 3, S, S) to embeddings (B, ``prompt_dim``, S / stride, S / stride).
        Needed for, and only for, ``image_encoder="conv"``.

    Raises
    ------
    ConfigError
        If the configuration asks for a convolutional encoder and none is given.

    Notes
    -----
    ``unfreeze()`` makes everything trainable, for a small SAM of one's own.
    """

    def __init__(self, config: SAMConfig, image_encoder: nn.Module | None = None) -> None:
        super().__init__()
        if image_encoder is None and config.image_encoder == "conv":
            raise ConfigError(
                f"SAM {config.name!r} has the image encoder {config.image_encoder!r}, which is not "
                "segment-anything's: build it first and pass it as image_encoder."
            )
        self.config = config
        self.image_encoder = image_encoder or _build_image_encoder(config)
        self.prompt_encoder = _build_prompt_encoder(config)
        self.mask_decoder = _build_mask_decoder(config)
        self.freeze()

    def encode(self, images: Tensor) -> Tensor:
        """Encode images.

        Parameters
        ----------
        images : shape (B, 3, S, S), float
            Normalised by SAM's pixel mean and standard deviation. A vision transformer takes its
            own ``image_size`` only.

        Returns
        -------
        embeddings : shape (B, C, S / stride, S / stride)
        """
        if self.config.image_encoder == "vit":
            return encode_vit(self.image_encoder, images)
        embeddings: Tensor = self.image_encoder(images)
        return embeddings

    def image_pe(self, grid_hw: tuple[int, int] | None = None) -> Tensor:
        """Encode the positions of a grid, by default the square one of ``image_size``.

        Returns
        -------
        image_pe : shape (1, C, h, w)
        """
        encoder: Any = self.prompt_encoder
        encoding: Tensor = encoder.pe_layer(grid_hw or self._own_grid)
        return encoding[None]

    def prompt(
        self,
        points_xy: Tensor | None = None,
        point_labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        mask_logits: Tensor | None = None,
        *,
        grid_hw: tuple[int, int] | None = None,
        batch_size: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Embed geometric prompts.

        Parameters
        ----------
        points_xy : shape (B, P, 2), float, optional
            Continuous (x, y) in pixels of the image as encoded: pixel i covers [i, i + 1).
        point_labels : shape (B, P), optional
            1 on the object, 0 beside it, -1 for padding.
        boxes_xyxy : shape (B, 4) or (B, K, 4), float, optional
        mask_logits : shape (B, 1, 4h, 4w), float, optional
        grid_hw : (h, w), optional
            Embedding grid where it is not the square one of ``image_size``: the picture then has
            h * stride rows and w * stride columns.
        batch_size : int
            B where no prompt says it.

        Returns
        -------
        sparse : shape (B, N, C)
            One token a point, two a box; points without a box get SAM's padding token.
        dense : shape (B, C, h, w)

        Raises
        ------
        ValueError
            If points come without labels or labels without points.
        """
        if (points_xy is None) != (point_labels is None):
            raise ValueError(
                "Only one of points_xy and point_labels is given: expected a label for each point."
            )
        encoder: Any = self.prompt_encoder
        h, w = grid_hw or self._own_grid
        for given in (points_xy, boxes_xyxy, mask_logits):
            if given is not None:
                batch_size = given.shape[0]
        no_mask: Tensor = encoder.no_mask_embed.weight
        # Positions are encoded relative to the picture: bring them to the square SAM knows.
        size = no_mask.new_tensor((w, h)) * self.config.embedding_stride
        scale = self.config.image_size / size
        tokens = [no_mask.new_empty((batch_size, 0, self.config.prompt_dim))]
        if points_xy is not None:
            points = points_xy * scale - _PIXEL_CENTRE
            tokens.append(encoder._embed_points(points, point_labels, pad=boxes_xyxy is None))
        if boxes_xyxy is not None:
            corners = boxes_xyxy.reshape(-1, 4) * scale.repeat(2) - _PIXEL_CENTRE
            tokens.append(encoder._embed_boxes(corners).reshape(batch_size, -1, no_mask.shape[1]))
        sparse = torch.cat(tokens, dim=1)
        if mask_logits is not None:
            dense: Tensor = encoder.mask_downscaling(mask_logits)
        else:
            dense = no_mask.reshape(1, -1, 1, 1).expand(batch_size, -1, h, w)
        return sparse, dense

    def decode_masks(
        self,
        image_embeddings: Tensor,
        sparse: Tensor,
        dense: Tensor | None = None,
        *,
        upscale_skips: tuple[Tensor, Tensor] | None = None,
    ) -> DecodedMasks:
        """Decode prompts on embeddings; see :func:`~vrpsam_app.models.sam_decoder.decode_batch`.

        Parameters
        ----------
        image_embeddings : shape (B, C, h, w) or (1, C, h, w), float
        sparse : shape (B, N, C), float
            Visual prompts stand here as they are; concatenate points and boxes behind them.
        dense : shape (B, C, h, w), float, optional
            None: no mask prompt.
        upscale_skips : two Tensors, optional

        Returns
        -------
        decoded : DecodedMasks
        """
        grid_hw = (image_embeddings.shape[-2], image_embeddings.shape[-1])
        if dense is None:
            dense = self.prompt(grid_hw=grid_hw)[1]
        return decode_batch(
            self.mask_decoder,
            image_embeddings,
            self.image_pe(grid_hw),
            sparse,
            dense,
            upscale_skips=upscale_skips,
        )

    def __getstate__(self) -> object:
        # To pickle classes of segment-anything, all of the package is imported.
        import_torchvision()
        return super().__getstate__()

    @property
    def _own_grid(self) -> tuple[int, int]:
        return self.config.embedding_side, self.config.embedding_side


def _build_image_encoder(config: SAMConfig) -> nn.Module:
    if config.image_encoder == "tiny_vit":
        return TinyViTEncoder(config)
    return _build_vit(config)


def _build_vit(config: SAMConfig) -> nn.Module:
    """Build segment-anything's vision transformer; `FrozenSAM.encode` calls its parts."""
    encoder: nn.Module = sam_modules().ImageEncoderViT(
        img_size=config.image_size,
        patch_size=config.embedding_stride,
        embed_dim=config.width,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        out_chans=config.prompt_dim,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=config.window_size,
        global_attn_indexes=config.global_attention_blocks,
    )
    return encoder


def _build_prompt_encoder(config: SAMConfig) -> nn.Module:
    """Build segment-anything's prompt encoder with random weights."""
    encoder: nn.Module = sam_modules().PromptEncoder(
        embed_dim=config.prompt_dim,
        image_embedding_size=(config.embedding_side, config.embedding_side),
        input_image_size=(config.image_size, config.image_size),
        mask_in_chans=config.mask_channels,
    )
    return encoder


def _build_mask_decoder(config: SAMConfig) -> nn.Module:
    """Build segment-anything's mask decoder with random weights."""
    modules = sam_modules()
    decoder: nn.Module = modules.MaskDecoder(
        num_multimask_outputs=3,
        transformer=modules.TwoWayTransformer(
            depth=config.decoder_depth,
            embedding_dim=config.prompt_dim,
            mlp_dim=config.decoder_mlp_dim,
            num_heads=config.decoder_heads,
        ),
        transformer_dim=config.prompt_dim,
        iou_head_depth=config.iou_head_depth,
        iou_head_hidden_dim=config.iou_head_hidden,
    )
    return decoder
