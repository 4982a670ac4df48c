from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.vrpsam_app.evaluation.conftest import write
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.labelled_dataset import EVERY_CLASS, LabelledImage
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_drawing import build_episode_list
from vrpsam_app.evaluation.episode_list import Episode, Place
from vrpsam_app.evaluation.episode_reader import FORMATS, EpisodeReader


@pytest.fixture
def dogs(pets) -> tuple[EpisodeReader, Episode]:
    episodes = build_episode_list(pets, 0, 1, classes=["dog"], least_references=4)
    return EpisodeReader(pets), episodes.episodes[0]


def test_a_mask_marks_all_objects_and_says_so(dogs):
    reader, episode = dogs
    question = reader.to_references(episode, "mask", 4)
    for reference in question.references:
        assert reference.positive.sum() == 800
        assert reference.exhaustive
        assert reference.kind == "mask"
        assert reference.label == "dog"


@pytest.mark.parametrize("format", FORMATS[1:])
def test_other_formats_mark_one_object_and_leave_the_rest_unknown(dogs, format):
    reader, episode = dogs
    (reference,) = reader.to_references(episode, format).references
    assert not reference.exhaustive
    assert not reference.negative.any()
    touched = [reference.positive[rows].any() for rows in (slice(0, 27), slice(28, 60))]
    assert touched.count(True) == 1
    assert reference.kind == {"click": "point", "stroke": "scribble", "outline": "mask"}.get(
        format, format
    )


def test_the_truth_is_all_of_the_class_whatever_is_marked(dogs):
    reader, episode = dogs
    for format in FORMATS:
        question = reader.to_references(episode, format)
        assert question.truth.sum() == 800
        assert set(np.unique(question.objects)) == {0, 1, 2}
        assert not question.ignored.any()
        assert question.target.shape == (60, 90, 3)


def test_shots_are_nested_and_always_the_same(pets, dogs):
    reader, episode = dogs
    for format in FORMATS:
        three = reader.to_references(episode, format, 3).references
        again = EpisodeReader(pets).to_references(episode, format, 1).references
        assert again[0].content_key == three[0].content_key
        assert len({r.image_key for r in three}) == 3


def test_the_target_is_empty_where_the_class_is_absent(pets):
    episodes = build_episode_list(pets, 0, 3, negatives=1.0, classes=["cat"]).episodes
    question = EpisodeReader(pets).to_references(episodes[0], "box")
    assert episodes[0].negative
    assert not question.truth.any()
    assert not question.objects.any()


def test_without_objects_there_are_no_boxes(tiles):
    episode = build_episode_list(tiles, 0, 1).episodes[0]
    reader = EpisodeReader(tiles)
    assert reader.formats == ("mask", "click", "stroke")
    assert reader.to_references(episode, "click").objects is None
    with pytest.raises(ConfigError, match=r"'box' cannot be drawn on tiles.*mask, click, stroke"):
        reader.to_references(episode, "box")
    parts = EpisodeReader(tiles, components=True)
    assert parts.formats == FORMATS
    assert set(np.unique(parts.to_references(episode, "box").objects)) == {0, 1}


def test_halves_of_one_picture(particles):
    episode = build_episode_list(particles, 0, 1, one_image=True).episodes[0]
    reader = EpisodeReader(particles)
    question = reader.to_references(episode, "outline", 5)
    assert question.target.shape == (60, 45, 3)
    marked = [reference.positive for reference in question.references]
    # Each reference marks another particle of the same half.
    assert np.sum(marked, 0).max() == 1
    assert len({reference.image_key for reference in question.references}) == 1
    # All of them are shown by one mask already.
    assert len(reader.to_references(episode, "mask", 5).references) == 1


def test_masks_of_one_number_fall_into_parts(tmp_path):
    apart = {255: (5, 5, 25, 25)}
    folder = write(tmp_path / "cells", {"a": apart, "b": apart})
    for name in ("a", "b"):
        path = folder / "masks" / f"{name}.png"
        mask = np.array(Image.open(path))
        Image.fromarray(np.maximum(mask, mask[:, ::-1])).save(path)
    dataset = FolderDataset.open(folder)
    episode = build_episode_list(dataset, 0, 1).episodes[0]
    parts = EpisodeReader(dataset, components=True).to_references(episode, "box")
    assert set(np.unique(parts.objects)) == {0, 1, 2}
    assert parts.references[0].positive.sum() < 30 * 30
    whole = EpisodeReader(dataset).to_references(episode, "box")
    assert set(np.unique(whole.objects)) == {0, 255}


def test_objects_that_are_told_apart_stay_so(particles):
    episode = build_episode_list(particles, 0, 1).episodes[0]
    asked = (
        EpisodeReader(particles, components=c).to_references(episode, "click").objects
        for c in (False, True)
    )
    assert np.array_equal(*asked)


