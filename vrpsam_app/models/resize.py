"""The only torch code that resizes: pictures and logits by interpolation, masks by area."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

MaskPooling = Literal["nearest", "area"]


def resize_bilinear(maps: Tensor, hw: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Resize maps bilinearly, without antialiasing.

    Parameters
    ----------
    maps : shape (B, C, H, W), float
    hw : (h, w)
        Size wanted, rows and columns.
    align_corners : bool
        True as in the published VRP-SAM code, False as in segment-anything's post-processing: the
        two place pixels differently and must not be mixed.

    Returns
    -------
    resized : shape (B, C, h, w)
        `maps` itself if the size is right already.
    """
    if maps.shape[-2:] == hw:
        return maps
    return functional.interpolate(maps, size=hw, mode="bilinear", align_corners=align_corners)


def pool_mask(mask: Tensor, hw: tuple[int, int], pooling: MaskPooling = "area") -> Tensor:
    """Bring a mask to a feature grid.

    Parameters
    ----------
    mask : shape (B, 1, H, W), float in [0, 1]
    hw : (h, w)
        The grid, rows and columns.
    pooling : {"area", "nearest"}
        ``area`` gives each cell the share of it that is covered, so that no mark can vanish
        however small; ``nearest`` samples one pixel a cell as the published code does, and loses
        what lies between the samples.

    Returns
    -------
    cells : shape (B, 1, h, w)
    """
    if mask.shape[-2:] == hw:
        return mask
    if pooling == "nearest":
        return functional.interpolate(mask, size=hw, mode="nearest")
    return functional.adaptive_avg_pool2d(mask, hw)
