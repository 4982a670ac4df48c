from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from vrpsam_app.errors import ImageError
from vrpsam_app.evaluation.shift_suite import SHIFTS

TISSUE = data.immunohistochemistry()[100:220, 100:260]
MASK = np.zeros(TISSUE.shape[:2], bool)
MASK[20:60, 30:90] = True
LOOKS = [name for name, shift in SHIFTS.items() if shift.scale == 1]


@pytest.mark.parametrize("name", SHIFTS)
def test_the_same_picture_always_becomes_the_same_picture(name: str):
    kept = TISSUE.copy(), MASK.copy()
    first, mask = SHIFTS[name](TISSUE, MASK)
    again, _ = SHIFTS[name](TISSUE.copy(), MASK)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.uint8
    assert mask.dtype == bool
    assert first.shape == (*mask.shape, 3)
    for given, copy in zip((TISSUE, MASK), kept, strict=True):
        np.testing.assert_array_equal(given, copy)


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_changes_the_picture_and_no_mask(name: str):
    changed, mask = SHIFTS[name](TISSUE, MASK)
    np.testing.assert_array_equal(mask, MASK)
    assert np.abs(changed.astype(int) - TISSUE).mean() > 10
    assert changed.std() > 5
    assert not SHIFTS[name].targets_only


def test_drawings_are_grey_and_mostly_paper():
    for name, levels in (("ink", 60), ("sketch", 256)):
        drawn = SHIFTS[name](data.camera()[:200, :200])[0]
        assert (drawn == drawn[..., :1]).all()
        assert len(np.unique(drawn)) <= levels
        assert np.median(drawn) > 200


def test_a_negative_of_a_negative_is_the_picture():
    twice = SHIFTS["inverted"](SHIFTS["inverted"](TISSUE)[0])[0]
    np.testing.assert_array_equal(twice, TISSUE)


def test_another_stain_keeps_glass_clear_and_dark_dark():
    shift = SHIFTS["other_stain"]
    white = shift(np.full((4, 4, 3), 255, np.uint8))[0]
    np.testing.assert_array_equal(white, 255)
    stained = shift(TISSUE)[0].mean(2)
    assert np.corrcoef(stained.ravel(), TISSUE.mean(2).ravel())[0, 1] > 0.8
    brown = np.full((2, 2, 3), (150, 110, 80), np.uint8)
    red, green, blue = shift(brown)[0][0, 0]
    assert red > max(green, blue) + 40  # the chromogen is red now


@pytest.mark.parametrize(("name", "factor"), [("half_size", 0.5), ("double_size", 2)])
def test_a_magnification_changes_size_of_picture_and_masks_alike(name: str, factor: float):
    numbers = np.arange(TISSUE[..., 0].size, dtype=np.int32).reshape(MASK.shape)
    changed, mask, numbered = SHIFTS[name](TISSUE, MASK, numbers)
    assert changed.shape == (60 * 2 * factor, 80 * 2 * factor, 3)
    assert mask.sum() == MASK.sum() * factor**2
    assert numbered.dtype == np.int32
    if factor == 2:
        np.testing.assert_array_equal(numbered[::2, ::2], numbers)
        np.testing.assert_array_equal(numbered[1::2, 1::2], numbers)
    assert abs(changed.mean() - TISSUE.mean()) < 1
    assert SHIFTS[name].targets_only


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("kind", ["grey", "uint16", "constant", "one pixel"])
def test_any_picture_can_be_changed(name: str, kind: str):
    picture = {
        "grey": TISSUE[..., 0],
        "uint16": TISSUE[..., 0].astype(np.uint16) * 99,
        "constant": np.full((9, 9), 70, np.uint8),
        "one pixel": np.full((1, 1, 3), 70, np.uint8),
    }[kind]
    (changed,) = SHIFTS[name](picture)
    assert changed.dtype == np.uint8
    assert changed.ndim == 3
    assert min(changed.shape) >= 1


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ImageError, match="expected equal"):
        SHIFTS["ink"](TISSUE, MASK[:-1])
