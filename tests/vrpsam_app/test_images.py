import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from vrpsam_app import images
from vrpsam_app.errors import ImageError
from vrpsam_app.images import (
    IntensityRange,
    check_plane,
    has_finite,
    intensity_range_of,
    plane_key,
    to_rgb,
)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (9, 1), (5, 6), (5, 6, 3), (5, 6, 4), (1, 1, 3), (3, 5, 3)]
)
@pytest.mark.parametrize("dtype", [bool, "u1", "i1", "u2", ">u2", "i4", "u8", "f2", "f4", ">f8"])
def test_every_plane_becomes_rgb(shape, dtype):
    rng = np.random.default_rng(0)
    plane = (rng.random(shape) * 100).astype(dtype)
    before = plane.copy()
    rgb = to_rgb(plane)
    assert rgb.shape == (*shape[:2], 3)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert rgb.flags.writeable
    assert not np.shares_memory(rgb, plane)
    assert np.array_equal(plane, before)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 20, 30), "np.moveaxis"),
        ((4, 20, 30), "np.moveaxis"),
        ((7, 20, 30), "predict_stack"),
        ((2, 7, 20, 30), "predict_stack"),
        ((20, 30, 1), r"image\[..., 0\]"),
        ((20, 30, 2), r"image\[..., 0\]"),
        ((20,), "two-dimensional"),
        ((), "two-dimensional"),
        ((0, 5), "empty"),
        ((5, 0, 3), "empty"),
    ],
)
def test_other_shapes_are_refused_with_a_hint(shape, hint):
    with pytest.raises(ImageError, match=hint):
        check_plane(np.zeros(shape))


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((4, 4), complex), "magnitude"),
        (np.full((4, 4), None), "astype"),
        (np.full((4, 4), "a"), "astype"),
        ([[1, 2], [3]], "no array"),
    ],
)
def test_other_types_are_refused_with_a_hint(array, hint):
    with pytest.raises(ImageError, match=hint):
        check_plane(array)


@pytest.mark.parametrize(
    "tensor", [torch.zeros(4, 4, requires_grad=True), torch.zeros(4, 4, dtype=torch.bfloat16)]
)
def test_tensors_that_numpy_cannot_read_are_refused(tensor):
    with pytest.raises(ImageError, match=r"no array \(.*\): expected shape"):
        check_plane(tensor)


def test_a_pillow_picture_is_taken_by_its_colours_and_not_by_their_numbers():
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[2:4, 3:6], colours[4:, :2] = (250, 20, 20), (10, 240, 30)
    picture = Image.fromarray(colours)
    for mode in ("P", "RGBX"):
        assert np.array_equal(check_plane(picture.convert(mode, palette=1)), colours)
    for mode, shape in (("CMYK", (6, 8, 3)), ("YCbCr", (6, 8, 3)), ("LA", (6, 8, 4))):
        assert check_plane(picture.convert(mode)).shape == shape
    palette = picture.quantize(4)
    palette.info["transparency"] = 0
    assert check_plane(palette).shape == (6, 8, 4)
    for mode, dtype in (("1", "?"), ("L", "u1"), ("I", "i4"), ("F", "f4"), ("I;16", "u2")):
        assert check_plane(Image.new(mode, (8, 6))).dtype == dtype
    with pytest.raises(ImageError, match="La to"):
        check_plane(Image.new("La", (8, 6)))


def test_the_message_uses_the_callers_name():
    with pytest.raises(ImageError, match=r"^The target has shape \(7, 20, 30\)"):
        check_plane(np.zeros((7, 20, 30)), name="The target")


def test_a_good_array_is_passed_through():
    plane = np.zeros((4, 5), np.uint16)
    assert check_plane(plane) is plane
    assert check_plane([[1, 2]]).shape == (1, 2)


def test_uint8_is_taken_as_it_is():
    plane = np.array([[10, 20]], np.uint8)
    assert to_rgb(plane, IntensityRange(0, 1))[0].tolist() == [[10] * 3, [20] * 3]
    assert intensity_range_of([plane, plane > 5]) is None


