from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.davis2017 import Davis2017
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ConfigError, ImageFileError


@pytest.fixture
def davis(tmp_path, write_palette, write_jpeg, block):
    """Write two films; in the second, object 2 leaves and a void region comes."""
    frames = {
        "bear/00000": block(5, 5, 15, 25),
        "bear/00001": block(6, 6, 16, 26),
        "judo/00000": block(5, 5, 15, 25) + block(20, 30, 30, 50, value=2),
        "judo/00001": block(5, 5, 15, 25) + block(20, 30, 30, 50, value=255),
    }
    for name, labels in frames.items():
        write_jpeg(tmp_path / "JPEGImages" / "480p" / f"{name}.jpg")
        write_palette(tmp_path / "Annotations" / "480p" / f"{name}.png", labels)
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("judo\nbear\n")
    (lists / "train.txt").write_text("bear\n")
    return tmp_path


def test_each_object_of_a_film_is_a_class(davis):
    dataset = Davis2017.open(davis)
    assert dataset.names == ("judo/00000", "judo/00001", "bear/00000", "bear/00001")
    assert dataset.class_names == ("judo/1", "judo/2", "bear/1")
    assert dataset.shown(0) == {1: 200, 2: 200}
    assert dataset.shown(1) == {1: 200}
    assert dataset.shown(2) == {3: 200}


def test_palettes_are_indices_and_void_is_nobody_s(davis):
    dataset = Davis2017.open(davis)
    assert set(np.unique(dataset.load(0).instances)) == {0, 1, 2}
    left = dataset.load(1)
    assert left.ignored_for(2)[20, 30]
    assert not left.ignored_for(2)[0, 0]
    assert not (left.classes == 2).any()


def test_lists_name_the_films(davis):
    dataset = Davis2017.open(davis, "train")
    assert dataset.films == ("bear",)
    checks = {check.what: check for check in compare_with_published(dataset)}
    assert (checks["sequences"].read, checks["sequences"].published) == (1, 60)
    assert checks["pictures"].published is None


class TestBrokenCopies:
    def test_frames_without_pictures(self, davis):
        (davis / "JPEGImages" / "480p" / "judo" / "00001.jpg").unlink()
        with pytest.raises(ImageFileError, match=r"judo/00001\.jpg is missing"):
            Davis2017.open(davis)

    def test_films_without_labels(self, davis):
        (davis / "ImageSets" / "2017" / "val.txt").write_text("camel\n")
        with pytest.raises(ImageFileError, match="camel holds no label images"):
            Davis2017.open(davis)

    def test_a_first_frame_without_objects(self, davis, write_palette, block):
        write_palette(davis / "Annotations" / "480p" / "judo" / "00000.png", block(0, 0, 0, 0))
        with pytest.raises(ImageFileError, match=r"judo/00000\.png labels no object"):
            Davis2017.open(davis)

    def test_other_resolutions(self, davis):
        (davis / "Annotations" / "480p").rename(davis / "Annotations" / "1080p")
        with pytest.raises(ImageFileError, match="no Annotations/480p/"):
            Davis2017.open(davis)

    def test_missing_lists_and_splits(self, davis):
        (davis / "ImageSets" / "2017" / "val.txt").unlink()
        with pytest.raises(ImageFileError, match=r"val\.txt cannot be read"):
            Davis2017.open(davis)
        with pytest.raises(ConfigError, match="'test-dev'"):
            Davis2017.open(davis, "test-dev")
