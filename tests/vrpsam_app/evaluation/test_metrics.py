from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import jaccard_score

from vrpsam_app.errors import ImageError
from vrpsam_app.evaluation.metrics import boundary_iou, iou, rim


def random_masks(seed: int, count: int = 3, hw: tuple[int, int] = (40, 50)) -> list[np.ndarray]:
    """Draw masks of smooth blobs, and of single pixels where the seed is odd."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, *hw))
    if seed % 2 == 0:
        noise = ndimage.gaussian_filter(noise, (0, 3, 3))
    return [n > np.quantile(n, rng.uniform(0.3, 0.9)) for n in noise]


def eroded(mask: np.ndarray, times: int) -> np.ndarray:
    return ndimage.binary_erosion(np.pad(mask, 1), np.ones((3, 3)), times)[1:-1, 1:-1]


@pytest.mark.parametrize("seed", range(8))
def test_iou_is_scikit_learns(seed: int):
    found, truth, ignore = random_masks(seed)
    assert iou(found, truth) == pytest.approx(jaccard_score(truth.ravel(), found.ravel()))
    expected = jaccard_score(truth[~ignore], found[~ignore])
    assert iou(found, truth, ignore) == pytest.approx(expected)


def test_iou_by_hand():
    found = np.array([[1, 1, 0, 0]], bool)
    truth = np.array([[0, 1, 1, 0]], bool)
    assert iou(found, truth) == 1 / 3
    assert iou(found, truth, np.array([[1, 0, 0, 0]], bool)) == 1 / 2
    assert iou(found, truth, np.array([[0, 1, 0, 0]], bool)) == 0


@pytest.mark.parametrize("measure", [iou, boundary_iou])
def test_where_nothing_is_to_be_found_nothing_is_right(measure):
    nothing, something = np.zeros((6, 7), bool), np.eye(6, 7, dtype=bool)
    assert measure(nothing, nothing) == 1
    assert measure(something, nothing) == 0
    assert measure(nothing, something) == 0
    assert measure(something, nothing, np.ones((6, 7), bool)) == 1


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_a_rim_is_what_erosion_takes(seed: int, width: int):
    (mask,) = random_masks(seed, 1)
    np.testing.assert_array_equal(rim(mask, width), mask & ~eroded(mask, width))


def test_the_border_of_the_picture_is_a_boundary():
    assert rim(np.ones((5, 6), bool), 1).sum() == 2 * 5 + 2 * 4


@pytest.mark.parametrize("seed", range(0, 8, 2))
def test_boundary_iou_is_the_iou_of_the_rims(seed: int):
    found, truth, ignore = random_masks(seed, hw=(90, 120))  # diagonal 150, rims of 3 pixels
    rims = [mask & ~eroded(mask, 3) for mask in (found, truth)]
    assert boundary_iou(found, truth) == pytest.approx(iou(*rims))
    assert boundary_iou(found, truth, ignore) == pytest.approx(iou(*rims, ignore))
    wide = [mask & ~eroded(mask, 15) for mask in (found, truth)]
    assert boundary_iou(found, truth, share=0.1) == pytest.approx(iou(*wide))


def test_a_large_inside_does_not_hide_a_wrong_outline():
    truth = np.zeros((200, 200), bool)
    truth[20:180, 20:180] = True
    found = np.zeros_like(truth)
    found[24:184, 24:184] = True
    assert iou(found, truth) > 0.9
    assert boundary_iou(found, truth) < 0.35


@pytest.mark.parametrize("measure", [iou, boundary_iou])
def test_other_sizes_are_refused(measure):
    small, large = np.zeros((3, 3), bool), np.zeros((3, 4), bool)
    with pytest.raises(ImageError, match=r"\(3, 3\) and \(3, 4\)"):
        measure(small, large)
    with pytest.raises(ImageError, match="expected equal"):
        measure(small, small, large)
