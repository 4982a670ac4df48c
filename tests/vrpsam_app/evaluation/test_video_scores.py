from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.morphology import dilation, disk

from vrpsam_app.errors import ImageError
from vrpsam_app.evaluation.video_scores import (
    MeasureOverTime,
    ObjectScorer,
    VideoScores,
    contour,
    contour_accuracy,
)

Mask = NDArray[np.bool_]


def blob(seed: int, hw: tuple[int, int] = (60, 90)) -> Mask:
    """A few overlapping discs, some of which touch the border."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices(hw)
    mask = np.zeros(hw, bool)
    for _ in range(4):
        row, col, radius = rng.uniform(0, hw[0]), rng.uniform(0, hw[1]), rng.uniform(4, 16)
        mask |= (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    return mask


def outline_by_loops(mask: Mask) -> Mask:
    """Compare each pixel with its neighbours, one by one."""
    height, width = mask.shape
    edge = np.zeros_like(mask)
    for row in range(height):
        for col in range(width):
            below, right = row + 1 < height, col + 1 < width
            edge[row, col] = (
                (right and mask[row, col] != mask[row, col + 1])
                or (below and mask[row, col] != mask[row + 1, col])
                or (below and right and mask[row, col] != mask[row + 1, col + 1])
            )
    return edge


def accuracy_by_dilation(found: Mask, truth: Mask, share: float = 0.008) -> float:
    """The same measure by growing contours with a disc, as it is defined."""
    reach = int(np.ceil(share * np.linalg.norm(truth.shape)))
    own, true = outline_by_loops(found), outline_by_loops(truth)
    precision = (own & dilation(true, disk(reach))).sum() / own.sum()
    recall = (true & dilation(own, disk(reach))).sum() / true.sum()
    return float(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("seed", range(5))
def test_contour_accuracy_agrees_with_its_definition(seed: int):
    truth = blob(seed)
    found = np.roll(truth, (seed % 3, 2), (0, 1)) | blob(seed + 50)
    for share in (0.008, 0.03):
        expected = accuracy_by_dilation(found, truth, share)
        assert contour_accuracy(found, truth, share=share) == pytest.approx(expected, abs=1e-12)
    assert 0 < accuracy_by_dilation(found, truth) < 1


def test_contour_of_every_pixel():
    for seed in range(3):
        assert np.array_equal(contour(blob(seed)), outline_by_loops(blob(seed)))


def test_empty_masks():
    nothing, something = np.zeros((20, 20), bool), blob(0, (20, 20))
    assert contour_accuracy(nothing, nothing) == 1
    assert contour_accuracy(nothing, something) == 0
    assert contour_accuracy(something, nothing) == 0
    assert contour_accuracy(something, something) == 1


def test_ignored_pixels_count_as_background_in_both():
    truth, found = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    truth[10:20, 10:20] = found[10:20, 10:20] = True
    found[30:36, 30:36] = True
    ignored = np.zeros((40, 40), bool)
    ignored[28:, 28:] = True
    assert contour_accuracy(found, truth) < 1
    assert contour_accuracy(found, truth, ignored) == 1


def test_sizes_must_agree():
    with pytest.raises(ImageError, match="shapes"):
        contour_accuracy(np.zeros((4, 4), bool), np.zeros((4, 5), bool))


def test_mean_recall_and_decay_over_quarters():
    values = [1.0] * 5 + [0.8] * 5 + [0.6] * 5 + [0.2] * 5
    measured = MeasureOverTime.of(values)
    assert measured.mean == pytest.approx(0.65)
    assert measured.recall == 0.75
    # Quarters share their borders: frames 1 to 6, and 15 to 20.
    first, last = np.mean(values[0:6]), np.mean(values[14:20])
    assert measured.decay == pytest.approx(first - last)
    with pytest.raises(ImageError, match="No frame"):
        MeasureOverTime.of([])


def test_objects_of_a_film_are_scored_apart():
    truth = np.zeros((30, 30), int)
    truth[5:15, 5:15], truth[18:28, 18:28] = 1, 2
    half = truth.copy()
    half[18:28, 23:28] = 0
    scorer = ObjectScorer("film", {1: "left", 2: "right"})
    scorer.add(truth, truth)
    scorer.add(half, truth)
    left, right = scorer.scores()
    assert (left.film, left.label, left.both) == ("film", "left", 1.0)
    assert right.region.mean == pytest.approx(0.75)
    assert 0.5 < right.contour.mean < 1
    together = VideoScores.of([left, right])
    assert together.objects == 2
    assert together.region_mean == pytest.approx(0.875)
    assert together.both == pytest.approx((left.both + right.both) / 2)
    with pytest.raises(ImageError, match="No object"):
        VideoScores.of([])
