"""What a notebook shows."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app import Point, Reference
from vrpsam_app.image_files import decode_png
from vrpsam_app.notebook_pictures import LONGEST_SIDE, mask_png
from vrpsam_app.overlays import NEGATIVE_COLOR, POSITIVE_COLOR


def coloured(png: bytes, colour: tuple[int, int, int]) -> np.ndarray:
    return (decode_png(png) == colour).all(2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_reference_is_its_image_with_its_marks(dtype: type) -> None:
    image = np.zeros((40, 60), dtype)
    image[:, 30:] = 1000 if dtype is not np.uint8 else 200
    if dtype is np.float32:
        image[0, 0] = np.nan
    reference = Reference.from_annotations(image, [Point(20, 10), Point(30, 45, positive=False)])
    shown = reference._repr_png_()
    assert decode_png(shown).shape == (40, 60, 3)
    assert coloured(shown, POSITIVE_COLOR)[:, :30].any()
    assert coloured(shown, NEGATIVE_COLOR)[:, 30:].any()
    assert tuple(decode_png(shown)[5, 5]) == (0, 0, 0)


def test_a_mask_stands_in_its_probability() -> None:
    probability = np.zeros((20, 30), np.float32)
    probability[5:15, 5:15], probability[5:15, 20:28] = 0.9, 0.4
    shown = mask_png(probability > 0.5, probability)
    picture = decode_png(shown)
    assert coloured(shown, POSITIVE_COLOR)[4:16, 4:16].any()
    assert tuple(picture[10, 24]) == (102, 102, 102)
    assert tuple(picture[0, 0]) == (0, 0, 0)


def test_what_is_large_is_reduced_and_a_click_stays() -> None:
    image = np.zeros((300, 5000), np.uint8)
    shown = Reference.from_annotations(image, [Point(20, 10)])._repr_png_()
    assert max(decode_png(shown).shape) == LONGEST_SIDE
    assert coloured(shown, POSITIVE_COLOR).any()
    mask = np.ones(image.shape, np.bool_)
    assert max(decode_png(mask_png(mask, mask.astype(np.float32))).shape) == LONGEST_SIDE
