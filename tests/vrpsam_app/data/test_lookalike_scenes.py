from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.data.lookalike_scenes import KINDS, drifting_nuclei, nuclei_among_rods
from vrpsam_app.errors import ConfigError


@pytest.fixture(scope="module")
def stack():
    return nuclei_among_rods((12, 160, 160))


@pytest.fixture(scope="module")
def lapse():
    return drifting_nuclei((6, 160, 160))


@pytest.mark.parametrize("name", ["stack", "lapse"])
def test_both_kinds_are_there_and_equally_bright(name, request):
    scene = request.getfixturevalue(name)
    kinds = scene.kinds[scene.labels]
    assert (scene.image.dtype, scene.labels.dtype) == (np.uint16, np.int32)
    assert scene.image.shape == scene.labels.shape == kinds.shape
    nucleus, rod = (np.median(scene.image[kinds == kind]) for kind in range(len(KINDS)))
    assert abs(nucleus - rod) < 0.12 * nucleus
    shares = [(kinds == kind).mean() for kind in range(len(KINDS))]
    assert min(shares) > 0.02
    # No threshold tells them apart: whatever is bright is a rod as often as not.
    bright = scene.image > (nucleus + np.median(scene.image[kinds < 0])) / 2
    truth = kinds == 0
    assert (bright & truth).sum() / (bright | truth).sum() < 0.7


def test_kinds_differ_in_shape(lapse):
    frame, sizes = lapse.labels[0], {}
    for number, part in enumerate(ndimage.find_objects(frame), start=1):
        if part is not None and part[0].start > 0 and part[1].start > 0:
            rows, cols = np.nonzero(frame[part] == number)
            spread = np.linalg.eigvalsh(np.cov(rows, cols)) if len(rows) > 40 else [1, 1]
            sizes.setdefault(int(lapse.kinds[number]), []).append(spread[1] / spread[0])
    assert np.median(sizes[0]) < 2 < 5 < np.median(sizes[1])


def test_numbers_stay_while_objects_move(lapse):
    first, last = lapse.labels[0], lapse.labels[-1]
    both = (set(np.unique(first)) & set(np.unique(last))) - {0}
    assert len(both) > 5
    moved = [
        np.linalg.norm(
            np.subtract(*(ndimage.center_of_mass(plane == n) for plane in (first, last)))
        )
        for n in both
    ]
    assert 1 < np.median(moved) < 60
    # From frame to frame an object overlaps itself, so that it can be followed.
    a, b = lapse.labels[2], lapse.labels[3]
    nuclei = [n for n in np.unique(a[lapse.labels_of("nucleus")[2] > 0]) if (b == n).any()]
    assert all(((a == n) & (b == n)).any() for n in nuclei)


def test_labels_of_a_kind(stack):
    wanted = stack.labels_of("nucleus")
    assert set(stack.kinds[np.unique(wanted[wanted > 0])]) == {0}
    assert ((wanted > 0) | (stack.labels_of("rod") > 0)).sum() == (stack.labels > 0).sum()
    assert (stack.axis, stack.pixel_size.plane) == ("z", 0.9)


def test_a_seed_gives_one_scene():
    a, b, c = (drifting_nuclei((2, 64, 64), seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(a.image, b.image)
    assert not np.array_equal(a.image, c.image)


@pytest.mark.parametrize(
    ("draw", "shape"),
    [(nuclei_among_rods, (7, 64, 64)), (drifting_nuclei, (1, 64, 64)), (drifting_nuclei, (64, 64))],
)
def test_small_shapes_are_refused(draw, shape):
    with pytest.raises(ConfigError, match="too small"):
        draw(shape)
