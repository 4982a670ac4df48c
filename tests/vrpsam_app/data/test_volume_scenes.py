from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.data.volume_scenes import PIXEL_SIZE, RADIUS_UM, nuclei_volume
from vrpsam_app.errors import ConfigError


@pytest.fixture(scope="module")
def scene():
    return nuclei_volume()


def test_a_scene_is_an_image_with_its_truth(scene):
    assert scene.image.shape == scene.labels.shape == (24, 128, 128)
    assert (scene.image.dtype, scene.labels.dtype) == (np.uint16, np.int32)
    assert scene.pixel_size == PIXEL_SIZE
    inside, outside = scene.image[scene.labels > 0], scene.image[scene.labels == 0]
    assert np.median(inside) > 5 * np.median(outside)
    assert inside.max() < 65535


def test_nuclei_are_many_in_one_piece_and_of_a_nucleus_s_size(scene):
    count = scene.labels.max()
    assert 25 < count < 60
    voxel = PIXEL_SIZE.plane * PIXEL_SIZE.row * PIXEL_SIZE.col
    smallest, largest = (4 / 3 * np.pi * r**3 for r in RADIUS_UM)
    volumes = np.bincount(scene.labels.ravel())[1:] * voxel
    assert volumes.max() < 1.6 * largest
    assert np.median(volumes) > smallest
    for number in range(1, count + 1):
        parts, _ = ndimage.label(scene.labels == number)
        sizes = np.bincount(parts.ravel())[1:]
        assert sizes.max() > 0.97 * sizes.sum()


def test_some_touch_so_that_components_are_not_enough(scene):
    assert ndimage.label(scene.labels > 0)[1] < 0.8 * scene.labels.max()


def test_a_seed_gives_one_scene(scene):
    again = nuclei_volume(seed=0)
    assert np.array_equal(again.image, scene.image)
    assert np.array_equal(again.labels, scene.labels)
    other = nuclei_volume((8, 64, 96), seed=1)
    assert other.image.shape == (8, 64, 96)
    assert other.labels.max() > 2


@pytest.mark.parametrize("shape", [(7, 64, 64), (24, 31, 64), (64, 64)])
def test_small_shapes_are_refused(shape):
    with pytest.raises(ConfigError, match="too small"):
        nuclei_volume(shape)
