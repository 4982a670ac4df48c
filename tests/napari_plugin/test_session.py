"""What a viewer has: references, a model, results; without Qt and without a window."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers._source import layer_source

from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.model_choice import ModelChoice, ModelShelf
from napari_plugin.session import Session
from vrpsam_app.annotations import Point
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ConfigError
from vrpsam_app.references import Reference
from vrpsam_app.stacks.stack import PixelSize


def example(label: str = "cell", row: float = 10) -> Reference:
    image = np.arange(900, dtype=np.uint16).reshape(30, 30)
    return Reference.from_annotations(image, [Point(row, 12)], label=label)


@pytest.fixture
def session() -> Session:
    return Session.of(ViewerModel())


def test_each_viewer_has_one_that_ends_with_it():
    from napari_plugin.session import _SESSIONS

    viewer, other = ViewerModel(), ViewerModel()
    assert Session.of(viewer) is Session.of(viewer)
    assert Session.of(viewer) is not Session.of(other)
    count = len(_SESSIONS)
    del other
    gc.collect()
    assert len(_SESSIONS) == count - 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_data_that_a_script_put_into_a_layer_are_no_file_s(when, tmp_path):
    viewer = ViewerModel()
    if when == "after":
        Session.of(viewer)
    with layer_source(path=str(tmp_path / "raw.tif")):
        layer = viewer.add_image(np.zeros((8, 8), np.uint8))
        viewer.add_points()
    Session.of(viewer)
    assert LayerPlanes.of(layer).source == tmp_path / "raw.tif"
    with layer_source(path=str(tmp_path / "raw.tif")):
        other = viewer.add_image(np.zeros((8, 8), np.uint8))
    for changed in (layer, other):
        changed.data = 255 - changed.data
        assert LayerPlanes.of(changed).source is None


def test_references_come_go_and_change(session: Session):
    told: list[int] = []
    session.references_changed.connect(lambda: told.append(len(session.references)))
    first = session.add_reference(example(), where="slice 3")
    second = session.add_reference(example(row=20))
    assert [i.name for i in session.references] == ["cell", "cell 2"]
    against = session.say_not_this(second)
    assert against.is_not_this
    assert against.name == "not cell"
    session.change_reference(first, active=False)
    assert session.active_references() == (against.reference,)
    with pytest.raises(ConfigError, match="already"):
        session.change_reference(first, name="NOT CELL")
    session.remove_reference(second)  # by what it was: the key counts
    assert [i.name for i in session.references] == ["cell"]
    assert told == [1, 2, 2, 2, 1]
    assert session.references[0].thumbnail.shape[2] == 3


def test_marks_are_followed_until_they_are_kept(session: Session):
    session.add_reference(example("kept"))
    size = PixelSize(0.5, 0.5)
    session.follow_marks("m", [("m/1", example(), "z 1")], pixel_size=size, image="x")
    (_, item) = session.references
    assert (item.image, item.pixel_size, item.where) == ("x", size, "z 1")
    told: list[int] = []
    session.references_changed.connect(lambda: told.append(1))
    session.follow_marks("m", [("m/1", example(), "z 1")])
    assert told == []  # nothing has changed
    session.follow_marks("m", [("m/1", example(row=5), "z 1"), ("m/2", example(), "z 2")])
    assert session.references[1].key is item.key
    session.keep_reference(session.references[1])
    session.follow_marks("m", [])
    assert [i.name for i in session.references] == ["kept", "cell"]
    assert session.reference_pixel_size() is None  # that of the first one is not known


def test_a_library_there_and_back(session: Session, tmp_path: Path):
    session.add_reference(example(), name="round")
    session.say_not_this(session.add_reference(example("other")))
    path = session.save_library(tmp_path / "cells.zip")
    other = Session.of(ViewerModel())
    other.add_reference(example(), name="ROUND")
    loaded = other.load_library(path)
    assert [i.name for i in loaded] == ["round 2", "not other"]
    assert loaded[0].reference.content_key == session.references[0].reference.content_key


def test_a_choice_loads_nothing_and_a_shelf_loads_once(session: Session):
    told: list[ModelChoice] = []
    session.choice_changed.connect(told.append)
    session.choose(method="tuned_threshold")
    session.choose(method="tuned_threshold")
    assert [c.method for c in told] == ["tuned_threshold"]
    assert session.shelf.loaded(session.choice) is None
    shelf = ModelShelf(EmbeddingStore)
    found = shelf.segmenter(session.choice)
    assert shelf.segmenter(session.choice) is found
    shelf.segmenter(ModelChoice(method="training_free_prior"))
    assert shelf.loaded(session.choice) is found  # the same weights
    shelf.segmenter(ModelChoice(model="other", method="training_free_prior"))
    assert shelf.loaded(session.choice) is None
    with pytest.raises(ConfigError, match="no method 'magic'"):
        shelf.segmenter(ModelChoice(method="magic"))
