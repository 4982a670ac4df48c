"""Worlds in folds, and scenes of them as a data set."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.reproduction.experiments import ALL_FOLDS
from vrpsam_app.reproduction.scene_folds import (
    COCO_WORLDS,
    PASCAL_WORLDS,
    ScenePictures,
    base_worlds,
    draw_scenes,
    novel_worlds,
)


def draw(groups: int = 3, **changes: object) -> ScenePictures:
    settings = {"images": 2, "size": 48, "first_seed": 7, **changes}
    return draw_scenes("few", ("coins", "shapes", "nuclei"), groups=groups, **settings)


@pytest.mark.parametrize("benchmark", ["coco20i", "pascal5i"])
def test_folds_share_the_worlds_out(benchmark) -> None:
    worlds = {"coco20i": COCO_WORLDS, "pascal5i": PASCAL_WORLDS}[benchmark]
    novel = [novel_worlds(benchmark, fold) for fold in ALL_FOLDS]
    assert sorted(w for fold in novel for w in fold) == sorted(worlds)
    assert len({len(fold) for fold in novel}) == 1
    for fold in ALL_FOLDS:
        assert sorted((*novel[fold], *base_worlds(benchmark, fold))) == sorted(worlds)


def test_domain_shift_asks_for_what_no_model_of_the_fold_has_seen() -> None:
    for fold in ALL_FOLDS:
        asked = novel_worlds("coco_to_pascal", fold)
        assert asked
        assert set(asked) <= set(PASCAL_WORLDS)
        assert not set(asked) & set(base_worlds("coco20i", fold))


def test_there_is_no_fifth_fold() -> None:
    with pytest.raises(ConfigError, match="Fold 4"):
        novel_worlds("pascal5i", 4)


def test_equal_seeds_give_equal_scenes_however_many_follow() -> None:
    few, more = draw(3), draw(4)
    assert more.names[: len(few)] == few.names
    assert np.array_equal(more.images[: len(few)], few.images)
    assert np.array_equal(more.classes[: len(few)], few.classes)
    assert not np.array_equal(draw(3, first_seed=8).images, few.images)


def test_it_is_a_data_set() -> None:
    scenes = draw(4)
    assert len(scenes) == 8
    assert scenes.groups["coins/0003/1"] == "coins/0003"
    for index, name in enumerate(scenes.names):
        loaded = scenes.load(index)
        assert loaded.name == name
        assert loaded.image.shape == (48, 48, 3)
        counted = {int(c): int((loaded.classes == c).sum()) for c in np.unique(loaded.classes) if c}
        assert scenes.shown(index) == counted
        assert {scenes.class_names[c - 1].split("/")[0] for c in counted} <= {name.split("/")[0]}


def test_a_class_has_one_name_in_all_groups_of_its_world() -> None:
    scenes = draw(6)
    assert len(set(scenes.class_names)) == len(scenes.class_names)
    assert {"coins/1", "nuclei/nucleus", "shapes/1"} <= set(scenes.class_names)


def test_what_is_too_small_does_not_count_as_shown() -> None:
    scenes, large = draw(6), draw(6, least_area=100)
    for index in range(len(scenes)):
        counted = {c: n for c, n in scenes.shown(index).items() if n >= 100}
        assert large.shown(index) == counted
    assert any(large.shown(i) != scenes.shown(i) for i in range(len(scenes)))


def test_pictures_of_some_worlds() -> None:
    scenes = draw(6)
    some = scenes.of_worlds(("coins", "nuclei"), "some")
    assert some.name == "some"
    assert {n.split("/")[0] for n in some.names} == {"coins", "nuclei"}
    place = scenes.names.index(some.names[-1])
    assert np.array_equal(some.load(len(some) - 1).image, scenes.load(place).image)
    assert some.shown(len(some) - 1) == scenes.shown(place)


def test_nearer_pictures_are_the_middle_of_larger_scenes() -> None:
    near, large = draw(3, nearness=1.5), draw(3, size=72)
    assert np.array_equal(near.images, large.images[:, 12:60, 12:60])
    assert np.array_equal(near.instances, large.instances[:, 12:60, 12:60])


def test_every_world_needs_a_group() -> None:
    with pytest.raises(ConfigError, match="2 groups of scenes are too few for 3 worlds"):
        draw(2)
