from __future__ import annotations

import numpy as np
from scipy import ndimage

from tests.vrpsam_app.data.drawn_views import drawn
from vrpsam_app.data.specimen_worlds import fundus, leukocyte, nerve_section, phase_contrast


def test_a_white_cell_is_large_and_its_nucleus_lies_within():
    for seed in range(6):
        canvas = drawn(leukocyte, seed)
        nucleus, cytoplasm = canvas.classes == 1, canvas.classes == 2
        assert (nucleus | cytoplasm).mean() > 0.05
        around = ndimage.binary_dilation(nucleus, iterations=2) & ~nucleus
        assert (canvas.classes[around] == 2).mean() > 0.5
        assert canvas.rgb[nucleus].mean() < canvas.rgb[cytoplasm].mean()


def test_lobes_are_one_nucleus():
    parts = 0
    for seed in range(30):
        canvas = drawn(leukocyte, seed)
        for number in np.unique(canvas.instances[canvas.classes == 1]):
            parts = max(parts, ndimage.label(canvas.instances == number)[1])
    assert parts > 1


def test_vessels_are_thin_branching_stuff_a_little_darker_than_the_ground():
    for seed in range(6):
        canvas = drawn(fundus, seed)
        vessel = canvas.classes == 1
        assert 0.01 < vessel.mean() < 0.5
        assert (canvas.instances[vessel] == 0).all()
        assert ndimage.distance_transform_edt(vessel).max() < 12.0
        beside = ndimage.binary_dilation(vessel, iterations=4) & (canvas.classes == 0)
        green = canvas.rgb[..., 1]
        assert green[vessel].mean() < green[beside].mean()


def test_cells_are_told_by_what_surrounds_them():
    different = 0
    for seed in range(8):
        canvas = drawn(phase_contrast, seed)
        cell = canvas.classes > 0
        assert 0.01 < cell.mean() < 0.95
        ring = ndimage.binary_dilation(cell, iterations=3) & ~cell
        far = ~ndimage.binary_dilation(cell, iterations=12)
        if far.sum() > 500:
            different += abs(canvas.rgb[ring].mean() - canvas.rgb[far].mean()) > 0.005
    assert different >= 3


def test_sheaths_stand_close():
    for seed in range(4):
        canvas = drawn(nerve_section, seed)
        inside = canvas.classes == 1
        rim = ndimage.binary_dilation(inside) & ~inside
        assert (canvas.classes[rim] == 2).mean() > 0.7
        assert (canvas.classes > 0).mean() > 0.15


def test_an_empty_nerve_has_neither():
    assert not drawn(nerve_section, 2, absent=frozenset({2})).classes.any()
