from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from vrpsam_app.data import episodes
from vrpsam_app.data.episodes import FolderGroups
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.synthetic_dataset import SyntheticDataset
from vrpsam_app.errors import ConfigError, ImageError


@pytest.fixture
def cells(tmp_path, write_folder, picture) -> FolderGroups:
    """Five pictures of two bright blocks, each of another shade."""
    pictures = {f"p{i}": picture(40 * i + 20, (120, 160)) for i in range(5)}
    return FolderGroups(write_folder(tmp_path / "cells", pictures), split=None)


def located(hw: tuple[int, int] = (200, 240)) -> np.ndarray:
    """Return a picture whose red and green channels tell the row and column of each pixel."""
    image = np.zeros((*hw, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(hw[0])[:, None], np.arange(hw[1])[None]
    return image


def test_groups_look_like_scene_groups(cells):
    for seed in range(10):
        group = cells.sample(np.random.default_rng(seed), 64, 3)
        assert group.images.shape == (3, 64, 64, 3)
        assert group.images.dtype == np.uint8
        assert group.instances.shape == group.classes.shape == (3, 64, 64)
        assert group.instances.dtype == np.int32
        assert group.classes.dtype == np.uint8
        assert group.class_names == ("object",)
        assert group.has_instances == (True,)
        assert group.world == "cells"
        assert ((group.instances > 0) == (group.classes > 0)).all()
        assert all((classes == 1).any() for classes in group.classes)


def test_labels_lie_on_what_they_label(cells):
    for seed in range(10):
        group = cells.sample(np.random.default_rng(seed), 64, 2)
        for image, classes in zip(group.images, group.classes, strict=True):
            assert image[classes == 1].mean() > 235
            assert (image[classes == 0] < 240).mean() > 0.8


def test_reference_and_target_are_different_pictures(cells):
    for seed in range(10):
        group = cells.sample(np.random.default_rng(seed), 64, 3)
        shades = [
            image[classes == 0].min()
            for image, classes in zip(group.images, group.classes, strict=True)
        ]
        assert len(set(shades)) == 3


def test_the_generator_decides(cells):
    one, two, other = (cells.sample(np.random.default_rng(s), 48, 2) for s in (1, 1, 2))
    assert (one.images == two.images).all()
    assert (one.classes == two.classes).all()
    assert one.images.tobytes() != other.images.tobytes()


def test_objects_come_out_at_a_sensible_size(tmp_path, write_folder):
    image = np.zeros((400, 400, 3), np.uint8)
    mask = np.zeros((400, 400), np.uint8)
    for number in range(1, 50):
        row, col = divmod(number, 10)
        mask[40 * row : 40 * row + 3, 40 * col : 40 * col + 3] = number
    folder = write_folder(tmp_path / "tiny", {"a": (image, mask), "b": (image, mask)})
    groups = FolderGroups(folder, split=None)
    for seed in range(10):
        group = groups.sample(np.random.default_rng(seed), 96, 1)
        areas = np.bincount(group.instances[0].ravel())[1:]
        # Three pixels can be enlarged to nine at most: at least six are wanted.
        assert 5.0 <= np.sqrt(np.max(areas)) <= 11.0


@pytest.mark.parametrize("images", [2, 3, 4, 7])
def test_views_of_one_picture_do_not_overlap(tmp_path, write_folder, images):
    mask = np.ones((200, 240), np.uint8)
    folder = write_folder(tmp_path / "one", {"a": (located(), mask)})
    groups = FolderGroups(folder, split=None, one_image=True)
    for seed in range(6):
        group = groups.sample(np.random.default_rng(seed), 48, images)
        boxes = []
        for view in group.images:
            rows, cols = view[..., 0], view[..., 1]
            boxes.append((rows.min(), rows.max(), cols.min(), cols.max()))
        for a, b in combinations(boxes, 2):
            assert a[1] < b[0] or b[1] < a[0] or a[3] < b[2] or b[3] < a[2]


def test_the_first_view_of_one_picture_shows_the_class(tmp_path, write_folder):
    mask = np.zeros((200, 240), np.uint8)
    mask[150:170, 200:220] = 1
    folder = write_folder(tmp_path / "one", {"a": (located(), mask)})
    groups = FolderGroups(folder, split=None, one_image=True)
    for seed in range(6):
        assert groups.sample(np.random.default_rng(seed), 48, 3).classes[0].any()


def test_views_of_one_field_and_magnifications_are_not_mixed(tmp_path, write_folder, picture):
    shades = {"a_full": 10, "a_q0": 30, "a_q1": 50, "b_full": 70, "b_q0": 90, "c_q0": 110}
    pictures = {name: picture(shade) for name, shade in shades.items()}
    groups = FolderGroups(write_folder(tmp_path / "set", pictures), split=None, absent_share=0.0)
    names = {shade: name for name, shade in shades.items()}
    seen = set()
    for seed in range(40):
        group = groups.sample(np.random.default_rng(seed), 48, 2)
        pair = [
            names[min(names, key=lambda s: abs(s - int(image[classes == 0].min())))]
            for image, classes in zip(group.images, group.classes, strict=True)
        ]
        assert pair[0].split("_")[0] != pair[1].split("_")[0]
        assert ("full" in pair[0]) == ("full" in pair[1])
        seen.update(pair)
    assert seen == set(shades)


@pytest.fixture
def pets(tmp_path, write_folder, picture):
    """Dogs (1) and cats (2) in most pictures, no dog in one."""
    objects = {"1": "dog", "2": "cat"}
    per_image = {f"p{i}": {"objects": objects} for i in range(3)}
    per_image["cats"] = {"objects": {"2": "cat"}}
    return write_folder(
        tmp_path / "pets",
        {name: picture(30 + 50 * i) for i, name in enumerate(per_image)},
        meta={"kind": "instance", "classes": {"dog": 3, "cat": 4}},
        per_image=per_image,
        splits={"train_classes": ["dog", "cat"], "val_classes": ["cat"]},
    )


def test_the_wanted_class_comes_first(pets):
    groups = FolderGroups(pets, absent_share=0.0)
    firsts = set()
    for seed in range(20):
        group = groups.sample(np.random.default_rng(seed), 48, 2)
        firsts.add(group.class_names[0])
        assert all((classes == 1).any() for classes in group.classes)
        assert group.classes.max() <= len(group.class_names) == len(group.has_instances)
    assert firsts == {"dog", "cat"}


def test_the_wanted_class_is_sometimes_absent_but_never_in_the_first_picture(pets):
    groups = FolderGroups(pets, absent_share=1.0)
    absent = 0
    for seed in range(20):
        group = groups.sample(np.random.default_rng(seed), 48, 3)
        assert (group.classes[0] == 1).any()
        absent += any(not (classes == 1).any() for classes in group.classes[1:])
    assert absent > 3


def test_what_lacks_the_class_is_of_another_field(tmp_path, write_folder, picture):
    per_image = {name: {"objects": {"1": "dog", "2": "cat"}} for name in ("a_q0", "b_q0")}
    per_image["a_q1"] = {"objects": {"2": "cat"}}
    shades = {"a_q0": 10, "b_q0": 60, "a_q1": 110}
    folder = write_folder(
        tmp_path / "views",
        {name: picture(shade) for name, shade in shades.items()},
        meta={"kind": "instance", "classes": {"dog": 2, "cat": 3}},
        per_image=per_image,
    )
    groups = FolderGroups(folder, split=None, absent_share=1.0)
    for seed in range(20):
        group = groups.sample(np.random.default_rng(seed), 48, 2)
        if group.class_names[0] == "dog":
            assert all((classes == 1).any() for classes in group.classes)


def test_upright_views_are_not_turned(tmp_path, write_folder):
    pictures = {n: (located(), np.ones((200, 240), np.uint8)) for n in ("a", "b")}
    folder = write_folder(tmp_path / "set", pictures)
    upright, turned = (FolderGroups(folder, split=None, upright=flag) for flag in (True, False))

    def rises_downward(groups: FolderGroups, seed: int) -> bool:
        image = groups.sample(np.random.default_rng(seed), 48, 1).images[0].astype(int)
        return bool(image[-1, 0, 0] > image[0, 0, 0])

    assert all(rises_downward(upright, seed) for seed in range(12))
    assert not all(rises_downward(turned, seed) for seed in range(12))


def test_stuff_has_no_instances(tmp_path, write_folder, picture):
    meta = {"kind": "semantic", "classes": {"1": "sky", "2": "sea"}}
    pictures = {name: picture() for name in ("a", "b")}
    groups = FolderGroups(write_folder(tmp_path / "set", pictures, meta=meta), split=None)
    group = groups.sample(np.random.default_rng(0), 48, 2)
    assert not group.instances.any()
    assert group.has_instances == (False,) * len(group.class_names)


def test_large_pictures_are_kept_small(tmp_path, write_folder):
    image = np.zeros((100, 1100, 3), np.uint8)
    mask = np.zeros((100, 1100), np.uint8)
    mask[40:60, 500:600] = 1
    image[mask > 0] = 255
    folder = write_folder(tmp_path / "wide", {"a": (image, mask), "b": (image, mask)})
    groups = FolderGroups(folder, split=None)
    group = groups.sample(np.random.default_rng(0), 32, 2)
    assert group.images[0][group.classes[0] == 1].mean() > 200
    assert max(groups._read(0)[0].shape) == 512


def test_an_open_dataset_may_be_given(pets):
    groups = FolderGroups(FolderDataset.open(pets, "val"))
    assert groups.sample(np.random.default_rng(0), 48, 2).class_names == ("cat",)


def test_a_mask_of_another_size_is_refused(tmp_path, write_folder, picture):
    broken = (picture()[0], np.ones((30, 30), np.uint8))
    groups = FolderGroups(write_folder(tmp_path / "set", {"a": broken, "b": broken}), split=None)
    with pytest.raises(ImageError, match=r"\(30, 30\)"):
        groups.sample(np.random.default_rng(0), 48, 2)


def test_one_picture_makes_no_pair(tmp_path, write_folder, picture):
    folder = write_folder(tmp_path / "set", {"a": picture()})
    with pytest.raises(ConfigError, match="one_image=True, which is --one-image"):
        FolderGroups(folder, split=None)


def test_any_data_set_will_do():
    scenes = SyntheticDataset.draw(2, images=3, size=48, worlds=["nuclei"])
    group = FolderGroups(scenes).sample(np.random.default_rng(0), 32, 2)
    assert group.world == "synthetic"
    assert group.class_names[0].endswith("nuclei/nucleus")
    assert group.images.shape == (2, 32, 32, 3)


def test_memory_is_bounded_and_changes_nothing(cells, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(episodes, "KEPT_BYTES", 1)
        bounded = [cells.sample(np.random.default_rng(seed), 48, 3).images for seed in range(3)]
        assert len(cells._kept) == 1
    for seed, images in enumerate(bounded):
        assert np.array_equal(cells.sample(np.random.default_rng(seed), 48, 3).images, images)
    assert len(cells._kept) > 1


class Undecided(SyntheticDataset):
    """Scenes with a frame that nobody decided, and a corner where class 1 may be."""

    def load(self, index):
        picture = super().load(index)
        ignored = np.zeros_like(picture.classes)
        ignored[:8] = -1
        ignored[-8:, -8:] = 1
        ignored[-8:, :8] = len(self.class_names)
        return dataclasses.replace(picture, ignored=ignored)


def test_undecided_pixels_come_along():
    scenes = SyntheticDataset.draw(groups=4, images=3, size=64)
    fields = {f.name: getattr(scenes, f.name) for f in dataclasses.fields(scenes)}
    source = FolderGroups(Undecided(**fields))
    plain = FolderGroups(scenes)
    seen = set()
    for seed in range(12):
        group = source.sample(np.random.default_rng(seed), 48, 3)
        same = plain.sample(np.random.default_rng(seed), 48, 3)
        assert np.array_equal(group.images, same.images)
        assert same.ignored is None
        count = len(group.class_names)
        if group.ignored is None:
            continue
        assert group.ignored.shape == group.classes.shape
        values = set(np.unique(group.ignored).tolist())
        assert values <= {-1, *range(count + 2)}
        named = {
            scenes.class_names.index(name) + 1: k + 1 for k, name in enumerate(group.class_names)
        }
        assert (1 in named) or not (group.ignored == named.get(1, -2)).any()
        seen |= {v if v < 1 else "other" if v == count + 1 else "named" for v in values}
        for image in range(3):
            unknown = group.unknown(image, 1)
            background = group.shows(image, 0)
            assert not (background & (group.ignored[image] != 0)).any()
            if unknown is not None:
                assert not (unknown & group.shows(image, 1)).any()
    assert {-1, 0, "other"} <= seen
