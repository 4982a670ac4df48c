from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.synthetic_scenes import ALL_WORLDS, WORLDS, SceneGroup, generate_group

SIZE = 64


@pytest.fixture(scope="module")
def groups() -> dict[str, list[SceneGroup]]:
    """Two groups of every world."""
    return {
        name: [generate_group(seed, size=SIZE, images=3, worlds=[name]) for seed in (3, 4)]
        for name in ALL_WORLDS
    }


@pytest.mark.parametrize("world", sorted(ALL_WORLDS))
class TestEveryWorld:
    def test_shapes_and_types(self, groups, world):
        for group in groups[world]:
            assert group.world == world
            assert group.images.shape == (3, SIZE, SIZE, 3)
            assert group.images.dtype == np.uint8
            assert group.instances.shape == group.classes.shape == (3, SIZE, SIZE)
            assert group.instances.dtype == np.int32
            assert group.classes.dtype == np.uint8
            assert len(group.class_names) == len(group.has_instances) > 0
            assert len(set(group.class_names)) == len(group.class_names)

    def test_every_object_has_one_class(self, groups, world):
        for group in groups[world]:
            assert group.classes.max() <= len(group.class_names)
            for instances, classes in zip(group.instances, group.classes, strict=True):
                for number in np.unique(instances[instances > 0]):
                    assert len(np.unique(classes[instances == number])) == 1
                assert (classes[instances > 0] > 0).all()

    def test_numbers_agree_with_has_instances(self, groups, world):
        for group in groups[world]:
            for class_id, has_instances in enumerate(group.has_instances, start=1):
                numbers = group.instances[group.classes == class_id]
                assert ((numbers > 0) == has_instances).all()

    def test_pictures_show_something(self, groups, world):
        for group in groups[world]:
            assert (group.classes[0] > 0).any()
            assert all(image.std() > 2.0 for image in group.images)

    def test_pictures_differ_from_one_another(self, groups, world):
        for group in groups[world]:
            assert (group.images[0] != group.images[1]).any()


def test_what_is_measured_holds_no_scene_that_is_only_learned_from():
    chosen = {generate_group(seed, size=32, images=1).world for seed in range(200)}
    assert len(chosen) > 15
    assert chosen <= set(WORLDS) < set(ALL_WORLDS)


def test_the_seed_decides():
    one, two, other = (generate_group(seed, size=48, images=2) for seed in (11, 11, 12))
    assert one.world == two.world
    assert (one.images == two.images).all()
    assert (one.instances == two.instances).all()
    assert (one.classes == two.classes).all()
    assert one.images.tobytes() != other.images.tobytes()


def test_the_first_pictures_do_not_depend_on_how_many_follow():
    short, long = (generate_group(5, size=48, images=count) for count in (1, 3))
    assert (short.images[0] == long.images[0]).all()
    assert (short.classes[0] == long.classes[0]).all()


def test_a_class_is_sometimes_absent_after_the_first_picture_but_not_always():
    absent = 0
    for seed in range(30):
        group = generate_group(seed, size=48, images=3, worlds=["look_alikes"])
        shown = [set(np.unique(classes)) - {0} for classes in group.classes]
        assert {1, 2} <= shown[0]
        absent += any(not {1, 2} <= classes for classes in shown[1:])
    assert 1 <= absent <= 25


def test_large_seeds_are_allowed():
    assert generate_group((7 << 32) + 5, size=32, images=1).images.shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 8}, "at least 32 px"),
        ({"images": 0}, "at least one image"),
        ({"worlds": ["moon"]}, "moon.*choose among"),
        ({"worlds": []}, "choose among"),
    ],
)
def test_impossible_wishes_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        generate_group(0, **settings)
