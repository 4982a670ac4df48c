from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vrpsam_app.cutouts import CutoutOptions, cut_out
from vrpsam_app.errors import ConfigError, ImageError

RED, BLUE = (200, 30, 30), (20, 40, 220)


def scene() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Two red discs on blue, the larger one number 2."""
    rows, cols = np.indices((80, 120))
    labels = np.zeros((80, 120), np.int32)
    labels[(rows - 30) ** 2 + (cols - 25) ** 2 < 12**2] = 1
    labels[(rows - 45) ** 2 + (cols - 80) ** 2 < 25**2] = 2
    image = np.where(labels[..., None] > 0, RED, BLUE).astype(np.uint8)
    return image, labels


def test_each_object_becomes_one_cutout_around_itself():
    image, labels = scene()
    small, large = cut_out(image, labels, options=CutoutOptions(margin=0.1))
    assert (small.label, large.label) == (1, 2)
    assert small.pixels == (labels == 1).sum()
    top, left, bottom, right = large.box
    assert small.rgba.shape[0] < large.rgba.shape[0]
    assert large.rgba.shape == (bottom - top, right - left, 4)
    assert top < 21
    assert bottom > 69
    assert left < 56
    assert right > 104


def test_opaque_where_the_object_is_and_nothing_beside_it():
    image, labels = scene()
    cut = cut_out(image, labels == 2, options=CutoutOptions(crop=False))[0]
    alpha = cut.rgba[..., 3]
    assert cut.rgba.shape == (80, 120, 4)
    assert alpha[45, 80] == 255
    assert alpha[5, 5] == 0
    assert ((alpha > 0) & (alpha < 255)).sum() > 50  # a soft edge
    assert abs(int((alpha / 255).sum()) - (labels == 2).sum()) < 30  # which adds no area


def test_no_colour_of_the_background_is_left():
    image, labels = scene()
    for size in (None, 37, 150):
        rgba = cut_out(image, labels == 2, options=CutoutOptions(square=True, size=size))[0].rgba
        shown = rgba[rgba[..., 3] > 0][:, :3]
        assert np.abs(shown.astype(int) - RED).max() <= 2
        assert (rgba[rgba[..., 3] == 0][:, :3] == 255).all()


def test_hidden_colour_is_that_of_the_options():
    image, labels = scene()
    rgba = cut_out(image, labels == 1, options=CutoutOptions(hidden=(0, 7, 9)))[0].rgba
    assert (rgba[rgba[..., 3] == 0][:, :3] == (0, 7, 9)).all()


@pytest.mark.parametrize(
    ("crop", "square", "expected"),
    [(True, True, (64, 64)), (False, True, (64, 64)), (False, False, (43, 64))],
)
def test_size_is_of_the_longer_side(crop: bool, square: bool, expected: tuple[int, int]):
    image, labels = scene()
    options = CutoutOptions(crop=crop, square=square, size=64)
    assert cut_out(image, labels == 2, options=options)[0].rgba.shape[:2] == expected


def test_square_keeps_the_object_in_the_middle_even_beyond_the_picture():
    image = np.full((40, 200, 3), RED, np.uint8)
    mask = np.zeros((40, 200), bool)
    mask[:, 20:180] = True
    cut = cut_out(image, mask, options=CutoutOptions(square=True, margin=0))[0]
    assert cut.rgba.shape[0] == cut.rgba.shape[1]
    rows = np.flatnonzero((cut.rgba[..., 3] > 0).any(1))
    assert abs((rows[0] + rows[-1] + 1) / 2 - cut.rgba.shape[0] / 2) <= 1


def test_together_and_largest():
    image, labels = scene()
    (both,) = cut_out(image, labels, options=CutoutOptions(which="together"))
    assert both.label == 0
    assert both.pixels == (labels > 0).sum()
    (largest,) = cut_out(image, labels, options=CutoutOptions(which="largest"))
    assert largest.label == 2


def test_edge_follows_the_probability_and_the_inside_stays_opaque():
    image, labels = scene()
    mask = labels == 2
    probability = np.where(mask, 0.55, 0.45).astype(np.float32)
    alpha = cut_out(image, mask, probability=probability, options=CutoutOptions(crop=False))[
        0
    ].rgba[..., 3]
    assert alpha[45, 80] == 255  # unsure, but far from the edge
    assert alpha[5, 5] == 0
    edge = (alpha > 0) & (alpha < 255)
    assert edge.any()
    assert set(np.unique(alpha[edge & mask])) == {153}  # 0.5 + 0.05 / 0.5
    assert set(np.unique(alpha[edge & ~mask])) == {102}


def test_hard_edge():
    image, labels = scene()
    alpha = cut_out(image, labels == 2, options=CutoutOptions(soft=False, crop=False))[0].rgba[
        ..., 3
    ]
    assert np.array_equal(alpha == 255, labels == 2)
    assert set(np.unique(alpha)) == {0, 255}


def test_neighbours_do_not_show():
    image, labels = np.zeros((20, 40, 3), np.uint8), np.ones((20, 40), np.int32)
    labels[:, 20:] = 2
    image[:, 20:] = 255
    left = cut_out(image, labels, options=CutoutOptions(crop=False, margin=0))[0].rgba
    assert (left[:, 20:, 3] == 0).all()
    assert (left[..., :3][left[..., 3] > 0] == 0).all()


def test_crumbs_and_pinholes_go_unless_they_are_wanted():
    image, labels = scene()
    mask = labels == 2
    mask[45, 80] = False
    mask[2, 2] = True
    plain = CutoutOptions(crop=False, soft=False)
    alpha = cut_out(image, mask, options=plain)[0].rgba[..., 3]
    assert alpha[45, 80] == 255
    assert alpha[2, 2] == 0
    alpha = cut_out(image, mask, options=CutoutOptions(crop=False, soft=False, tidy=False))[0].rgba[
        ..., 3
    ]
    assert alpha[45, 80] == 0
    assert alpha[2, 2] == 255


def test_another_object_in_a_hole_is_no_pinhole():
    image, labels = scene()
    labels[45, 80] = 3
    alpha = cut_out(image, labels, options=CutoutOptions(crop=False, soft=False))[1].rgba[..., 3]
    assert alpha[45, 80] == 0


def test_what_is_too_small_is_left_out():
    image, labels = scene()
    assert len(cut_out(image, labels, options=CutoutOptions(smallest=1000))) == 1
    assert cut_out(image, np.zeros((80, 120), bool)) == ()


def test_sixteen_bits_are_shown_by_the_range():
    _, labels = scene()
    image = np.where(labels > 0, 40_000, 100).astype(np.uint16)
    rgba = cut_out(image, labels == 2)[0].rgba
    assert (rgba[rgba[..., 3] == 255][:, :3] == 255).all()


def test_the_picture_is_not_changed():
    image, labels = scene()
    before = image.copy()
    cut_out(image, labels)
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "options",
    [
        {"which": "some"},
        {"margin": -0.1},
        {"size": 0},
        {"size": 20_000},
        {"smallest": 0},
        {"hidden": (0, 0, 256)},
    ],
)
def test_senseless_options_are_refused(options: dict):
    with pytest.raises(ConfigError, match="expected"):
        CutoutOptions(**options)


def test_wrong_sizes_are_refused():
    image, labels = scene()
    with pytest.raises(ImageError, match="80 x 120"):
        cut_out(image, labels[:40])
    with pytest.raises(ImageError, match="booleans or integers"):
        cut_out(image, labels.astype(float))
    with pytest.raises(ImageError, match="probability"):
        cut_out(image, labels, probability=np.zeros((2, 2)))