class Bright:
    """Two pictures of 16 bits, one of them twice as bright as the other."""

    name = "bright"
    names = ("a", "b")
    class_names = ("cell",)
    groups = dict.fromkeys(names, "")
    fields = {name: name for name in names}  # noqa: RUF012
    has_instances = True

    def __len__(self):
        return 2

    def load(self, index):
        classes = np.zeros((50, 70), np.int32)
        classes[10:30, 10:30] = 1
        image = (1000 * (index + 1) * (1 + classes)).astype(np.uint16)
        return LabelledImage(self.names[index], image, classes, classes, self.class_names)

    def shown(self, index):
        return {1: 400}


@pytest.mark.parametrize("paper", [False, True])
def test_target_and_references_share_their_range_of_intensities(paper):
    episode = Episode(0, 0, "cell", Place("a"), (Place("b"),))
    reader = EpisodeReader(Bright(), paper_side=64)
    ask = reader.to_paper_references if paper else reader.to_references
    question = ask(episode, "mask")
    image = question.references[0].image
    # From 1000 to 4000, as `vrpsam segment` shows them.
    assert np.unique(question.target)[[0, -1]].tolist() == [0, 85]
    assert np.unique(image)[[0, -1]].tolist() == [85, 255]
    assert question.target.dtype == image.dtype == np.uint8
    assert image.shape[2] == 3


class Crowded(Bright):
    """Two pictures of one class, with a crowd of it and a border."""

    name = "crowded"
    class_names = ("person", "dog")

    def load(self, index):
        classes = np.zeros((50, 70), np.int32)
        classes[10:30, 10:30] = 1
        ignored = np.zeros_like(classes)
        ignored[35:45] = 1
        ignored[5:10, 5:10] = EVERY_CLASS
        ignored[45:50] = 2
        image = np.zeros((50, 70, 3), np.uint8)
        return LabelledImage(self.names[index], image, classes, classes, self.class_names, ignored)


def test_what_nobody_knows_is_neither_truth_nor_background():
    episode = build_episode_list(Crowded(), 0, 1).episodes[0]
    question = EpisodeReader(Crowded()).to_references(episode, "mask")
    unknown = np.zeros((50, 70), bool)
    unknown[35:45] = unknown[5:10, 5:10] = True
    assert np.array_equal(question.ignored, unknown)
    (reference,) = question.references
    certain = reference.known_background().certain
    assert np.array_equal(certain, ~unknown & ~reference.positive)


class TestPaperProtocol:
    def test_everything_is_squashed(self, dogs):
        reader, episode = dogs
        question = reader.to_paper_references(episode, "mask")
        assert question.target.shape == (512, 512, 3)
        assert question.truth.shape == question.ignored.shape == (512, 512)
        assert abs(question.truth.mean() - 800 / 5400) < 0.002

    @pytest.mark.parametrize(("kind", "covers"), [("point", 20), ("box", None), ("scribble", None)])
    def test_marks_are_those_of_the_paper(self, dogs, kind, covers):
        reader, episode = dogs
        one, two = (reader.to_paper_references(episode, kind, 2).references[0] for _ in range(2))
        assert one.content_key == two.content_key
        assert one.kind == kind
        assert not one.exhaustive
        mask = reader.to_paper_references(episode, "mask").references[0].positive
        if covers is not None:
            assert one.positive.sum() == covers
        # A box covers both dogs, all other marks lie on them.
        assert (one.positive & ~mask).any() == (kind == "box")

    def test_objects_that_vanish_are_named(self):
        class Speck(Crowded):
            def load(self, index):
                loaded = super().load(index)
                classes = np.zeros((2000, 2000), np.int32)
                classes[1, 1] = 1
                image = np.zeros((2000, 2000, 3), np.uint8)
                return LabelledImage(loaded.name, image, classes, classes, self.class_names)

        episode = build_episode_list(Speck(), 0, 1).episodes[0]
        with pytest.raises(ConfigError, match=r"vanishes.*least_area=2048"):
            EpisodeReader(Speck()).to_paper_references(episode, "point")


class TestWrongData:
    def test_too_many_shots(self, dogs):
        reader, episode = dogs
        with pytest.raises(ConfigError, match=r"4 references: 5 shots.*most_shots"):
            reader.to_references(episode, "box", 5)

    def test_other_pictures_and_classes(self, dogs):
        reader, episode = dogs
        lost = Episode(0, 0, "dog", Place("p9"), episode.references)
        with pytest.raises(ConfigError, match=r"no picture 'p9'.*new list"):
            reader.to_references(lost, "box")
        with pytest.raises(ConfigError, match="no class 'horse'"):
            reader.to_references(Episode(0, 0, "horse", Place("p1"), episode.references), "box")

    def test_labels_that_have_changed(self, pets):
        episode = Episode(0, 0, "cat", Place("p0"), (Place("p5"),))
        with pytest.raises(ConfigError, match="p5 of pets does not show 'cat'"):
            EpisodeReader(pets).to_references(episode, "box")
