"""From a picture of any size to the model's input, and from the model's output back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.config import ModelConfig
from vrpsam_app.geometry import resize_bilinear, resize_mask_area
from vrpsam_app.models import resize
from vrpsam_app.references import Reference

MAX_ENLARGEMENT = 4.0
"""Small pictures are enlarged at most this much: beyond it there is nothing more to see."""


@dataclass(frozen=True, slots=True)
class InputGeometry:
    """Sizes of one picture: as given, and as the model sees it.

    Attributes
    ----------
    original_hw, input_hw : (rows, columns)
    """

    original_hw: tuple[int, int]
    input_hw: tuple[int, int]

    @classmethod
    def of(cls, original_hw: tuple[int, int], config: ModelConfig) -> InputGeometry:
        """Fit a picture into the model's input.

        ``squash`` makes it square (published code); ``longest_side`` keeps the aspect up to the
        rounding of each side to the encoder's coarsest stride.
        """
        side = config.sam.image_size
        if config.resize == "squash":
            side = config.vrp_encoder.image_size
            return cls(original_hw, (side, side))
        scale = min(side / max(original_hw), MAX_ENLARGEMENT)
        stride = 4 * config.sam.embedding_stride
        h, w = (max(stride, round(n * scale / stride) * stride) for n in original_hw)
        return cls(original_hw, (h, w))

    def image(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Return the picture as (1, 3, h, w) float in [0, 1]."""
        small = resize_bilinear(rgb, self.input_hw)
        return torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1)[None].float() / 255

    def marks(self, reference: Reference) -> Tensor:
        """Return a reference's marks as (1, 3, h, w): object, certain and weak background."""
        background = reference.known_background()
        maps = [
            resize_mask_area(m, self.input_hw)
            for m in (reference.positive, background.certain, background.weak)
        ]
        return torch.from_numpy(np.stack(maps))[None]

    def points(self, points_xy: NDArray[np.float32]) -> Tensor:
        """Scale (x, y) coordinates of the picture to the input, shape (1, N, 2)."""
        (height, width), (h, w) = self.original_hw, self.input_hw
        scale = np.array([w / width, h / height], np.float32)
        return torch.from_numpy(points_xy * scale)[None]

    def mask_logits(self, logits: NDArray[np.floating], output_hw: tuple[int, int]) -> Tensor:
        """Bring logits of the picture's size to the decoder's output grid, (1, 1, h, w)."""
        tensor = torch.from_numpy(np.ascontiguousarray(logits, np.float32))[None, None]
        return resize.resize_bilinear(tensor, output_hw, align_corners=False)

    def to_original(self, mask_logits: Tensor, *, align_corners: bool) -> NDArray[np.float32]:
        """Bring decoder logits (1, 1, h', w') to the picture's size, (H, W).

        With `align_corners` the logits first go to the input's size as in the published code.
        """
        if align_corners:
            mask_logits = resize.resize_bilinear(mask_logits, self.input_hw, align_corners=True)
        full = resize.resize_bilinear(mask_logits, self.original_hw, align_corners=False)
        logits: NDArray[np.float32] = full[0, 0].float().cpu().numpy()
        return logits
