"""The segment widget with the model that comes with the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vrpsam_app.cli import main
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
from vrpsam_app.models.load import load_model
from vrpsam_app.predictor import VRPSAMPredictor


@pytest.fixture(scope="module")
def weights() -> tuple[Any, str]:
    model, folder = load_model("embedded")
    return model, folder.sha256


@pytest.fixture
def model(weights: tuple[Any, str]) -> VRPSAMPredictor:
    """Return the model with an empty store of embeddings."""
    loaded, sha256 = weights
    store = EmbeddingStore()
    return VRPSAMPredictor(loaded, device=torch.device("cpu"), sha256=sha256, store=store)


def test_two_clicks_from_the_sample_to_a_mask(viewer, make_widget, settle, model, qtbot):
    from napari_plugin.sample_data import nuclei_stack

    layers = nuclei_stack()
    for data, arguments, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **arguments)
    truth = layers[1][0]
    widget = make_widget(viewer, model)
    other = len(truth) // 2 + 2
    viewer.dims.set_point(0, other * float(viewer.layers[0].scale[0]))
    widget.form.live.setChecked(False)
    settle(widget)
    widget.form.this_slice.click()  # the second click; the first one opened the sample
    settle(widget)
    (record,) = widget.session.results
    found = record.layer.data[other] == 1 + record.classes.index("nucleus")
    wanted = truth[other] > 0
    assert (found & wanted).sum() / (found | wanted).sum() >= 0.7


@pytest.fixture
def blobs(make_discs: Any) -> np.ndarray:
    """A small stack of 16 bits with some noise."""
    stack = make_discs(3, (64, 80)).astype(np.uint16) * 10
    return stack + np.random.default_rng(0).integers(0, 200, stack.shape).astype(np.uint16)


def box(viewer: Any, widget: Any, plane: int) -> None:
    viewer.dims.set_point(0, plane)
    widget.pick_tool("box")
    shapes = viewer.layers.selection.active
    top, left, side = 7.5, 7.5 + plane, 13
    corners = [(0, 0), (0, side), (side, side), (side, 0)]
    shapes.add_rectangles([np.array([[plane, top + r, left + c] for r, c in corners])])


def test_another_reference_encodes_nothing(viewer, make_widget, settle, model, weights, blobs):
    viewer.add_image(blobs)
    widget = make_widget(viewer, model)
    loaded, _ = weights
    counted: list[int] = []
    encode = loaded.encode_images

    def counting(images: Any) -> Any:
        counted.append(len(images))
        return encode(images)

    loaded.encode_images = counting
    try:
        box(viewer, widget, 1)
        settle(widget)
        assert sum(counted) == 1  # the slice is the reference's image as well
        for plane in (0, 2):
            viewer.dims.set_point(0, plane)
            settle(widget)
        encoded = sum(counted)
        assert encoded == 3
        assert re.search(r"s on cpu; all 3 slices: ", widget.form.status.text())
        box(viewer, widget, 2)  # another reference, from another slice
        settle(widget)
        for plane in (0, 1):
            viewer.dims.set_point(0, plane)
            settle(widget)
        widget.segment_all()
        settle(widget)
        assert sum(counted) == encoded
    finally:
        del loaded.encode_images


def test_embeddings_outlive_napari_and_fit_no_other_image(
    viewer, make_widget, settle, weights, blobs, tmp_path: Path
):
    loaded, sha256 = weights
    image = viewer.add_image(blobs)
    widget = make_widget(viewer)
    counted: list[int] = []
    encode = loaded.encode_images

    def encoded_by(segmenter: VRPSAMPredictor) -> int:
        """Answer a slice with a model that was just loaded; count the pictures it encodes."""
        widget.session.shelf.put(widget.session.choice, segmenter)
        counted.clear()
        widget.segment_planes([(0,)], again=True)
        settle(widget)
        return sum(counted)

    def restarted(sha256: str = sha256) -> VRPSAMPredictor:
        store = DiskEmbeddingStore(tmp_path / "embeddings")
        return VRPSAMPredictor(loaded, device=torch.device("cpu"), sha256=sha256, store=store)

    widget.form.live.setChecked(False)
    box(viewer, widget, 1)
    settle(widget)
    loaded.encode_images = lambda images: (counted.append(len(images)), encode(images))[1]
    try:
        assert encoded_by(restarted()) == 2  # the slice, and that of the reference
        assert encoded_by(restarted()) == 0
        assert encoded_by(restarted("1" * 64)) == 2  # another model
        brighter = blobs.copy()
        brighter[2] = np.minimum(brighter[2] * 4, 65535)  # another range for the same slice
        image.data = brighter
        settle(widget)
        assert encoded_by(restarted()) == 2
        assert encoded_by(restarted()) == 0
    finally:
        del loaded.encode_images


@pytest.mark.parametrize("objects", [False, True])
def test_the_command_line_replays_the_recipe_to_the_same_labels(
    objects, viewer, make_widget, settle, model, blobs, tmp_path: Path
):
    import tifffile

    file = tmp_path / "blobs.tif"
    tifffile.imwrite(file, blobs, imagej=True, metadata={"axes": "ZYX"})
    viewer.add_image(blobs, name="blobs")
    widget = make_widget(viewer, model)
    widget.form.live.setChecked(False)
    widget.form.show_as.setCurrentIndex(int(not objects))
    widget.form.threshold.setValue(0.4)
    box(viewer, widget, 1)
    settle(widget)
    widget.segment_all()
    settle(widget)
    (record,) = widget.session.results
    recipe = tmp_path / "recipe.json"
    words = widget.copy_text("command", recipe).split()
    assert words[:4] == ["vrpsam", "segment", "--recipe", str(recipe)]
    assert "The image has no file: stack.tif stands for it." in widget.form.status.text()
    words[words.index("--target") + 1] = str(file)
    words[words.index("--out") + 1] = str(tmp_path / "out")
    assert main(words[1:]) == 0
    name = "blobs_objects.tif" if objects else "blobs_labels.tif"
    replayed = tifffile.imread(tmp_path / "out" / name)
    assert replayed.any()
    assert np.array_equal(replayed, record.layer.data)


def test_the_python_text_replays_to_the_same_labels(
    viewer, make_widget, settle, model, blobs, tmp_path: Path, monkeypatch
):
    import zarr

    np.save(tmp_path / "stack.npy", blobs)
    viewer.add_image(blobs)
    widget = make_widget(viewer, model)
    widget.form.live.setChecked(False)
    box(viewer, widget, 1)
    settle(widget)
    widget.segment_all()
    settle(widget)
    (record,) = widget.session.results
    text = widget.copy_text("python", tmp_path / "recipe.json").replace("stack.tif", "stack.npy")
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "copied.py", "exec"), {})
    replayed = np.asarray(zarr.open_array(tmp_path / "stack_labels.zarr", mode="r"))
    assert np.array_equal(replayed > 0, record.layer.data > 0)


def test_an_unsure_model_names_another_method(
    viewer, make_widget, settle, model, blobs, monkeypatch
):
    import hub_weights

    viewer.add_image(blobs)
    widget = make_widget(viewer, model)
    box(viewer, widget, 1)
    settle(widget)
    assert "matching" not in widget.form.status.text()
    viewer.dims.set_point(0, 0)
    known = [w for w in hub_weights.list_weights() if w.name in ("sam_vit_b", "dinov2_b14")]
    monkeypatch.setattr("hub_weights.list_weights", lambda: known)
    monkeypatch.setattr("vrpsam_app.methods.suggestion.UNSURE", 1.1)
    settle(widget)
    words = widget.form.status.text()
    assert "The method matching may know better, with sam_vit_b and dinov2_b14 (" in words
    choice = widget.advanced.choice()
    widget.advanced.features.native.setCurrentText("dinov2_b14")
    assert choice["features"] == ""
    assert widget.settings().choice.features == "dinov2_b14"
