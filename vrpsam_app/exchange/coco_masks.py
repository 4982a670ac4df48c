"""COCO's polygons and run lengths as masks, and back: the one place that knows pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError, MissingExtraError
from vrpsam_app.exchange.outlines import Patch


def require_pycocotools() -> None:
    """Make sure that COCO's masks can be read and written.

    Raises
    ------
    MissingExtraError
        If pycocotools is not installed.
    """
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "COCO's annotations need pycocotools, which is not installed. Run: "
            'pip install "vrpsam-app[objects]".'
        ) from error


def decode_segmentation(segmentation: object, hw: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """Turn the segmentation of one annotation into a mask.

    Parameters
    ----------
    segmentation : a list of polygons ``[x0, y0, x1, y1, ...]``, or an object with ``size`` and
        ``counts``, run lengths as numbers (crowds) or compressed as text
    hw : height and width of the picture
    where : which annotation it is, for messages

    Returns
    -------
    mask : shape hw, bool

    Raises
    ------
    ImageError
        If the segmentation is none of these, or of another size.
    MissingExtraError
        If pycocotools is not installed.
    """
    require_pycocotools()
    from pycocotools import mask as coco

    height, width = hw
    try:
        runs: Any
        if isinstance(segmentation, list):
            runs = coco.merge(coco.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation, dict) and isinstance(segmentation["counts"], list):
            runs = coco.frPyObjects(segmentation, height, width)
        else:
            runs = segmentation
        mask: NDArray[np.bool_] = coco.decode(runs).astype(np.bool_)
    except Exception as error:  # its C code raises whatever it stumbles over
        raise ImageError(
            f"{where} has a segmentation that cannot be read ({error}): expected polygons or run "
            "lengths. Use a whole copy of COCO's annotations."
        ) from error
    if mask.shape != hw:
        raise ImageError(
            f"{where} has a mask of shape {mask.shape}, its picture is {hw}: use the annotations "
            "of the same release as the pictures."
        )
    return mask


def encode_runs(patch: Patch, hw: tuple[int, int]) -> dict[str, Any]:
    """Return COCO's compressed run lengths of a mask.

    Parameters
    ----------
    patch : Patch
        Within the picture.
    hw : height and width of the picture

    Returns
    -------
    segmentation : ``{"size": [height, width], "counts": text}``
    """
    require_pycocotools()
    from pycocotools import mask as coco

    height, width = hw
    # Runs go down the columns; only those of the window are looked at, not the whole picture.
    cols, rows = np.nonzero(patch.mask.T)
    places = (cols + patch.left).astype(np.int64) * height + rows + patch.top
    breaks = np.flatnonzero(np.diff(places) > 1)
    starts = places[np.concatenate([[0], breaks + 1])]
    stops = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    edges = np.stack([starts, stops], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], edges, [height * width]])).tolist()
    packed = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": packed["counts"].decode("ascii")}
