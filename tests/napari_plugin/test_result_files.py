from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import npe2
import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.utils.notifications import notification_manager

import napari_plugin
from napari_plugin.layer_frame import matrix_of
from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.measure_work import planes_of
from napari_plugin.placement import SETTING
from napari_plugin.result_files import from_table, read_result, reader_of, write_labels
from napari_plugin.result_record import METADATA_KEY
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.objects.saved_labels import SavedLabels
from vrpsam_app.objects.tables import measure_stack
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference

PLACED = {"scale": (2.0, 0.5, 0.5), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}


@pytest.fixture
def reference(disc_stack):
    return Reference.from_mask(disc_stack[0], disc_stack[0] > 100, label="disc")


@pytest.fixture
def recipe(disc_stack, reference):
    return Recipe.from_run([reference], [TargetRecord.from_image("discs", disc_stack[0])], {})


@pytest.fixture
def labels(disc_stack):
    return (disc_stack > 100).astype(np.int32) * 3


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_a_layer_comes_back_from_its_file(viewer, tmp_path, labels, recipe, name):
    said = {"recipe": recipe.to_json(), "classes": ["disc"], "edited": [[2]]}
    layer = viewer.add_labels(labels, metadata={METADATA_KEY: said}, **PLACED)
    data, attributes, _ = layer.as_layer_data_tuple()
    path = str(tmp_path / name)
    written = write_labels(path, data, attributes)
    assert [p.rpartition("/")[2] for p in written] == [name, "a_recipe.json", "a.csv"]
    read = reader_of(path)
    ((data, attributes, kind),) = read(path)
    again = viewer.add_labels(data, **attributes)
    assert kind == "labels"
    assert np.array_equal(np.asarray(again.data), labels)
    assert isinstance(again.data, np.ndarray)  # so that it can be painted on
    assert np.allclose(again.scale, layer.scale)
    assert again.units == layer.units
    assert again.axis_labels == layer.axis_labels
    held = again.metadata[METADATA_KEY]
    assert held["edited"] == [[2]]
    found = Recipe.from_json(held["recipe"])
    assert found.references[0].content_key == recipe.references[0].content_key
    assert again.features["index"].tolist() == [3]
    assert again.features["volume_um3"].tolist() == [(labels > 0).sum() * 0.5]


OTHER_PLACES = {
    "moved": {"scale": (2, 0.5, 0.5), "translate": (10, 100, 200), "units": ("um",) * 3},
    "no length": {"scale": (3, 0.2, 0.2)},
    "turned": {"scale": (1, 2, 2), "rotate": (0, 0, 30), "shear": (0, 0, 0.2)},
    "affine": {"affine": [[1, 0, 0, 3], [0, 0, 1, 4], [0, -1, 0, 5], [0, 0, 0, 1]]},
    "length 1": {"scale": (2, 1, 0.5, 0.5), "axis_labels": ("t", "z", "y", "x")},
}


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
@pytest.mark.parametrize("place", OTHER_PLACES)
def test_a_saved_result_lies_where_its_layer_lay(viewer, tmp_path, labels, recipe, name, place):
    values = labels[:, None] if place == "length 1" else labels
    said = {METADATA_KEY: {"recipe": recipe.to_json(), "classes": ["disc"]}}
    layer = viewer.add_labels(values, metadata=said, **OTHER_PLACES[place])
    path = str(tmp_path / name)
    write_labels(path, *layer.as_layer_data_tuple()[:2])
    ((data, arguments, _),) = read_result(path)
    again = viewer.add_labels(data, **arguments)
    assert np.array_equal(again.data, values)
    assert np.allclose(matrix_of(again), matrix_of(layer))
    assert np.allclose(again.scale, layer.scale)
    assert (again.units, again.axis_labels) == (layer.units, layer.axis_labels)


