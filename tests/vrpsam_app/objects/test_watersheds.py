from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.errors import AnnotationError, ConfigError, ImageError
from vrpsam_app.objects.watersheds import grey_map, pieces_of, split_mask


def row_of_cells(count: int = 4, radius: int = 9, pitch: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask without necks, and a picture in which its cells are bright in their middle."""
    hw = (2 * radius + 9, pitch * count + 2 * radius)
    row, col = np.indices(hw)
    centres = [(radius + 4, radius + 4 + pitch * i) for i in range(count)]
    mask = np.zeros(hw, bool)
    mask[4:-4, 4 : centres[-1][1] + radius] = True
    light = sum(
        np.exp(-((row - r) ** 2 + (col - c) ** 2) / (0.4 * radius) ** 2) for r, c in centres
    )
    return mask, light


def test_a_bar_has_no_neck_but_bright_places():
    mask, light = row_of_cells()
    assert split_mask(mask, "distance", diameter=18).max() == 1
    labels = split_mask(mask, "intensity", diameter=18, image=light)
    assert labels.max() == 4
    assert np.array_equal(labels > 0, mask)
    sure = np.clip(0.5 + 0.5 * light, 0, 1)
    assert split_mask(mask, "probability", diameter=18, probability=sure).max() == 4


@pytest.mark.parametrize("scale", [1, 1000, -1, -0.001])
def test_neither_the_scale_nor_the_sign_of_the_picture_matters(scale):
    mask, light = row_of_cells()
    picture = 7 + scale * np.where(mask, 0.5 + light, 0.0)
    labels = split_mask(mask, "intensity", diameter=18, image=picture)
    assert labels.max() == 4


def test_colours_are_taken_as_grey():
    mask, light = row_of_cells()
    rgb = np.stack([light] * 3 + [np.ones_like(light)], axis=-1)
    expected = split_mask(mask, "intensity", diameter=18, image=light)
    assert np.array_equal(split_mask(mask, "intensity", diameter=18, image=rgb), expected)


def test_pieces_that_touch_at_a_corner_stay_apart():
    mask = np.zeros((12, 12), bool)
    mask[1:6, 1:6] = mask[6:11, 6:11] = True
    labels = split_mask(mask, "distance", diameter=5)
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert labels[3, 3] != labels[8, 8]
    assert split_mask(mask, "distance", diameter=5, diagonal=True).max() == 2


def test_no_piece_is_lost_however_small():
    rng = np.random.default_rng(0)
    for share in (0.3, 0.5, 0.7):
        mask = rng.random((40, 50)) < share
        labels = split_mask(mask, "distance", diameter=6)
        assert np.array_equal(labels > 0, mask)
        for number in range(1, labels.max() + 1):
            assert ndimage.label(labels == number)[1] == 1


def test_masks_that_cover_everything_or_nothing():
    full = np.ones((9, 9), bool)
    assert split_mask(full, "intensity", diameter=9, image=np.zeros((9, 9))).max() == 1
    assert split_mask(full, "distance", diameter=9).max() == 1
    assert split_mask(~full, "intensity", diameter=9).max() == 0


@pytest.mark.parametrize(
    ("method", "words"), [("intensity", "needs the image"), ("probability", "needs probabilities")]
)
def test_what_a_method_needs_must_be_given(method, words):
    with pytest.raises(ConfigError, match=words):
        split_mask(np.ones((4, 4), bool), method, diameter=3)


def test_maps_of_another_size_are_refused():
    with pytest.raises(AnnotationError, match="The image has 4 x 5 pixels"):
        split_mask(np.ones((4, 4), bool), "intensity", diameter=3, image=np.zeros((4, 5)))
    with pytest.raises(ImageError, match="expected \\(H, W\\) of numbers"):
        grey_map(np.zeros((4, 4, 7)), (4, 4), "The map")
    assert grey_map([[np.nan, 2]], (1, 2), "The map").tolist() == [[0, 2]]


@pytest.mark.parametrize("structure", [None, np.ones((3, 3), np.bool_)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_distances_piece_by_piece_are_those_of_the_whole(
    share: float, structure: np.ndarray | None
) -> None:
    drawn = np.random.default_rng(0).random((60, 80))
    mask = ndimage.gaussian_filter(drawn, 1.5)
    mask = mask > np.quantile(mask, 1 - share)
    distance = np.zeros(mask.shape)
    for window, inside in pieces_of(mask, structure):
        distance[window][inside] = ndimage.distance_transform_edt(inside)[inside]
    np.testing.assert_array_equal(distance, ndimage.distance_transform_edt(mask))
