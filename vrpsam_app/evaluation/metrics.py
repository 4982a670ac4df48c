"""Agreement of a predicted mask with the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks.

    Parameters
    ----------
    found, truth : shape (H, W), bool

    Returns
    -------
    value : in [0, 1]
        1 where both are empty.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    if found.shape != truth.shape:
        raise ImageError(
            f"The masks have shapes {found.shape} and {truth.shape}: expected equal ones. "
            "Resize one to the other first."
        )
    union = np.count_nonzero(found | truth)
    return float(np.count_nonzero(found & truth) / union) if union else 1.0
