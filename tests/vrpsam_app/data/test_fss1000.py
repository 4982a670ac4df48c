from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.fss1000 import Fss1000, published_test_classes
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ConfigError, ImageFileError


@pytest.fixture
def fss(tmp_path, write_jpeg):
    """Write three classes; masks are RGB, with soft edges, as many of FSS-1000's are."""
    for label in ("abacus", "abes_flyingfish", "bus"):
        for number in (1, 2, 10):
            write_jpeg(tmp_path / label / f"{number}.jpg")
            mask = np.zeros((40, 60, 3), np.uint8)
            mask[4:16, 4:26] = 90
            mask[5:15, 5:25] = 255
            Image.fromarray(mask).save(tmp_path / label / f"{number}.png")
    (tmp_path / "readme").mkdir()
    return tmp_path


def test_every_class_has_a_folder(fss):
    dataset = Fss1000.open(fss, None)
    assert dataset.class_names == ("abacus", "abes_flyingfish", "bus")
    assert dataset.names[:3] == ("abacus/1", "abacus/2", "abacus/10")
    loaded = dataset.load(3)
    assert set(np.unique(loaded.classes)) == {0, 2}
    assert set(np.unique(loaded.instances)) == {0, 1}
    # Half bright is the border.
    assert dataset.shown(3) == {2: 200}


def test_masks_may_be_grey_or_of_one_bit(fss):
    grey = np.array(Image.open(fss / "abacus" / "1.png"))[..., 0]
    Image.fromarray(grey).save(fss / "abacus" / "1.png")
    Image.fromarray(grey > 127).save(fss / "abacus" / "2.png")
    dataset = Fss1000.open(fss, None)
    assert dataset.shown(0) == dataset.shown(1) == {1: 200}


def test_the_published_test_classes_are_known(fss):
    assert len(set(published_test_classes())) == 240
    with pytest.raises(ImageFileError, match="lacks 238 of 240 classes of the published test list"):
        Fss1000.open(fss, "test")


def test_lists_may_be_given_and_spelled_otherwise(fss, tmp_path):
    (tmp_path / "few.txt").write_text("bus\nabe's_flyingfish\n")
    dataset = Fss1000.open(fss, class_list=tmp_path / "few.txt")
    assert dataset.class_names == ("abes_flyingfish", "bus")
    assert all(check.published is None for check in compare_with_published(dataset))


def test_lists_are_found_in_the_folder(fss):
    with pytest.raises(ConfigError, match=r"no list of the classes of 'train'.*trn\.txt"):
        Fss1000.open(fss, "train")
    (fss / "splits").mkdir()
    (fss / "splits" / "trn.txt").write_text("bus\n")
    dataset = Fss1000.open(fss, "train")
    assert dataset.class_names == ("bus",)
    pictures, classes = compare_with_published(dataset)
    assert (pictures.read, pictures.published) == (3, 5200)
    assert (classes.read, classes.published) == (1, 520)


def test_broken_copies_are_named(fss, tmp_path):
    (fss / "bus" / "2.png").unlink()
    with pytest.raises(ImageFileError, match=r"bus/2\.png is missing"):
        Fss1000.open(fss, None)
    with pytest.raises(ImageFileError, match="no folders with masks"):
        Fss1000.open(fss / "readme", None)
    with pytest.raises(ImageFileError, match="is no folder"):
        Fss1000.open(tmp_path / "nowhere", None)
    with pytest.raises(ConfigError, match="'tst'"):
        Fss1000.open(fss, "tst")
