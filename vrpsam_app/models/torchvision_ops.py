"""Import torchvision also where its compiled part does not fit the installed torch.

torchvision's Linux wheels on the package index are CUDA builds. Beside a CPU-only torch their
compiled library cannot be loaded; torchvision would go on without it, but the pure Python part
then describes the operators ``nms`` and ``qnms`` to torch, which has never heard of them, and the
import dies with ``operator torchvision::nms does not exist``. segment-anything and timm both
import torchvision, though what is used of them here needs none of its operators. Declaring the
two operators first lets the import pass; non-maximum suppression, which SAM's automatic mask
generation does call, gets a small implementation in torch.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

_MISSING = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def import_torchvision() -> ModuleType:
    """Import torchvision, standing in for its compiled operators where they are missing.

    Call this before the first import of segment_anything or timm. Where torchvision imports
    plainly nothing is changed.

    Returns
    -------
    torchvision : module

    Raises
    ------
    ImportError
        If torchvision is not installed.
    RuntimeError
        If it fails to import for any other reason than the missing operators.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
    _declare_operators()
    # The failed attempt leaves half-initialised submodules behind.
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    torchvision = importlib.import_module("torchvision")
    # torchvision.ops.nms refuses to run without the compiled library; its operator exists now.
    boxes = importlib.import_module("torchvision.ops.boxes")
    boxes._assert_has_ops = lambda: None  # type: ignore[attr-defined]
    return torchvision


def non_maximum_suppression(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Keep the best-scoring boxes, dropping each that overlaps a kept one too much.

    Parameters
    ----------
    dets : shape (N, 4), float
        Boxes as (x0, y0, x1, y1).
    scores : shape (N,), float
    iou_threshold : float
        A box is dropped if its intersection over union with a kept box is larger.

    Returns
    -------
    keep : shape (K,), int64
        Indices of the kept boxes, best score first; equal scores keep their order.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    boxes = dets[order].to(torch.float64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = torch.ones(len(boxes), dtype=torch.bool, device=dets.device)
    keep = []
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        keep.append(i)
        rest = boxes[i + 1 :]
        corner0 = torch.maximum(rest[:, :2], boxes[i, :2])
        corner1 = torch.minimum(rest[:, 2:], boxes[i, 2:])
        overlap = (corner1 - corner0).clamp(min=0).prod(dim=1)
        union = areas[i + 1 :] + areas[i] - overlap
        alive[i + 1 :] &= ~(overlap > iou_threshold * union)
    return order[torch.tensor(keep, dtype=torch.int64, device=dets.device)]


@cache
def _declare_operators() -> torch.library.Library:
    """Declare ``nms`` and ``qnms``; the library must stay referenced for them to live."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms" + _SCHEMA)
    library.define("qnms" + _SCHEMA)
    library.impl("nms", non_maximum_suppression, "CPU")
    return library
