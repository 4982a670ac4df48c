"""Numbers of objects: through the classes, through the planes, beside those that a person chose."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

import numpy as np

from napari_plugin.result_numbers import Numbered, cutter, like_those_beside, renumbering
from napari_plugin.run_settings import RunSettings
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions, link
from vrpsam_app.stacks.stack import Stack


def row(*numbers: int) -> np.ndarray:
    return np.repeat(np.array([numbers], np.int32), 3, axis=1)


def run(
    planes: list[np.ndarray],
    fixed: frozenset[int] = frozenset(),
    classes: dict[int, str] | None = None,
    **links: object,
) -> list[list[int]]:
    return [plane[0, ::3].tolist() for plane in found(planes, fixed, classes, **links)[0]]


def found(
    planes: list[np.ndarray],
    fixed: frozenset[int] = frozenset(),
    classes: dict[int, str] | None = None,
    **links: object,
) -> tuple[list[np.ndarray], Mapping[int, str]]:
    new = renumbering(
        lambda: iter(planes),
        LinkOptions(**links),
        axes=("z",),
        leading_shape=(len(planes),),
        classes=None if classes is None else repeat(classes),
        fixed=fixed,
    )
    numbers = [new.of(i, plane) for i, plane in enumerate(planes)]
    assert new.highest == max(int(plane.max()) for plane in numbers)
    return numbers, new.classes


def test_classes_are_numbered_on():
    cut = Numbered.together(np.stack([row(1, 2, 0), row(0, 0, 1)]), ["nucleus", "rod"])
    assert cut.values[0, ::3].tolist() == [1, 2, 3]
    assert cut.classes == {1: "nucleus", 2: "nucleus", 3: "rod"}
    later = cut.after(10)
    assert later.values[0, ::3].tolist() == [11, 12, 13]
    assert later.classes == {11: "nucleus", 12: "nucleus", 13: "rod"}


def test_only_a_single_slice_is_filtered_by_itself():
    stack, tip = Stack.from_array(np.zeros((3, 9, 9)), axes=("z",)), np.zeros((9, 9), bool)
    tip[3:5, 3:5] = True
    for links, whole, stays in (("match", True, 1), ("match", False, 0), ("unique", True, 0)):
        settings = RunSettings(objects=ObjectOptions(min_area=20), links=LinkOptions(rule=links))
        task = cutter(settings, stack, [], whole=whole)
        assert task.cut_again(tip, None, "").max() == stays


def test_a_number_stays_one_of_its_class():
    cut = Numbered(row(1, 2, 3), {1: "nucleus", 2: "rod", 3: "rod"})
    kept = cut.of_classes({1: "rod", 5: "nucleus"})
    assert kept.values[0, ::3].tolist() == [5, 1, 6]
    assert kept.classes == {1: "rod", 5: "nucleus", 6: "rod"}
    # Without others before it is as it was.
    assert np.array_equal(cut.of_classes({}).values, cut.values)


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


def test_classes_are_not_linked_and_each_number_has_one():
    planes = [row(1, 0, 2), row(3, 0, 2)]
    classes = {1: "nucleus", 2: "rod", 3: "rod"}
    numbers, named = found(planes, classes=classes)
    assert [plane[0, ::3].tolist() for plane in numbers] == [[1, 0, 2], [3, 0, 2]]
    assert named == classes
    assert run(planes) == [[1, 0, 2], [1, 0, 2]]  # as if nobody knew


def test_a_painted_number_learns_its_class_from_what_it_goes_on_from():
    planes = [row(1, 0, 2), row(40, 0, 7), row(1, 0, 2)]
    classes = {1: "nucleus", 2: "rod", 40: "", 7: "nucleus"}
    numbers, named = found(planes, frozenset({1}), classes)
    # 40 is what was 1; but 7 was said to be a nucleus, and 2 is a rod.
    assert [plane[0, ::3].tolist() for plane in numbers] == [[40, 0, 2], [40, 0, 7], [40, 0, 4]]
    assert named == {40: "nucleus", 2: "rod", 7: "nucleus", 4: "rod"}
    gap = found(planes, frozenset({1}), classes, gaps=1)[0]
    assert gap[2][0, ::3].tolist() == [40, 0, 2]


def test_an_answer_takes_the_numbers_of_the_slices_beside_it():
    new = Numbered(row(1, 2, 3), {1: "nucleus", 2: "rod", 3: "nucleus"})
    kept = like_those_beside(
        new,
        [row(8, 0, 9), row(0, 6, 9)],
        1,
        LinkOptions(),
        axis="z",
        classes={8: "nucleus", 6: "", 9: "rod"},
        highest=20,
    )
    assert kept.values[0, ::3].tolist() == [8, 6, 21]
    assert {n: kept.classes[n] for n in (8, 6, 21)} == {8: "nucleus", 6: "rod", 21: "nucleus"}
