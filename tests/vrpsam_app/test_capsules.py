import numpy as np
import pytest

from vrpsam_app import capsules
from vrpsam_app.capsules import paint_capsules, reaches_image


def distance_to_segment(hw, a, b):
    row, col = np.indices(hw) + 0.5
    along = b - a
    length = (along**2).sum()
    share = ((row - a[0]) * along[0] + (col - a[1]) * along[1]) / length if length else 0.0
    share = np.clip(share, 0, 1)
    return np.hypot(row - a[0] - share * along[0], col - a[1] - share * along[1])


@pytest.mark.parametrize("seed", range(60))
def test_drawing_agrees_with_the_distance_of_every_pixel(seed):
    rng = np.random.default_rng(seed)
    hw = tuple(int(n) for n in rng.integers(1, 30, 2))
    count = int(rng.integers(1, 6))
    start, end = rng.uniform(-12, 40, (2, count, 2))
    if seed % 3 == 0:  # corners and centres of pixels, upright and level segments, discs
        start, end = np.round(start * 2) / 2, np.round(end * 2) / 2
        end[:, seed % 2] = start[:, seed % 2]
        end[0] = start[0]
    radius = rng.choice([0.5, 1.0, 3.3, 15.0], count)
    painted = paint_capsules(hw, start, end, radius)
    excess = np.min(
        [distance_to_segment(hw, *ends) - r for *ends, r in zip(start, end, radius, strict=True)],
        axis=0,
    )
    clear = np.abs(excess) > 1e-7
    assert np.array_equal(painted[clear], excess[clear] < 0)


def test_a_pixel_centre_exactly_on_the_rim_is_inside():
    painted = paint_capsules(
        (1, 5), np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]), np.array([3.0])
    )
    assert painted.tolist() == [[True, True, True, True, False]]


def test_splitting_into_chunks_changes_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    start, end = rng.uniform(0, 40, (2, 50, 2))
    radius = rng.uniform(0.5, 5, 50)
    at_once = paint_capsules((40, 40), start, end, radius)
    monkeypatch.setattr(capsules, "_ROWS_PER_CHUNK", 7)
    assert np.array_equal(paint_capsules((40, 40), start, end, radius), at_once)
    assert 0 < at_once.sum() < at_once.size


@pytest.mark.parametrize(
    ("start", "end", "reaches"),
    [
        ((5, 5), (5, 5), True),
        ((-3, -3), (-3, -3), False),  # 4.2 from the corner
        ((-3, 5), (-3, 5), True),
        ((-3.1, 5), (-3.1, 5), False),
        ((-50, 5), (50, 5), True),  # both ends outside, the middle inside
        ((-50, 14), (50, 14), False),
        ((5, -50), (5, -4), False),
        ((0, 1e-320), (0, 0), True),
    ],
)
def test_whether_a_capsule_of_radius_three_reaches_ten_by_ten_pixels(start, end, reaches):
    ends = np.array([start], float), np.array([end], float)
    assert reaches_image((10, 10), *ends, np.array([3.0])).tolist() == [reaches]


def test_no_capsules_draw_nothing():
    nothing = np.empty((0, 2))
    assert not paint_capsules((3, 4), nothing, nothing, np.empty(0)).any()