def test_booleans_become_black_and_white():
    assert to_rgb(np.array([[False, True]]))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_a_given_range_is_scaled_and_clipped(dtype):
    plane = np.array([[0, 100, 150, 200, 900]]).astype(dtype)
    assert to_rgb(plane, IntensityRange(100, 200))[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_floats_from_zero_to_one_use_the_whole_scale():
    plane = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    assert np.array_equal(to_rgb(plane)[..., 0].ravel(), np.arange(256))


def test_sixteen_bits_are_scaled_and_not_cut():
    plane = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    grey = to_rgb(plane)[..., 0].ravel().astype(int)
    assert (np.diff(grey) >= 0).all()
    assert len(np.unique(grey)) == 256


def test_a_few_outliers_do_not_squeeze_the_rest():
    plane = np.random.default_rng(0).uniform(10, 20, (100, 100))
    plane[0, :5] = 1e6
    assert intensity_range_of([plane]).high < 20.1


def test_a_few_bright_pixels_on_a_constant_ground_stay_visible():
    plane = np.full((200, 200), 7, np.uint16)
    plane[5, 5:10] = 40
    assert intensity_range_of([plane]) == IntensityRange(7, 40)
    assert (to_rgb(plane)[..., 0] > 0).sum() == 5


@pytest.mark.parametrize("dtype", ["u2", "f4", "i2"])
def test_a_constant_image_is_black(dtype):
    assert not to_rgb(np.full((4, 4), 9, dtype)).any()


def test_nan_is_black_and_infinity_is_clipped():
    plane = np.array([[np.nan, -np.inf, 0.0, 5.0, 10.0, np.inf]])
    assert has_finite(plane)
    assert to_rgb(plane)[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("given", [None, IntensityRange(0, 1)])
def test_an_image_without_a_finite_value_is_refused(value, given):
    assert not has_finite(np.full((3, 3, 4), [value] * 3 + [1]))
    with pytest.raises(ImageError, match="no finite value"):
        to_rgb(np.full((3, 3), value), given)


def test_one_blank_plane_does_not_spoil_a_set():
    blank, good = np.full((3, 3), np.nan), np.arange(9.0).reshape(3, 3)
    assert intensity_range_of([blank, good]) == IntensityRange(0, 8)
    with pytest.raises(ImageError, match="no finite value"):
        intensity_range_of([blank, blank])


def test_the_largest_floats_do_not_overflow():
    top = np.finfo(np.float64).max
    assert to_rgb(np.array([[-top, 0, top]]))[0, :, 0].tolist() == [0, 128, 255]


def test_long_doubles_beyond_float64_do_not_warn():
    plane = np.array([[0, 1, 2]], np.longdouble)
    plane[0, 2] = np.finfo(np.longdouble).max
    assert to_rgb(plane, IntensityRange(0, 1))[0, :, 0].tolist() == [0, 255, 255]


def test_a_set_has_one_range():
    dark, bright = np.full((4, 4), 10, np.uint16), np.full((4, 4), 90, np.uint16)
    shared = intensity_range_of(iter([dark, bright, np.zeros((4, 4), np.uint8)]))
    assert shared == IntensityRange(10, 90)
    assert to_rgb(dark, shared).max() == 0
    assert to_rgb(bright, shared).min() == 255


def test_sampling_a_large_set_stays_close_and_repeats_itself(monkeypatch):
    rng = np.random.default_rng(0)
    planes = [rng.normal(i, 5, (64, 64)) for i in range(20)]
    exact = intensity_range_of(planes)
    monkeypatch.setattr(images, "_SAMPLES_PER_IMAGE", 2**10)
    monkeypatch.setattr(images, "_SAMPLES_IN_ALL", 2**13)
    sampled = intensity_range_of(planes)
    assert sampled != exact
    assert sampled.low == pytest.approx(exact.low, abs=2)
    assert sampled.high == pytest.approx(exact.high, abs=2)
    assert intensity_range_of(planes) == sampled


def test_scaling_in_blocks_changes_nothing(monkeypatch):
    plane = np.random.default_rng(0).normal(size=(30, 20, 3))
    at_once = to_rgb(plane)
    monkeypatch.setattr(images, "_BLOCK", 7)
    assert np.array_equal(to_rgb(plane), at_once)


@pytest.mark.parametrize(
    ("dtype", "opaque"), [("u1", 255), ("u2", 65535), ("f4", 1.0), ("f8", 7.0), (bool, True)]
)
def test_transparent_pixels_are_white(dtype, opaque):
    plane = np.zeros((1, 2, 4), dtype)
    plane[0, 0, 3] = opaque
    assert to_rgb(plane)[0].tolist() == [[0] * 3, [255] * 3]


def test_half_transparent_pixels_are_mixed():
    assert to_rgb(np.array([[[0, 100, 200, 51]]], np.uint8)).ravel().tolist() == [204, 224, 244]


def test_opacity_does_not_count_as_intensity():
    plane = np.zeros((2, 2, 4), np.uint16)
    plane[..., 0] = [[1, 2], [3, 4]]
    plane[..., 3] = 65535
    assert intensity_range_of([plane]) == IntensityRange(0, 4)


@pytest.mark.parametrize(
    ("low", "high"), [(2, 1), (np.nan, 1), (0, np.inf), ("a", 1), (None, 1), (0, 10**400)]
)
def test_a_range_must_be_finite_and_in_order(low, high):
    with pytest.raises(ImageError, match="Intensity range"):
        IntensityRange(low, high)


def test_the_key_depends_on_type_shape_and_pixels_only():
    plane = np.arange(12, dtype=np.uint16).reshape(3, 4)
    keys = {
        plane_key(plane),
        plane_key(plane.reshape(4, 3)),
        plane_key(plane.astype(np.int16)),
        plane_key(plane + 1),
    }
    assert len(keys) == 4
    assert plane_key(plane.astype(">u2")) == plane_key(plane)
    assert plane_key(np.repeat(plane, 2, axis=1)[:, ::2]) == plane_key(plane)


def test_nothing_here_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_rgb(np.array([[np.nan, np.inf, 1e300]]))
