"""A SAM as two ONNX graphs, for programs without PyTorch: its image encoder, and all after it.

``encoder.onnx`` takes ``image`` (1, 3, S, S), RGB in [0, 1], and gives ``image_embedding``
(1, C, h, w). ``decoder.onnx`` takes that and

==================  ================  ===========================================================
``visual_prompts``  (1, N, C)         N may be 0
``points_xy``       (1, P, 2)         P may be 0; (x, y) in pixels of the image, pixel i covers
                                      [i, i + 1)
``point_labels``    (1, P)            1 object, 0 background, 2 and 3 the upper left and the lower
                                      right corner of a box, -1 padding
``mask_input``      (1, 1, 4h, 4w)    logits of an earlier answer
``has_mask_input``  (1,)              1 or 0
==================  ================  ===========================================================

and gives ``mask_logits`` (1, 4, 4h, 4w), the first for clear prompts, and ``scores`` (1, 4),
predicted intersection over union. Points without a box want one padding point, (0, 0) with label
-1, behind them: so SAM learned it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.onnx_graphs import (
    embed_points,
    graph_folder,
    require_onnx,
    write_description,
    write_graph,
)
from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN
from vrpsam_app.models.sam_decoder import decode_batch

ENCODER_NAME, DECODER_NAME = "encoder.onnx", "decoder.onnx"
_BOX_CORNERS = (2, 3)


@dataclass(frozen=True, slots=True)
class OnnxFiles:
    """The two graphs, and what they are of."""

    encoder: Path
    decoder: Path
    description: Path


class EncoderGraph(nn.Module):
    """Pictures in [0, 1] to embeddings."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, sam: FrozenSAM) -> None:
        super().__init__()
        self.sam = sam
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        """Normalise and encode."""
        return self.sam.encode((image - self.mean) / self.deviation)


class DecoderGraph(nn.Module):
    """Prompts and an embedding to masks."""

    image_pe: Tensor

    def __init__(self, sam: FrozenSAM) -> None:
        super().__init__()
        self.image_size = sam.config.image_size
        self.prompt_encoder = sam.prompt_encoder
        self.mask_decoder = sam.mask_decoder
        self.register_buffer("image_pe", sam.image_pe())

    def forward(
        self,
        image_embedding: Tensor,
        visual_prompts: Tensor,
        points_xy: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Embed the prompts, decode all four masks."""
        encoder: Any = self.prompt_encoder
        points = embed_points(encoder, points_xy / self.image_size, point_labels)
        given = has_mask_input.reshape(-1, 1, 1, 1)
        without = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = given * encoder.mask_downscaling(mask_input) + (1 - given) * without
        decoded = decode_batch(
            self.mask_decoder,
            image_embedding,
            self.image_pe,
            torch.cat((visual_prompts, points), dim=1),
            dense,
        )
        return decoded.mask_logits, decoded.scores


def export_sam(sam: FrozenSAM, folder: Path, *, name: str, sha256: str) -> OnnxFiles:
    """Write the two graphs and ``onnx.json``, which says what they are of.

    Parameters
    ----------
    sam : FrozenSAM
        On the CPU.
    folder : Path
        Made if it does not exist.
    name : str
        Of the weights, for the description.
    sha256 : hexadecimal
        Of their file.

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    OutputError
        If a file cannot be written.
    """
    require_onnx()
    config = sam.config
    side, grid, dim = config.image_size, config.embedding_side, config.prompt_dim
    files = OnnxFiles(folder / ENCODER_NAME, folder / DECODER_NAME, folder / "onnx.json")
    sam = sam.eval()
    with graph_folder(folder):
        write_graph(
            EncoderGraph(sam),
            {"image": torch.zeros(1, 3, side, side)},
            ("image_embedding",),
            files.encoder,
        )
        write_graph(
            DecoderGraph(sam),
            {
                "image_embedding": torch.zeros(1, dim, grid, grid),
                "visual_prompts": torch.zeros(1, 2, dim),
                "points_xy": torch.zeros(1, 3, 2),
                "point_labels": torch.zeros(1, 3),
                "mask_input": torch.zeros(1, 1, 4 * grid, 4 * grid),
                "has_mask_input": torch.zeros(1),
            },
            ("mask_logits", "scores"),
            files.decoder,
            many={"visual_prompts": "prompts", "points_xy": "points", "point_labels": "points"},
        )
        write_description(
            files.description,
            weights=name,
            sha256=sha256,
            image_size=side,
            embedding=[1, dim, grid, grid],
            mask_logits=[1, 4, 4 * grid, 4 * grid],
            box_corner_labels=list(_BOX_CORNERS),
        )
    return files
