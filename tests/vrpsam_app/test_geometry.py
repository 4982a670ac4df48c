import numpy as np
import pytest

from vrpsam_app.errors import ImageError
from vrpsam_app.geometry import fit_within, reduce_by, resize_bilinear, resize_mask_area, swap_xy


def test_area_pooling_by_a_whole_factor_is_the_mean():
    mask = np.random.default_rng(0).random((24, 32)) > 0.5
    expected = mask.reshape(3, 8, 4, 8).mean(axis=(1, 3))
    assert np.allclose(resize_mask_area(mask, (3, 4)), expected, atol=1e-7)


@pytest.mark.parametrize("hw", [(64, 64), (7, 9), (1, 1), (100, 33)])
def test_the_covered_area_is_kept(hw):
    mask = np.random.default_rng(0).random((50, 41)) > 0.7
    assert resize_mask_area(mask, hw).mean() == pytest.approx(mask.mean(), rel=1e-5)


@pytest.mark.parametrize("offset", range(8))
def test_five_pixels_survive_a_grid_eight_times_coarser(offset):
    mask = np.zeros((512, 512), bool)
    mask[100 + offset, 200:205] = True
    coarse = resize_mask_area(mask, (64, 64))
    assert coarse.sum() * 64 == pytest.approx(5)
    assert coarse[(100 + offset) // 8, 25] > 0.05
    assert mask[::8, ::8].sum() == (1 if offset == 4 else 0)  # nearest sampling loses it


def test_one_pixel_of_a_large_image_survives_a_tiny_grid():
    mask = np.zeros((3000, 2000), bool)
    mask[2999, 1999] = True
    coarse = resize_mask_area(mask, (2, 2))
    assert coarse[1, 1] > 0
    assert coarse.sum() == coarse[1, 1]


def test_full_and_empty_masks_stay_so():
    assert (resize_mask_area(np.ones((37, 53)), (8, 11)) == 1).all()
    assert (resize_mask_area(np.zeros((37, 53)), (8, 11)) == 0).all()


def test_area_resizing_also_enlarges():
    large = resize_mask_area(np.array([[True, False]]), (2, 6))
    assert large.dtype == np.float32
    assert large.tolist() == [[1, 1, 1, 0, 0, 0]] * 2


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3), (40, 30, 4), (40, 30, 1), (1, 1), (1, 9)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8", bool])
@pytest.mark.parametrize("hw", [(20, 15), (80, 7), (40, 30)])
def test_bilinear_keeps_channels_and_constant_values(shape, dtype, hw):
    array = np.ones(shape, dtype) * np.asarray(1 if dtype is bool else 77, dtype)
    resized = resize_bilinear(array, hw)
    assert resized.shape == hw + shape[2:]
    assert resized.dtype == (np.uint8 if dtype == "u1" else np.float32)
    assert np.allclose(resized, array.flat[0], rtol=1e-6)
    assert not np.shares_memory(resized, array)


def test_bilinear_averages_when_it_shrinks():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert np.abs(resize_bilinear(stripes, (16, 16))[:, 1:-1].astype(int) - 128).max() <= 1


def test_bilinear_places_centres_at_half_integers():
    assert resize_bilinear(np.array([[0.0, 4.0]]), (1, 4)).tolist() == [[0, 1, 3, 4]]


@pytest.mark.parametrize(
    ("hw", "longest", "fitted"),
    [
        ((300, 600), 512, (256, 512)),
        ((100, 50), 512, (512, 256)),
        ((1, 5000), 512, (1, 512)),
        ((3, 2), 5, (5, 3)),
        ((7, 7), 7, (7, 7)),
    ],
)
def test_the_longer_side_fits(hw, longest, fitted):
    assert fit_within(hw, longest) == fitted


def test_rows_and_columns_swap_twice_to_the_same():
    points = np.array([[1.5, 2], [3, 4]])
    assert swap_xy(points).tolist() == [[2, 1.5], [4, 3]]
    assert np.array_equal(swap_xy(swap_xy(points)), points)
    assert swap_xy([1, 2]).tolist() == [2, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: resize_mask_area(np.ones((2, 2, 3)), (1, 1)),
        lambda: resize_mask_area(np.ones((2, 2)), (0, 1)),
        lambda: resize_mask_area(np.ones((0, 2)), (1, 1)),
        lambda: resize_bilinear(np.ones(3), (1, 1)),
        lambda: resize_bilinear(np.ones((3, 3)), (1, -1)),
        lambda: fit_within((0, 3), 5),
        lambda: fit_within((3, 3), 0),
        lambda: swap_xy([1, 2, 3]),
        lambda: swap_xy(3),
    ],
)
def test_impossible_sizes_are_refused(call):
    with pytest.raises(ImageError):
        call()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_reducing_averages_blocks(dtype):
    image = np.arange(5 * 7 * 3).reshape(5, 7, 3).astype(dtype)
    reduced = reduce_by(image, 2)
    assert reduced.shape == (3, 4, 3)
    assert reduced.dtype == dtype
    whole = image.astype(float)
    expected = whole[2:4, 4:6].mean(axis=(0, 1))
    rounded = np.rint(expected) if np.dtype(dtype).kind == "u" else expected
    np.testing.assert_allclose(reduced[1, 2], rounded)
    corner = whole[4:, 6:].mean(axis=(0, 1))
    np.testing.assert_allclose(reduced[2, 3], corner)


def test_reducing_by_one_changes_nothing():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(reduce_by(image, 1), image)
    assert reduce_by(np.eye(4, dtype=bool), 2).dtype == np.bool_


@pytest.mark.parametrize(("shape", "factor"), [((4,), 2), ((0, 3), 2), ((4, 4), 0)])
def test_what_cannot_be_reduced_is_a_sentence(shape, factor):
    with pytest.raises(ImageError, match="whole number"):
        reduce_by(np.zeros(shape), factor)
