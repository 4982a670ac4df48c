from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.data.volume_scenes import nuclei_volume
from vrpsam_app.errors import ConfigError, ImageError
from vrpsam_app.evaluation.object_scores import object_scores
from vrpsam_app.objects.instances import instances_of
from vrpsam_app.objects.linking import Linker, LinkOptions, link, link_planes


def bars(*planes: list[tuple[int, int, int]], width: int = 40) -> np.ndarray:
    """Draw (number, start, stop) as bars of one row in each plane."""
    stack = np.zeros((len(planes), 1, width), np.int32)
    for plane, objects in zip(stack, planes, strict=True):
        for number, start, stop in objects:
            plane[:, start:stop] = number
    return stack


def ids(linked: np.ndarray) -> list[list[int]]:
    return [[n for n in dict.fromkeys(plane.ravel().tolist()) if n] for plane in linked]


@pytest.fixture(scope="module")
def scene():
    return nuclei_volume()


def test_objects_keep_their_ids_whatever_number_they_come_with():
    stack = bars([(1, 0, 9), (2, 20, 30)], [(8, 1, 10), (3, 21, 30)], [(1, 21, 29), (2, 1, 9)])
    assert ids(link(stack)) == [[1, 2], [1, 2], [1, 2]]


def test_what_appears_is_new_and_what_ends_does_not_come_back():
    stack = bars([(1, 0, 9)], [(1, 0, 9), (2, 20, 30)], [(2, 20, 30)], [(5, 0, 9)])
    assert ids(link(stack)) == [[1], [1, 2], [2], [3]]


def test_an_object_goes_on_in_one_other_the_best():
    divides = bars([(1, 0, 20)], [(1, 0, 8), (2, 9, 20)])
    assert ids(link(divides)) == [[1], [2, 1]]
    merges = bars([(1, 0, 8), (2, 9, 20)], [(1, 0, 20)])
    assert ids(link(merges)) == [[1, 2], [2]]
    # The best pair comes first, even if that leaves another without a partner.
    chain = bars([(1, 0, 10), (2, 10, 20)], [(1, 3, 13)])
    assert ids(link(chain, LinkOptions(min_overlap=0.2))) == [[1, 2], [1]]


def test_equal_overlaps_are_decided_by_order():
    stack = bars([(1, 0, 10), (2, 10, 20)], [(1, 5, 15)])
    assert ids(link(stack, LinkOptions(min_overlap=0.5))) == [[1, 2], [1]]


def test_the_smaller_object_must_be_covered():
    stack = bars([(1, 0, 20)], [(1, 18, 28)])
    assert ids(link(stack)) == [[1], [2]]
    assert ids(link(stack, LinkOptions(min_overlap=0.2))) == [[1], [1]]
    # A cap is small beside what lies below it, and goes with it.
    assert ids(link(bars([(1, 0, 20)], [(1, 8, 11)]))) == [[1], [1]]


def test_gaps_are_bridged_if_allowed():
    stack = bars([(1, 0, 9)], [(1, 20, 30)], [(1, 0, 9), (2, 20, 30)])
    assert ids(link(stack)) == [[1], [2], [3, 2]]
    assert ids(link(stack, LinkOptions(gaps=1))) == [[1], [2], [1, 2]]
    longer = bars([(1, 0, 9)], [], [], [(1, 0, 9)])
    assert ids(link(longer, LinkOptions(gaps=1))) == [[1], [], [], [2]]
    assert ids(link(longer, LinkOptions(gaps=2))) == [[1], [], [], [1]]


def test_an_object_that_is_there_is_not_found_again_behind_a_gap():
    # Id 1 lies elsewhere by now: what comes to its old place is another.
    stack = bars([(1, 0, 9)], [(1, 2, 12)], [(1, 4, 16), (2, 0, 3)])
    assert ids(link(stack, LinkOptions(gaps=1, min_overlap=0.3))) == [[1], [1], [2, 1]]


def test_what_narrows_and_widens_are_two_along_z_and_one_in_time():
    stack = bars([(1, 0, 20)], [(1, 6, 12)], [(1, 6, 13)], [(1, 0, 20)], [(1, 1, 20)])
    assert ids(link(stack)) == [[1], [1], [1], [2], [2]]
    assert ids(link(stack, LinkOptions(through_necks=True))) == [[1]] * 5
    assert ids(link(stack, axes=("t",))) == [[1]] * 5


def test_other_rules_link_nothing():
    stack = bars([(4, 0, 9), (9, 20, 30)], [(4, 0, 9)], [(7, 0, 9)])
    assert ids(link(stack, LinkOptions(rule="unique"))) == [[1, 2], [3], [4]]
    assert ids(link(stack, LinkOptions(rule="separate"))) == [[1, 2], [1], [1]]


NUCLEUS, ROD = {1: "nucleus", 2: "rod"}, {1: "rod", 2: "nucleus"}


