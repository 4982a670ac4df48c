from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.scene_imaging import Look, photograph, random_look


@pytest.fixture
def scene() -> np.ndarray:
    rgb = np.zeros((48, 48, 3), np.float32)
    rgb[..., 0], rgb[..., 1] = 0.4, 0.3
    rgb[10:30, 10:30] = (0.8, 0.6, 0.2)
    return rgb


def test_looks_vary_and_stay_in_range(scene):
    pictures = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        picture = photograph(scene, random_look(rng, 0.5), rng)
        assert picture.shape == (48, 48, 3)
        assert picture.dtype == np.uint8
        pictures.append(picture.mean())
    assert np.ptp(pictures) > 30


def test_the_scene_is_not_changed(scene):
    before = scene.copy()
    rng = np.random.default_rng(0)
    photograph(scene, Look(unevenness=0.3, noise=0.05, blur=1.0, jpeg=True), rng)
    assert (scene == before).all()


def test_grey_pictures_are_grey(scene):
    look = Look(grey=True, noise=0.05, noise_cell=2.0)
    picture = photograph(scene, look, np.random.default_rng(0))
    assert (picture[..., 0] == picture[..., 1]).all()
    assert (picture[..., 0] == picture[..., 2]).all()


def test_inversion_turns_bright_into_dark(scene):
    plain, inverted = (
        photograph(scene, Look(invert=invert), np.random.default_rng(0)).astype(int)
        for invert in (False, True)
    )
    assert np.abs(plain + inverted - 255).max() <= 1


def test_channels_change_places(scene):
    swapped = photograph(scene, Look(channels=(2, 1, 0)), np.random.default_rng(0)).astype(int)
    assert swapped[20, 20, 2] > swapped[20, 20, 0] + 50


@pytest.mark.parametrize("factor", [0.02, 3.0])
def test_exposure_shows_dark_and_bright_scenes(scene, factor):
    picture = photograph(scene * np.float32(factor), Look(), np.random.default_rng(0)).astype(int)
    assert abs(picture[20, 20] - picture[2, 2]).max() > 25
