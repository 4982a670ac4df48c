"""Numbers of objects: through the classes, through the planes, beside those that a person chose."""

from __future__ import annotations

import numpy as np

from napari_plugin.result_numbers import linked, together
from vrpsam_app.objects.linking import LinkOptions, link


def row(*numbers: int) -> np.ndarray:
    return np.repeat(np.array([numbers], np.int32), 3, axis=1)


def run(planes: list[np.ndarray], fixed: frozenset[int] = frozenset()) -> list[list[int]]:
    found = linked(
        lambda: iter(planes), LinkOptions(), axes=("z",), leading_shape=(len(planes),), fixed=fixed
    )
    return [plane[0, ::3].tolist() for plane in found]


def test_classes_are_numbered_on():
    assert together(np.stack([row(1, 2, 0), row(0, 0, 1)]))[0, ::3].tolist() == [1, 2, 3]


def test_without_edits_it_is_the_cores_linking():
    planes = [row(1, 0, 2), row(0, 0, 1), row(2, 0, 1)]
    expected = link(np.stack(planes))
    assert run(planes) == [plane[0, ::3].tolist() for plane in expected]


def test_an_edited_plane_keeps_its_numbers_and_gives_them_on():
    planes = [row(1, 0, 2), row(40, 0, 7), row(1, 3, 2)]
    assert run(planes, frozenset({1})) == [[40, 0, 7], [40, 0, 7], [40, 3, 7]]


def test_a_chosen_number_is_not_given_to_another_object():
    planes = [row(1, 2, 0), row(0, 0, 1)]
    first, second = run(planes, frozenset({1}))
    assert second == [0, 0, 1]
    assert 1 not in first
    assert len(set(first)) == 3