def with_classes(stack, classes, options=LinkOptions(), **axes):  # noqa: B008
    """Return the ids of each plane, and the class of each id."""
    linked = link_planes(stack, options, classes=iter(classes), **axes)
    return ids(np.stack(list(linked))), dict(linked.classes)


def test_two_classes_are_never_one_object():
    stack = bars([(1, 0, 9), (2, 20, 30)], [(1, 0, 9), (2, 20, 30)], [(1, 0, 9)])
    found = with_classes(stack, [NUCLEUS, ROD, NUCLEUS])
    assert found == (
        [[1, 2], [3, 4], [5]],
        {1: "nucleus", 2: "rod", 3: "rod", 4: "nucleus", 5: "nucleus"},
    )
    # Where a rod lies best on the nucleus, what is left of the nucleus goes on.
    divides = bars([(1, 0, 20)], [(1, 0, 14), (2, 15, 20)])
    assert with_classes(divides, [NUCLEUS, ROD]) == (
        [[1], [2, 1]], {1: "nucleus", 2: "rod"},
    )  # fmt: skip


def test_a_class_goes_on_behind_a_gap_and_another_does_not():
    stack = bars([(1, 0, 9)], [(1, 0, 9)], [(1, 0, 9), (2, 20, 30)])
    gap = LinkOptions(gaps=1)
    assert with_classes(stack, [NUCLEUS, ROD, NUCLEUS], gap)[0] == [[1], [2], [1, 3]]


def test_what_nobody_knows_the_class_of_takes_that_of_what_it_goes_on_from():
    stack = bars(*[[(1, 0, 9)]] * 3, [(1, 0, 9), (3, 20, 30)])
    found = with_classes(stack, [{}, NUCLEUS, {1: ""}, ROD])
    assert found == ([[1], [1], [1], [2, 3]], {1: "nucleus", 2: "rod", 3: ""})


def test_each_class_has_ids_of_its_own_whatever_the_rule():
    stack = bars([(1, 0, 9), (2, 20, 30)], [(1, 0, 9), (2, 12, 15), (7, 20, 30)])
    classes = [NUCLEUS, {1: "rod", 2: "rod", 7: "nucleus"}]
    names = {1: "nucleus", 2: "rod", 3: "rod"}
    separate = with_classes(stack, classes, LinkOptions(rule="separate"))
    assert separate == ([[1, 2], [2, 3, 1]], names)
    unique = with_classes(stack, classes, LinkOptions(rule="unique"))
    assert unique == ([[1, 2], [3, 4, 5]], {**names, 4: "rod", 5: "nucleus"})


@pytest.mark.parametrize("rule", ["match", "unique", "separate"])
def test_one_class_is_linked_as_if_none_were_told(rule, scene):
    planes, options = scene.labels[:6, ::2, ::2], LinkOptions(rule=rule, gaps=1)
    every = dict.fromkeys(range(1, int(scene.labels.max()) + 1), "nucleus")
    linked = link_planes(planes, options, classes=itertools.repeat(every))
    expected = link_planes(planes, options)
    assert np.array_equal(np.stack(list(linked)), np.stack(list(expected)))
    assert set(linked.classes.values()) == {"nucleus"}
    assert expected.classes == {}


def test_ids_that_are_in_use_stay_those_of_their_class():
    known = {4: "nucleus", 6: "rod"}
    (plane,) = bars([(1, 0, 5), (2, 6, 9), (3, 12, 15)])
    classes = {1: "rod", 2: "nucleus", 3: "rod"}
    separate = Linker(LinkOptions(rule="separate"), classes=known)
    assert ids(separate.add(plane, classes)[None]) == [[6, 4, 7]]
    assert separate.classes == {4: "nucleus", 6: "rod", 7: "rod"}
    unique = Linker(LinkOptions(rule="unique"), classes=known)
    assert ids(unique.add(plane, classes)[None]) == [[7, 8, 9]]


def test_volumes_keep_their_classes_through_time():
    volume = bars([(1, 0, 9), (2, 20, 30)], [(1, 20, 30), (2, 0, 9)])
    names = {1: "nucleus", 2: "rod", 3: "rod"}
    stack = np.concatenate([volume, volume])
    classes = [NUCLEUS, ROD, ROD, NUCLEUS]  # in the second volume they have changed places
    axes = {"axes": ("t", "z"), "leading_shape": (2, 2)}
    found, told = with_classes(stack, classes, **axes)
    assert found == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert told == {**names, 4: "nucleus"}
    found, told = with_classes(stack, classes, LinkOptions(rule="separate"), **axes)
    assert found == [[1, 2], [1, 2], [2, 1], [2, 1]]
    assert told == {1: "nucleus", 2: "rod"}


def test_the_same_classes_may_be_told_for_a_whole_stack():
    stack = bars([(1, 0, 9), (2, 20, 30)], [(2, 0, 9), (1, 20, 30)])
    assert ids(link(stack)) == [[1, 2], [1, 2]]
    assert ids(link(stack, classes=NUCLEUS)) == [[1, 2], [4, 3]]