def test_labels_that_were_cropped_since_lie_as_their_file_says(viewer, tmp_path, labels, recipe):
    said = {METADATA_KEY: {"recipe": recipe.to_json(), "classes": ["disc"]}}
    layer = viewer.add_labels(labels, metadata=said, translate=(5, 5, 5), **PLACED)
    path = str(tmp_path / "a.tif")
    write_labels(path, *layer.as_layer_data_tuple()[:2])
    tifffile.imwrite(path, labels[:, 4:].astype(np.uint16), metadata={"axes": "ZYX"}, ome=True)
    ((data, arguments, _),) = read_result(path)
    assert data.shape == labels[:, 4:].shape
    assert "translate" not in arguments


@pytest.mark.parametrize("named", [{}, {"class": ["disc"]}], ids=["unnamed", "named"])
def test_what_a_person_wrote_stands_beside_what_is_measured(viewer, tmp_path, labels, named):
    written = {"index": [3], **named, "mine": [0.5]}
    for values, size in ((labels, "voxels"), (labels[0], "area_px")):
        layer = viewer.add_labels(values, features=written)
        write_labels(str(tmp_path / "a.tif"), *layer.as_layer_data_tuple()[:2])
        table = SavedLabels.open(tmp_path / "a.tif").table
        assert table[size].tolist() == [np.count_nonzero(values)]
        kept = {name: table[name].tolist() for name in ("label", *named, "mine")}
        assert kept == {"label": [3], **named, "mine": [0.5]}


def test_a_table_of_other_pixels_is_measured_anew(viewer, tmp_path, labels):
    layer = viewer.add_labels(labels, **PLACED)
    path = str(tmp_path / "a.tif")
    write_labels(path, *layer.as_layer_data_tuple()[:2])
    ((data, _, _),) = read_result(path)
    again = viewer.add_labels(data, features=read_result(path)[0][1]["features"], **PLACED)
    again.features["intensity_mean"] = [200.0]
    write_labels(path, *again.as_layer_data_tuple()[:2])
    assert SavedLabels.open(path).table["intensity_mean"].tolist() == [200]
    again.features["mine"] = ["odd"]
    again.paint((1, 40, 5), 3)  # no result of this viewer: nobody takes its table away
    write_labels(path, *again.as_layer_data_tuple()[:2])
    table = SavedLabels.open(path).table
    assert "without intensities" in notification_manager.records[-1].message
    assert table["mine"].tolist() == ["odd"]
    assert table["voxels"].tolist() == [np.count_nonzero(again.data)]
    assert "intensity_mean" not in table


def test_a_table_of_these_pixels_is_written_without_measuring_shapes(
    viewer, tmp_path, labels, monkeypatch
):
    for values in (labels, labels[0]):
        layer = viewer.add_labels(values)
        layer.features = from_table(measure_stack(LayerPlanes.of(layer).stack).objects)
        before = layer.features.copy()
        with monkeypatch.context() as patched:
            patched.setattr("vrpsam_app.objects.measurements._shapes", None)
            write_labels(str(tmp_path / "a.tif"), *layer.as_layer_data_tuple()[:2])
        table = from_table(SavedLabels.open(tmp_path / "a.tif").table)
        pd.testing.assert_frame_equal(table, before, check_dtype=False, check_exact=False)


def test_a_turned_result_keeps_its_table_and_its_planes(viewer, tmp_path, labels, recipe):
    labels = labels.swapaxes(0, 1)  # rows, slices, columns
    said = {"recipe": recipe.to_json(), "classes": ["disc"], "rows_cols": [0, 2]}
    layer = viewer.add_labels(labels, metadata={METADATA_KEY: said})
    planes = planes_of(layer, None)
    assert planes.rows_cols == (0, 2)
    layer.features = from_table(measure_stack(planes.stack, planes.stack).objects)
    path = str(tmp_path / "a.tif")
    for _ in range(2):
        write_labels(path, *layer.as_layer_data_tuple()[:2])
        assert SavedLabels.open(path).table["intensity_mean"].tolist() == [3]
        ((data, arguments, _),) = read_result(path)
        assert np.array_equal(data, labels)
        layer = viewer.add_labels(data, **arguments)
        assert planes_of(layer, None).rows_cols == (0, 2)


