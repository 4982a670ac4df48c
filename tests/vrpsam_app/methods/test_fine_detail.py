"""The whole picture and its parts, shown larger, have one answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line

from vrpsam_app.annotations import Mask
from vrpsam_app.methods.fine_detail import FineDetail
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference


def fibres(seed: int, side: int = 512) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw fibres two pixels wide on uneven ground, and where they are."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((side, side), np.bool_)
    for _ in range(40):
        at, angle = rng.uniform(0, side, 2), rng.uniform(0, 2 * np.pi)
        for _ in range(12):
            angle += rng.normal(0, 0.35)
            to = at + 22 * np.array([np.sin(angle), np.cos(angle)])
            rows, cols = line(*at.astype(int), *to.astype(int))
            inside = (rows >= 0) & (rows < side - 1) & (cols >= 0) & (cols < side - 1)
            for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
                mask[rows[inside] + down, cols[inside] + right] = True
            at = to
    ground = ndimage.gaussian_filter(rng.normal(0, 1, mask.shape), 30)
    ground = 40 * ground / np.abs(ground).max()
    grey = 110 + ground - 28 * ndimage.gaussian_filter(mask.astype(float), 0.8)
    grey += rng.normal(0, 9, mask.shape)
    return grey.clip(0, 255).astype(np.uint8), mask


@pytest.fixture(scope="module")
def predictor() -> VRPSAMPredictor:
    return VRPSAMPredictor.from_pretrained(device="cpu")


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def test_thin_things_are_found_better(predictor):
    (shown, marked), (target, truth) = fibres(1), fibres(2)
    reference = Reference.from_annotations(shown, [Mask(marked)], exhaustive=True)
    whole = predictor.predict(target, reference)
    fine = FineDetail(predictor).predict(target, reference)
    assert iou(fine.mask, truth) > iou(whole.mask, truth) + 0.02
    assert fine.score == whole.score
    assert fine.made_by["method"] == "fine_detail"