def test_lacking_classes_are_named():
    with pytest.raises(ImageError, match="no classes for plane 1"):
        with_classes(bars([(1, 0, 9)], [(1, 0, 9)]), [NUCLEUS])


def test_volumes_are_linked_through_time():
    volume = bars([(1, 0, 9), (2, 20, 30)], [(1, 20, 30), (2, 0, 9)], [])
    moved = np.roll(volume, 1, axis=2)
    # Of the last volume each object lies half elsewhere: too little to be the same.
    linked = link(np.stack([volume, moved, volume[::-1]]))
    assert [ids(v) for v in linked] == [
        [[1, 2], [1, 2], []],
        [[1, 2], [1, 2], []],
        [[], [4, 3], [4, 3]],
    ]
    assert ids(link(np.stack([volume] * 2), LinkOptions(rule="unique"))[1]) == [[5, 6], [8, 7], []]


def test_planes_may_come_from_anywhere_one_by_one():
    stack = bars([(1, 0, 9)], [(3, 0, 9), (2, 20, 30)], [(5, 21, 30)])
    asked = 0

    def source():
        nonlocal asked
        for plane in stack:
            asked += 1
            yield plane.tolist()

    linked = link_planes(source())
    assert next(linked).max() == 1
    assert asked == 1
    assert np.array_equal(np.stack(list(linked)), link(stack)[1:])


def test_memory_does_not_grow_with_the_stack():
    rng = np.random.default_rng(0)
    plane = ndimage.label(rng.random((200, 200)) < 0.4)[0].astype(np.int32)

    def peak(planes: int) -> int:
        tracemalloc.start()
        for _ in link_planes(np.roll(plane, i % 3, axis=0) for i in range(planes)):
            pass
        (_, most) = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(24) < 1.1 * peak(4)


def test_true_slices_are_put_together_again(scene):
    rng = np.random.default_rng(0)
    count = scene.labels.max()
    shuffled = [np.append(0, rng.permutation(count) + 1)[plane] for plane in scene.labels]
    linked = np.stack(list(link_planes(shuffled)))
    assert object_scores(linked, scene.labels).f1 >= 0.97
    assert np.array_equal(linked > 0, scene.labels > 0)
    assert np.array_equal(linked, np.stack(list(link_planes(shuffled))))


def test_degraded_slices_are_put_together_again(scene):
    """Uneven borders, planes in which an object is missing, and no more than a mask."""
    rng = np.random.default_rng(1)
    planes = []
    for plane in scene.labels:
        missing = rng.random(scene.labels.max() + 1) < 0.04
        shown = np.where(missing[plane], 0, plane) > 0
        uneven = ndimage.gaussian_filter(rng.standard_normal(shown.shape), 2)
        edge = ndimage.gaussian_filter(shown.astype(float), 1.5) + 0.6 * uneven
        planes.append(instances_of(edge > 0.5))
    linked = np.stack(list(link_planes(planes, LinkOptions(gaps=1))))
    assert object_scores(linked, scene.labels).f1 >= 0.75
    unlinked = np.stack(list(link_planes(planes, LinkOptions(rule="unique"))))
    assert object_scores(unlinked, scene.labels).f1 < 0.2


def test_the_stack_is_found_from_its_picture_alone(scene):
    from skimage.filters import threshold_otsu

    masks = scene.image > threshold_otsu(scene.image)
    linked = np.stack(list(link_planes(map(instances_of, masks))))
    assert object_scores(linked, scene.labels).f1 >= 0.75


def test_planes_of_another_size_are_named():
    linker = Linker()
    linker.add(np.zeros((4, 5), int))
    with pytest.raises(ImageError, match=r"Plane 1 has shape \(4, 6\), those before it \(4, 5\)"):
        linker.add(np.zeros((4, 6), int))


def test_stacks_that_do_not_fit_their_axes_are_named():
    plane = np.zeros((4, 5), int)
    with pytest.raises(ImageError, match=r"shape \(4, 5\)"):
        link(plane)
    with pytest.raises(ImageError, match="a name for each axis"):
        link(np.zeros((2, 3, 4, 5), int), axes=("z",))
    with pytest.raises(ImageError, match="expected one for each axis"):
        list(link_planes([plane], axes=("t", "z")))
    with pytest.raises(ImageError, match="ends after 1 of 3 planes along z"):
        list(link_planes([plane] * 4, axes=("t", "z"), leading_shape=(2, 3)))


def test_more_objects_than_ids_are_refused():
    linker = Linker(LinkOptions(rule="unique"))
    linker._last_id = 2**31 - 2
    linker.add([[1, 0]])
    with pytest.raises(ImageError, match="more than 2147483647 objects"):
        linker.add([[1, 0]])


def test_options_know_their_axis():
    assert LinkOptions().along("z") == LinkOptions()
    assert LinkOptions().along("t") == LinkOptions(through_necks=True)
    with pytest.raises(ConfigError, match="Rule is 'best'"):
        LinkOptions(rule="best")
