from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.labelled_dataset import class_areas
from vrpsam_app.data.synthetic_dataset import KEPT_GROUPS, SyntheticDataset


@pytest.fixture(scope="module")
def scenes() -> SyntheticDataset:
    return SyntheticDataset.draw(KEPT_GROUPS + 2, images=2, size=48)


def test_pictures_are_the_same_whenever_they_are_asked_for(scenes):
    first = scenes.load(0)
    for index in range(len(scenes)):
        scenes.load(index)
    again = scenes.load(0)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.instances, again.instances)
    assert first.image.shape == (48, 48, 3)


def test_what_is_shown_is_what_is_there(scenes):
    for index in range(len(scenes)):
        loaded = scenes.load(index)
        assert class_areas(loaded.classes) == scenes.shown(index)
        assert ((loaded.instances > 0) == (loaded.classes > 0)).all()


def test_classes_belong_to_their_group(scenes):
    for index, name in enumerate(scenes.names):
        shown = {scenes.class_names[c - 1].rpartition("/")[0] for c in scenes.shown(index)}
        assert shown <= {scenes.groups[name]}


def test_the_first_groups_do_not_depend_on_how_many_follow(scenes):
    few = SyntheticDataset.draw(2, images=2, size=48)
    assert few.names == scenes.names[:4]
    assert np.array_equal(few.load(3).image, scenes.load(3).image)


def test_worlds_may_be_chosen():
    nuclei = SyntheticDataset.draw(2, images=1, size=48, worlds=["nuclei"])
    assert {"0000 nuclei/nucleus", "0001 nuclei/nucleus"} <= set(nuclei.class_names)
    assert set(nuclei.groups.values()) == {"0000 nuclei", "0001 nuclei"}
