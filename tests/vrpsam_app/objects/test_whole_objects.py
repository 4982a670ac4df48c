"""Objects of several planes stay or go whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.measurements import measure_planes
from vrpsam_app.objects.whole_objects import sifted, whole_objects

# 3 touches the right border in the middle plane only, where it is largest; 7 is free.
PLANES = np.zeros((3, 10, 20), np.int32)
PLANES[:, 4:6, 15:17], PLANES[1, 2:8, 14:20] = 3, 3
PLANES[:, 4:6, 5:7], PLANES[1, 3:7, 4:8] = 7, 7


@pytest.mark.parametrize(
    ("options", "stay"),
    [
        ({}, [3, 7]),
        ({"clear_border": True}, [7]),
        ({"min_area": 16}, [3, 7]),
        ({"min_area": 17}, [3]),
        ({"max_area": 16}, [7]),
        ({"max_area": 15}, []),
        # (4 * 0.8 + 36 * 0.2 + 4 * 0.8) / 44 and the same score in every plane
        ({"min_score": 0.4}, [7]),
        ({"min_score": 0.3}, [3, 7]),
    ],
)
def test_the_largest_plane_any_border_and_the_mean_score_decide(
    options: dict[str, Any], stay: list[int]
):
    scores = [{3: 0.8, 7: 0.6}, {3: 0.2, 7: 0.6}, {3: 0.8, 7: 0.6}]
    table = measure_planes(PLANES, indices=[(0,), (1,), (2,)], axes=("z",), scores=scores)
    assert whole_objects(table, ObjectOptions(**options), PLANES.shape[1:]) == stay


@pytest.mark.parametrize("edge", [(0, 5), (9, 5), (4, 0), (4, 19)])
def test_every_edge_is_border_and_the_first_and_the_last_plane_are_none(edge: tuple[int, int]):
    planes = np.zeros_like(PLANES)
    planes[:, 4:6, 5:7] = 1
    planes[2][edge] = 2
    table = measure_planes(planes, indices=[(0,), (1,), (2,)], axes=("z",))
    assert whole_objects(table, ObjectOptions(clear_border=True), planes.shape[1:]) == [1]


def test_no_objects_at_all():
    table = measure_planes(PLANES * 0, indices=[(0,), (1,), (2,)], axes=("z",))
    assert whole_objects(table, ObjectOptions(clear_border=True), PLANES.shape[1:]) == []


def test_planes_are_sifted_class_by_class():
    planes = [np.zeros_like(PLANES[0]), *PLANES]
    filters = {"rod": ObjectOptions(min_area=17), "": ObjectOptions(clear_border=True)}
    assert sifted(planes, filters.get, "rod") == ({3}, {7})
    assert sifted(planes, filters.get, {7: "rod"}) == (set(), {3, 7})
    assert sifted(planes, filters.get, "unfiltered") == ({3, 7}, set())
    assert sifted(planes[:1], filters.get, "rod") == (set(), set())
