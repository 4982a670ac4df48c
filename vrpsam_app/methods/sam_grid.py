"""Sizes of a picture on its way through SAM: as given, as SAM sees it, on the embedding's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.config import SAMConfig
from vrpsam_app.geometry import fit_within, resize_bilinear, resize_mask_area
from vrpsam_app.models import resize
from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN


@dataclass(frozen=True, slots=True)
class SAMGrid:
    """One picture in SAM's square: its longer side fills it, the rest is padded.

    Attributes
    ----------
    original_hw : of the picture
    input_hw : of the picture as SAM sees it
    side : of SAM's square
    stride : pixels of the square that a cell of the embedding covers, along each axis
    """

    original_hw: tuple[int, int]
    input_hw: tuple[int, int]
    side: int
    stride: int

    @classmethod
    def of(cls, original_hw: tuple[int, int], config: SAMConfig) -> SAMGrid:
        """Fit a picture into the square of a SAM."""
        side = config.image_size
        return cls(original_hw, fit_within(original_hw, side), side, config.embedding_stride)

    @property
    def cells_hw(self) -> tuple[int, int]:
        """Rows and columns of cells that hold anything of the picture."""
        return -(-self.input_hw[0] // self.stride), -(-self.input_hw[1] // self.stride)

    @property
    def scale_xy(self) -> NDArray[np.float64]:
        """Pixels of the square for one of the picture, (x, y)."""
        (height, width), (h, w) = self.original_hw, self.input_hw
        return np.array([w / width, h / height])

    def image(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Return the picture in the square, (1, 3, side, side), normalised, zero where padded."""
        small = resize_bilinear(rgb, self.input_hw)
        values = torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1)[None].float() / 255
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
        return self._padded((values - mean) / deviation)

    def coverage(self, mask: NDArray[np.bool_], finer: int = 1) -> Tensor:
        """Bring a mask of the picture to the cells: the share of each that is covered.

        Parameters
        ----------
        mask : shape `original_hw`
        finer : cells along each axis for one of the embedding, 4 for the decoder's output

        Returns
        -------
        cells : shape `finer` times `cells_hw`, float32 in [0, 1]
            At the picture's lower and right border a cell may reach beyond it, and is never full.
        """
        small = torch.from_numpy(resize_mask_area(mask, self.input_hw))[None, None]
        shares = F.avg_pool2d(self._padded(small), self.stride // finer)[0]
        return self.of_picture(shares)[0]

    def inside(self) -> Tensor:
        """Return which cells show the picture for the most part, shape `cells_hw`, bool."""
        shares = self.coverage(np.ones(self.original_hw, np.bool_))
        # A picture of a few rows fills no cell.
        return shares >= min(0.5, float(shares.max()))

    def cell_xy(self, row: int, col: int) -> NDArray[np.float32]:
        """Return the middle of a cell in pixels of the picture, (x, y), never outside of it."""
        middle = np.array([col + 0.5, row + 0.5]) * self.stride / self.scale_xy
        limit = np.array(self.original_hw[::-1]) - 0.5
        return np.minimum(middle, limit).astype(np.float32)

    def of_picture(self, logits: Tensor) -> Tensor:
        """Crop maps of the whole square to the cells that show the picture.

        Parameters
        ----------
        logits : shape (..., k * side / stride, k * side / stride)

        Returns
        -------
        cropped : shape (..., k * rows, k * columns) of `cells_hw`
        """
        finer = logits.shape[-1] * self.stride // self.side
        rows, cols = self.cells_hw
        return logits[..., : finer * rows, : finer * cols]

    def square_logits(self, logits: NDArray[np.floating], side: int) -> Tensor:
        """Bring logits of the picture's size to a grid over the whole square, (side, side)."""
        given = torch.from_numpy(np.ascontiguousarray(logits, np.float32))[None, None]
        small = resize.resize_bilinear(given, self.input_hw, align_corners=False)
        rows, cols = (self.side - n for n in small.shape[-2:])
        square = F.pad(small, (0, cols, 0, rows), value=float(small.min()))
        return resize.resize_bilinear(square, (side, side), align_corners=False)[0, 0]

    def resized(self, logits: Tensor, hw: tuple[int, int] | None = None) -> Tensor:
        """Bring maps of the whole square to the picture, as segment-anything does.

        Parameters
        ----------
        logits : shape (B, M, h, w), float
            On any grid over the square.
        hw : optional
            Size wanted, the picture's own by default.

        Returns
        -------
        resized : shape (B, M, *hw)
        """
        square = resize.resize_bilinear(logits, (self.side, self.side), align_corners=False)
        picture = square[..., : self.input_hw[0], : self.input_hw[1]]
        return resize.resize_bilinear(picture, hw or self.original_hw, align_corners=False)

    def _padded(self, maps: Tensor) -> Tensor:
        rows, cols = self.side - maps.shape[-2], self.side - maps.shape[-1]
        return F.pad(maps, (0, cols, 0, rows))
