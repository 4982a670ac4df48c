from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.scene_textures import (
    LUMA,
    PATTERNS,
    Texture,
    distinct_colour,
    fractal_noise,
    random_colour,
    random_texture,
    same_brightness,
    smooth_noise,
)


@pytest.mark.parametrize("cell", [1.0, 3.7, 16.0, 200.0])
def test_smooth_noise_has_the_asked_size(cell):
    field = smooth_noise(np.random.default_rng(0), 40, cell)
    assert field.shape == (40, 40)
    assert field.dtype == np.float32


def test_noise_is_smoother_on_a_coarser_grid():
    fine, coarse = (smooth_noise(np.random.default_rng(1), 96, cell) for cell in (2.0, 16.0))
    assert np.abs(np.diff(coarse)).mean() < 0.4 * np.abs(np.diff(fine)).mean()


def test_fractal_noise_keeps_the_deviation():
    deviations = [fractal_noise(np.random.default_rng(s), 96, 12.0).std() for s in range(8)]
    assert 0.6 < np.mean(deviations) < 1.6


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_mean_colour_does_not_depend_on_the_pattern(pattern):
    dark, light = np.full(3, 0.3, np.float32), np.full(3, 0.7, np.float32)
    rendered = Texture(pattern, dark, light, period=8.0).render(np.random.default_rng(2), 64)
    assert rendered.shape == (64, 64, 3)
    assert rendered.min() >= 0.3 - 1e-6
    assert rendered.max() <= 0.7 + 1e-6
    assert abs(rendered.mean() - 0.5) < 0.03


def test_random_textures_keep_their_mean_colour():
    rng = np.random.default_rng(3)
    for _ in range(20):
        colour = random_colour(rng)
        texture = random_texture(rng, colour=colour)
        np.testing.assert_allclose(0.5 * (texture.dark + texture.light), colour, atol=1e-5)
        assert min(texture.dark.min(), texture.light.min()) >= -1e-6
        assert max(texture.dark.max(), texture.light.max()) <= 1 + 1e-6


def test_distinct_colours_are_distinct():
    rng = np.random.default_rng(4)
    first = random_colour(rng)
    gaps = [np.linalg.norm(distinct_colour(rng, [first], 0.3) - first) for _ in range(20)]
    assert min(gaps) > 0.25


def test_same_brightness_changes_the_hue_alone():
    rng = np.random.default_rng(5)
    colour = np.array([0.6, 0.4, 0.3], np.float32)
    others = [same_brightness(rng, colour) for _ in range(20)]
    assert max(abs(float((other - colour) @ LUMA)) for other in others) < 0.08
    assert np.mean([np.linalg.norm(other - colour) for other in others]) > 0.2
