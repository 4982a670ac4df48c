"""Brightness of objects, row by row."""

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.errors import ImageError
from vrpsam_app.label_images import count_objects
from vrpsam_app.objects.intensities import intensities_of


def test_row_by_row_is_what_the_whole_plane_says():
    drawn = np.random.default_rng(0)
    labels = drawn.integers(0, 9, (40, 50)) * drawn.integers(0, 2, (40, 50))
    image = drawn.normal(size=(40, 50)).astype(np.float32)
    counts = count_objects(labels)
    found = intensities_of(counts, image)
    values, numbers = image.astype(np.float64), np.arange(1, 9)
    sums = np.bincount(labels.ravel(), values.ravel())[1:]
    np.testing.assert_array_equal(found["intensity_sum"], sums)
    np.testing.assert_array_equal(found["intensity_mean"], sums / counts.pixels)
    np.testing.assert_allclose(
        found["intensity_std"], ndimage.standard_deviation(values, labels, numbers), rtol=1e-12
    )
    np.testing.assert_array_equal(found["intensity_min"], ndimage.minimum(values, labels, numbers))
    np.testing.assert_array_equal(found["intensity_max"], ndimage.maximum(values, labels, numbers))


def test_pixels_without_a_number_are_left_out_of_all_that_is_said():
    counts = count_objects([[1, 1, 1, 2, 0, 3]])
    found = intensities_of(counts, [[np.nan, 3.0, 5.0, np.nan, np.inf, 2.0]])
    said = {name: values.tolist() for name, values in found.items()}
    assert said["intensity_count"] == [2, 0, 1]
    assert said["intensity_sum"] == [8, 0, 2]
    for name, expected in (("mean", 4), ("std", 1), ("min", 3), ("max", 5)):
        assert said[f"intensity_{name}"][0] == expected
        assert np.isnan(said[f"intensity_{name}"][1])
    assert "intensity_count" not in intensities_of(counts, np.zeros((1, 6), np.float32))


def test_channels_have_names_of_their_own():
    counts = count_objects([[1, 0]])
    assert set(intensities_of(counts, np.zeros((1, 2, 4)))) >= {"red_mean", "blue_max"}
    assert "channel1_sum" in intensities_of(counts, np.zeros((1, 2, 2)))
    with pytest.raises(ImageError, match="expected a different one for each"):
        intensities_of(counts, np.zeros((1, 2, 2)), ["a", "a"])


def test_no_objects_have_no_brightness():
    assert all(len(v) == 0 for v in intensities_of(count_objects([[0, 0]]), [[1, 2]]).values())
