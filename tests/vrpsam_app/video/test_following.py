from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.video.following import FORGOTTEN, Following
from vrpsam_app.video.tracks import COASTING, Grid, Track, centre_of, shifted

HW = (60, 80)


def square(row: int, col: int, side: int = 10) -> NDArray[np.bool_]:
    mask = np.zeros(HW, bool)
    mask[max(row, 0) : row + side, max(col, 0) : col + side] = True
    return mask


def sure(value: float = 0.9) -> NDArray[np.float32]:
    return np.full(HW, value, np.float32)


def test_shifted_masks_lose_what_leaves():
    mask = square(5, 5)
    assert np.array_equal(shifted(mask, (3, -2)), square(8, 3))
    assert shifted(mask, (-10, 0)).sum() == 50
    assert not shifted(mask, (0, 200)).any()


def test_a_track_learns_how_fast_it_goes():
    track = Track.begin("a", square(20, 0))
    for step in range(1, 8):
        track.see(square(20, 4 * step), alone=True)
    assert abs(track.velocity[1] - 4) < 0.1
    expected = centre_of(track.expected())
    assert abs(expected[1] - centre_of(square(20, 32))[1]) <= 1
    track.miss()
    assert centre_of(track.expected())[1] > expected[1] + 3
    assert track.reach > Track.begin("a", square(20, 0)).reach


def test_a_hidden_part_changes_neither_speed_nor_size():
    track = Track.begin("a", square(20, 0))
    track.see(square(20, 4), alone=True)
    speed, area = track.velocity, track.area
    half = square(20, 8)
    half[:, 12:] = False
    track.see(half, alone=True)
    assert (track.velocity, track.area) == (speed, area)
    assert not track.is_whole(half.sum())


def test_specks_are_nobody():
    following = Following()
    following.begin({"a": square(10, 10)}, square(10, 10) | square(40, 40, 1))
    assert len(following.tracks) == 1
    following.begin({"a": square(10, 10)}, square(10, 10) | square(40, 40))
    assert [t.label for t in following.tracks] == ["a", None]


def test_look_alikes_that_are_gone_are_forgotten():
    following = Following()
    following.begin({"a": square(10, 10)}, square(10, 10) | square(40, 40))
    for _ in range(FORGOTTEN + 2):
        following.step(square(10, 10), sure())
    assert [t.label for t in following.tracks] == ["a"]


def test_a_small_piece_in_the_middle_is_not_one_that_comes_back():
    following = Following()
    following.begin({"a": square(10, 60)}, square(10, 60))
    for _ in range(COASTING + 2):
        following.step(np.zeros(HW, bool), sure())
    assert not following.step(square(40, 20, 4), sure())["a"].any()
    # It was coming out from behind something: larger, it is the object.
    assert following.step(square(40, 20, 8), sure())["a"].any()


def test_of_two_that_come_back_the_surer_one():
    following = Following()
    following.begin({"a": square(10, 60)}, square(10, 60))
    for _ in range(COASTING + 2):
        following.step(np.zeros(HW, bool), sure())
    quality = sure(0.6)
    quality[square(45, 5)] = 0.95
    found = following.step(square(45, 5) | square(45, 60), quality)
    assert np.array_equal(found["a"], square(45, 5))


def test_an_object_in_two_pieces_behind_a_pole():
    following = Following()
    following.begin({"a": square(20, 20, 16)}, square(20, 20, 16))
    parted = square(20, 22, 16)
    parted[:, 29:32] = False
    assert np.array_equal(following.step(parted, sure())["a"], parted)


def test_grids_lose_no_pixel():
    grid = Grid.of((500, 701))
    assert grid.step == 3
    mask = np.zeros((500, 701), bool)
    mask[499, 700] = mask[0, 350] = True
    cells = grid.coarse(mask)
    assert cells.shape == (167, 234)
    assert cells.sum() == 2
    assert (grid.fine(cells) & mask).sum() == 2
    assert grid.fine(cells).shape == mask.shape
    assert grid.strongest(mask.astype(np.float32)).sum() == 2
