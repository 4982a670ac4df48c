from __future__ import annotations

import numpy as np
from scipy import ndimage

from tests.vrpsam_app.data.drawn_views import drawn
from vrpsam_app.data.thin_worlds import axons, fibres, membranes, vessels


def test_membranes_are_a_net_and_dark():
    canvas = drawn(membranes, 1)
    net = canvas.classes == 1
    _, parts = ndimage.label(net, np.ones((3, 3)))
    assert 0.03 < net.mean() < 0.6
    assert parts < 30
    assert canvas.rgb[net].mean() < canvas.rgb[canvas.classes == 2].mean() - 0.1


def test_a_sheath_surrounds_every_inside():
    canvas = drawn(axons, 2)
    inside = canvas.classes == 1
    rim = ndimage.binary_dilation(inside) & ~inside
    assert inside.any()
    assert (canvas.classes[rim] == 2).mean() > 0.9


def test_without_sheaths_there_are_no_insides():
    assert not drawn(axons, 2, absent=frozenset({2})).classes.any()


def test_threads_are_thin_and_numbered():
    canvas = drawn(fibres, 3)
    threads = np.isin(canvas.classes, (1, 2))
    assert threads.any()
    assert (canvas.instances[threads] > 0).all()
    assert ndimage.distance_transform_edt(threads).max() < 12.0


def test_vessels_branch_as_stuff():
    for seed in range(3):
        canvas = drawn(vessels, seed)
        vessel = canvas.classes == 1
        assert 0.005 < vessel.mean() < 0.5
        assert (canvas.instances[vessel] == 0).all()