def test_only_what_places_a_layer_is_taken_from_a_file(viewer, tmp_path, labels, recipe):
    said = {METADATA_KEY: {"recipe": recipe.to_json(), "classes": ["disc"]}}
    layer = viewer.add_labels(labels, metadata=said, translate=(5, 5, 5))
    path = tmp_path / "a.tif"
    write_labels(str(path), *layer.as_layer_data_tuple()[:2])
    beside = tmp_path / "a_recipe.json"
    saved = Recipe.load(beside)
    settings = {**saved.settings, SETTING: {**saved.settings[SETTING], "colour": "red"}}
    replace(saved, settings=settings).save(beside, overwrite=True)
    ((data, arguments, _),) = read_result(str(path))
    assert viewer.add_labels(data, **arguments).translate.tolist() == [5, 5, 5]


def test_what_has_only_names_is_measured_and_keeps_them(viewer, tmp_path, labels):
    labels = labels.copy()
    labels[:, :20][labels[:, :20] > 0] = 5
    said = {"numbers": {"disc": [3], "rod": [5]}}
    layer = viewer.add_labels(labels, metadata={METADATA_KEY: said}, **PLACED)
    write_labels(str(tmp_path / "a.tif"), *layer.as_layer_data_tuple()[:2])
    found = SavedLabels.open(tmp_path / "a.tif")
    assert found.classes == {3: "disc", 5: "rod"}
    assert "volume_um3" in found.table


def test_a_layer_of_a_plane_and_of_four_axes_can_be_written(viewer, tmp_path, labels):
    plane = viewer.add_labels(labels[0], scale=(0.5, 0.5), units=("um", "um"))
    write_labels(str(tmp_path / "plane.tif"), *plane.as_layer_data_tuple()[:2])
    assert SavedLabels.open(tmp_path / "plane.tif").stack.axes == ()
    four = viewer.add_labels(np.stack([labels, labels]))
    write_labels(str(tmp_path / "four.tif"), *four.as_layer_data_tuple()[:2])
    assert SavedLabels.open(tmp_path / "four.tif").stack.leading_shape == (2, len(labels))


def test_references_of_a_library_and_a_recipe_lie_side_by_side(viewer, tmp_path, reference, recipe):
    library = ReferenceLibrary().add("bright", reference).add("other", reference.as_not_this())
    library.save(tmp_path / "library.zip")
    recipe.save(tmp_path / "run_recipe.json")
    read = reader_of(str(tmp_path / "library.zip"))
    for data, arguments, kind in read(str(tmp_path / "library.zip")):
        getattr(viewer, f"add_{kind}")(data, **arguments)
    assert [x.name for x in viewer.layers] == ["bright", "bright: marks", "other", "other: marks"]
    first, marks, second, others = viewer.layers
    assert np.array_equal(marks.data == 1, reference.positive)
    assert np.array_equal(others.data == 2, reference.positive)
    assert second.translate[1] >= first.data.shape[1]
    read = reader_of(str(tmp_path / "run_recipe.json"))
    assert [x[1]["name"] for x in read(str(tmp_path / "run_recipe.json"))] == [
        "disc",
        "disc: marks",
    ]


def test_files_of_others_are_left_to_others(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.tif")
    (tmp_path / "a.zip").write_bytes(b"no zip")
    for name in ("a.tif", "a.zip", "missing.tif", "a.png"):
        assert reader_of(str(tmp_path / name)) is None
    assert reader_of([str(tmp_path / "a.tif")]) is None


def test_the_manifest_leads_to_what_is_there():
    path = Path(napari_plugin.__file__).with_name("napari.yaml")
    contributions = npe2.PluginManifest.from_file(path).contributions
    names = {command.id: command.python_name for command in contributions.commands}
    used = [
        *(sample.command for sample in contributions.sample_data),
        *(reader.command for reader in contributions.readers),
        *(writer.command for writer in contributions.writers),
        *(widget.command for widget in contributions.widgets),
    ]
    assert len(used) >= 10
    for command in used:
        module, _, name = str(names[command]).partition(":")
        assert callable(getattr(importlib.import_module(module), name))
