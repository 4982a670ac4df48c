from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.paper_marks import EVALUATION_STROKES, MAX_POINTS, paper_marks


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((128, 128), bool)
    mask[30:90, 40:110] = True
    mask[50:60, 60:80] = False
    return mask


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ["point", "scribble", "mask"])
def test_marks_lie_on_the_object(mask, kind, training):
    for seed in range(5):
        marks = paper_marks(np.random.default_rng(seed), kind, mask, training=training)
        assert marks.any()
        assert not (marks & ~mask).any()


def test_a_box_is_tight_and_filled(mask):
    marks = paper_marks(np.random.default_rng(0), "box", mask, training=False)
    expected = np.zeros_like(mask)
    expected[30:90, 40:110] = True
    assert (marks == expected).all()


def test_points_are_single_pixels_as_many_as_there_are(mask):
    def count(small: np.ndarray, training: bool, seed: int = 0) -> int:
        rng = np.random.default_rng(seed)
        return int(paper_marks(rng, "point", small, training=training).sum())

    few = np.zeros((9, 9), bool)
    few[4, 2:5] = True
    assert count(mask, False) == MAX_POINTS
    assert count(few, False) == 3
    assert {count(few, True, seed) for seed in range(30)} == {1, 2, 3}


def test_evaluation_strokes_cover_a_good_part(mask):
    assert EVALUATION_STROKES == 9
    marks = paper_marks(np.random.default_rng(0), "scribble", mask, training=False)
    assert 0.1 < marks.sum() / mask.sum() < 0.95


@pytest.mark.parametrize("kind", ["point", "scribble", "box", "mask"])
def test_an_object_of_one_pixel_is_marked(kind):
    mask = np.zeros((30, 30), bool)
    mask[0, 29] = True
    assert paper_marks(np.random.default_rng(1), kind, mask, training=True)[0, 29]


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="mask is empty"):
        paper_marks(np.random.default_rng(0), "point", np.zeros((4, 4), bool), training=True)
