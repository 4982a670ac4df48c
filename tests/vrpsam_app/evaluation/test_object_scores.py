from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label, regionprops
from sklearn.metrics import jaccard_score

from vrpsam_app.errors import ImageError
from vrpsam_app.evaluation.object_scores import ObjectScores, object_scores


def blocks(*corners: tuple[int, int, int, int], hw: tuple[int, int] = (20, 30)) -> np.ndarray:
    """Number blocks (top, left, bottom, right)."""
    drawn = np.zeros(hw, np.int32)
    for number, (top, left, bottom, right) in enumerate(corners, start=1):
        drawn[top:bottom, left:right] = number
    return drawn


TRUTH = blocks((2, 2, 8, 8), (2, 12, 8, 18), (12, 2, 18, 8))


def test_perfect_and_nothing():
    assert object_scores(TRUTH > 0, TRUTH) == ObjectScores(3, 3, 3)
    nothing = np.zeros_like(TRUTH)
    assert object_scores(nothing > 0, TRUTH) == ObjectScores(0, 0, 3)
    assert object_scores(TRUTH > 0, nothing) == ObjectScores(0, 3, 0)
    assert object_scores(nothing > 0, nothing) == ObjectScores(0, 0, 0)


def test_figures_by_hand():
    scores = ObjectScores(matched=2, found=3, true=5)
    assert scores.f1 == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))
    assert scores.count_error == -2
    assert ObjectScores(0, 0, 0).f1 == 1
    assert ObjectScores(0, 4, 0).f1 == 0


@pytest.mark.parametrize(("columns", "matched"), [(4, 1), (3, 0), (2, 0)])
def test_an_object_is_found_by_more_than_half(columns: int, matched: int):
    truth = blocks((0, 0, 6, 6))
    assert object_scores(blocks((0, 0, 6, columns)) > 0, truth).matched == matched


def test_two_merged_objects_are_one_that_matches_none():
    merged = blocks((2, 2, 8, 18)) > 0
    assert object_scores(merged, TRUTH) == ObjectScores(0, 1, 3)


def test_parts_that_touch_at_a_corner_are_two():
    assert object_scores(blocks((0, 0, 3, 3), (3, 3, 6, 6)) > 0, TRUTH).found == 2


def test_numbers_may_have_gaps_and_an_object_two_pieces():
    truth = np.where(TRUTH == 3, 1, TRUTH * 100)
    assert object_scores(TRUTH > 0, truth).true == 3
    cut = TRUTH.copy()
    cut[cut == 2] = 1
    # The two pieces are one object now, and neither is more than half of it.
    assert object_scores(TRUTH > 0, cut) == ObjectScores(1, 3, 2)


def test_objects_mostly_ignored_are_left_out():
    ignore = np.zeros(TRUTH.shape, bool)
    ignore[:, 15:] = True  # half of the second object: it stays, and its seen half matches
    assert object_scores(TRUTH > 0, TRUTH, ignore) == ObjectScores(3, 3, 3)
    ignore[:, 14:] = True
    assert object_scores(TRUTH > 0, TRUTH, ignore) == ObjectScores(2, 2, 2)
    everywhere = np.ones_like(ignore)
    assert object_scores(TRUTH > 0, TRUTH, everywhere) == ObjectScores(0, 0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_random_objects_agree_with_a_plain_count(seed: int):
    rng = np.random.default_rng(seed)
    truth = label(rng.random((25, 25)) < 0.45, connectivity=1)
    found = (truth > 0) ^ (rng.random((25, 25)) < 0.12)
    parts = label(found, connectivity=1)
    matched = sum(
        jaccard_score((truth == t.label).ravel(), (parts == p.label).ravel()) > 0.5
        for t in regionprops(truth)
        for p in regionprops(parts)
        if (parts[truth == t.label] == p.label).any()
    )
    assert matched
    assert object_scores(found, truth) == ObjectScores(matched, parts.max(), truth.max())


def test_other_sizes_are_refused():
    with pytest.raises(ImageError, match="expected equal"):
        object_scores(np.zeros((3, 3), bool), TRUTH)
