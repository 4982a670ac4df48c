"""The measure and export panel in a real viewer."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_plugin.image_choice import ImageChoice
from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.measure_widget import MeasureWidget
from napari_plugin.measure_work import holds_classes
from napari_plugin.questions import Question, Ranges
from napari_plugin.result_files import read_result, reader_of
from napari_plugin.result_layers import write_undoable
from napari_plugin.run_settings import RunSettings
from napari_plugin.session import Session
from napari_plugin.stack_flow import StackFlow
from vrpsam_app.exchange.formats import FORMATS, read_objects
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference

SCALED = {"scale": (2.0, 0.5, 0.5), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}


@pytest.fixture
def labels(disc_stack):
    """Two objects with numbers that go through the stack."""
    numbers = (disc_stack > 100).astype(np.int32)
    numbers[:, 23:] *= 2
    return numbers


@pytest.fixture
def dock(viewer, qtbot):
    """Dock the panel; and wait until it has nothing left to do."""

    def make():
        panel = MeasureWidget(viewer)
        viewer.window.add_dock_widget(panel)
        return panel

    return make


@pytest.fixture
def done(qtbot):
    def wait(panel):
        qtbot.waitUntil(lambda: not panel.busy, timeout=20_000)
        assert panel.news == "" or "written" in panel.news or "layer" in panel.news, panel.news

    return wait


def lines(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_features_and_csv_say_the_same_in_micrometres(
    viewer, dock, done, disc_stack, labels, tmp_path
):
    viewer.add_image(disc_stack, name="discs", **SCALED)
    layer = viewer.add_labels(labels, name="objects", **SCALED)
    panel = dock()
    assert panel.image.layer is not None  # the image of the same shape
    panel.measure_button.click()
    done(panel)
    features = layer.features
    assert features["index"].tolist() == [1, 2]
    voxels = np.bincount(labels.ravel())[1:]
    assert features["volume_um3"].tolist() == (voxels * 0.5).tolist()
    assert features["intensity_mean"].tolist() == [200, 200]
    assert "2 objects, median volume" in panel.summary.text()
    panel.save_table(tmp_path / "objects")
    written = lines(tmp_path / "objects.csv")
    assert [int(line["label"]) for line in written] == features["index"].tolist()
    for name in ("volume_um3", "largest_area_um2", "intensity_mean", "row_px"):
        said = [float(line[name]) for line in written]
        assert said == pytest.approx(features[name].tolist())
    panel.save_table(tmp_path / "slices.csv", planes=True)
    assert len(lines(tmp_path / "slices.csv")) == 2 * len(labels)
    # napari shows them where the mouse is.
    status = layer.get_status(tuple(np.array([0, 14, 14]) * layer.scale), world=True)
    assert "volume_um3" in str(status)


def test_the_table_opens_below_the_image_and_stays_where_it_is_put(viewer, dock, done, labels):
    from napari.utils._proxies import PublicOnlyProxy
    from qtpy.QtCore import Qt

    viewer.add_labels(labels, **SCALED)
    panel = MeasureWidget(PublicOnlyProxy(viewer))  # as napari makes it
    viewer.window.add_dock_widget(panel)
    panel.measure_button.click()
    done(panel)
    shown = set(viewer.window.dock_widgets)
    panel.table_button.click()
    (name,) = set(viewer.window.dock_widgets) - shown
    table = viewer.window.dock_widgets[name].parent()
    areas = Qt.DockWidgetArea
    assert table.parent().dockWidgetArea(table) == areas.BottomDockWidgetArea
    table.parent().addDockWidget(areas.LeftDockWidgetArea, table)
    panel.table_button.click()
    assert table.parent().dockWidgetArea(table) == areas.LeftDockWidgetArea
    assert panel.news == ""


def test_sizes_grow_with_the_voxel(viewer, dock, done, labels):
    layer = viewer.add_labels(labels, **SCALED)
    panel = dock()
    panel.measure_button.click()
    done(panel)
    small = layer.features.copy()
    layer.scale = (4.0, 1.0, 1.0)
    panel.measure_button.click()
    done(panel)
    assert (layer.features["volume_um3"] / small["volume_um3"]).tolist() == [8, 8]
    assert (layer.features["largest_area_um2"] / small["largest_area_um2"]).tolist() == [4, 4]


def test_without_units_all_is_in_pixels_and_said_so(viewer, dock, done, labels):
    viewer.add_labels(labels)
    panel = dock()
    panel.measure_button.click()
    done(panel)
    assert "all in pixels" in panel.summary.text()
    assert not any(name.endswith("um3") for name in panel.measured.objects)


def test_masks_become_objects_with_numbers_through_the_stack(viewer, dock, done, labels):
    source = viewer.add_labels((labels > 0).astype(np.uint8), name="mask", **SCALED)
    panel = dock()
    panel.link_button.click()
    done(panel)
    layer = viewer.layers["mask objects"]
    assert np.array_equal(layer.data, labels)
    assert np.allclose(layer.scale, source.scale)
    assert panel.labels.layer is layer
    assert set(np.unique(source.data)) == {0, 1}  # as it was


def test_numbers_of_each_slice_are_linked(viewer, dock, done, labels):
    mixed = labels.copy()
    mixed[1::2] = np.where(mixed[1::2] > 0, 3 - mixed[1::2], 0)  # swapped in every other slice
    viewer.add_labels(mixed, name="cells")
    panel = dock()
    panel.link_button.click()
    done(panel)
    assert np.array_equal(viewer.layers["cells objects"].data, labels)


@pytest.fixture
def result(viewer, grey, disc_stack, qtbot, tmp_path):
    """A result of two classes: bright discs, and what is dark."""
    image = viewer.add_image(disc_stack, name="discs", **SCALED)
    session = Session.of(viewer)
    session.preferences = replace(session.preferences, cache_gb=0.0)
    session.shelf.put(session.choice, grey)
    for label, mask in (("disc", disc_stack[2] > 100), ("ground", disc_stack[2] < 100)):
        session.add_reference(Reference.from_mask(disc_stack[2], mask, label=label))
    panel = MeasureWidget(viewer)
    viewer.window.add_dock_widget(panel)
    run(panel, LayerPlanes.of(image), qtbot)
    return panel


def run(panel, planes, qtbot, items=None, **settings):
    """Answer all planes, by all references of the viewer or by some."""
    flow = StackFlow(panel.viewer, panel.session, panel.workers, Ranges())
    question = Question(planes, items or panel.session.references, RunSettings(**settings))
    flow.answer_planes(question, list(planes.stack.indices()))
    qtbot.waitUntil(lambda: not flow.running, timeout=20_000)


def test_classes_are_named_and_cut_apart(result, viewer, done, tmp_path):
    panel = result
    assert panel.record is not None  # the newest result is chosen
    panel.measure_button.click()
    done(panel)
    assert panel.labels.layer.features["class"].tolist() == ["disc", "ground"]
    said = "2 classes, not objects: press 'Number objects through the stack' first."
    assert panel.summary.text() == said
    panel.save_labels(tmp_path / "classes.tif")
    done(panel)
    ((data, arguments, _),) = read_result(tmp_path / "classes.tif")
    assert holds_classes(viewer.add_labels(data, **arguments), None)
    panel.link_button.click()
    done(panel)
    objects = viewer.layers["discs objects"]
    named = dict(zip(objects.features["index"], objects.features["class"], strict=True))
    assert sorted(named.values())[:3] == ["disc", "disc", "ground"]
    assert set(named.values()) == {"disc", "ground"}
    panel.measure_button.click()
    done(panel)
    again = dict(zip(objects.features["index"], objects.features["class"], strict=True))
    assert again == named
    assert panel.summary.text().startswith(f"{len(named)} objects (")
    assert "median volume" in panel.summary.text()


def test_ends_of_objects_stay_and_specks_go(result, viewer, done):
    classes = result.record.layer.data
    classes[0][classes[0] == 1] = 2
    classes[0, 14:16, 14:16] = classes[3, 2:4, 2:4] = 1
    result.link_button.click()
    done(result)
    layer = viewer.layers["discs objects"]
    assert layer.data[0, 14, 14] == layer.data[1, 14, 14] > 0
    assert layer.data[3, 2, 2] == 0
    named = dict(zip(layer.features["index"], layer.features["class"], strict=True))
    assert sorted(named) == np.unique(layer.data).tolist()[1:] == list(range(1, len(named) + 1))
    assert named[layer.data[0, 14, 14]] == "disc"


def test_what_a_person_wrote_stays_until_numbers_are_given_anew(result, done, qtbot, tmp_path):
    panel, record = result, result.record
    disc = panel.session.references[:1]
    objects = ObjectOptions(method="components")
    run(panel, record.planes, qtbot, disc, objects=objects)
    record = panel.session.results[-1]
    layer = record.layer
    panel.labels.choose(layer)
    layer.features = {"index": [1, 2], "note": ["dividing", "dead"]}

    def notes():
        features = layer.features
        return [] if "note" not in features else features["note"].dropna().tolist()

    panel.measure_button.click()
    done(panel)
    assert layer.features["voxels"].tolist() == [113 * 6] * 2
    assert notes() == ["dividing", "dead"]
    layer.paint((1, 40, 5), 2)
    assert "voxels" not in layer.features
    assert notes() == ["dividing", "dead"]
    assert not panel.csv_button.isEnabled()
    write_undoable(record, (1,), np.zeros_like(record.plane((1,))))
    run(panel, record.planes, qtbot, disc, objects=objects, threshold=0.7)
    assert notes() == ["dividing", "dead"]  # a painted slice stays, so numbers go on
    record.release(record.edited)
    run(panel, record.planes, qtbot, disc, objects=objects, threshold=0.6)
    assert notes() == []
    record.revert()
    assert notes() == ["dividing", "dead"]


@pytest.mark.parametrize("change", ["run", "revert", "slice", "paint"])
def test_what_was_measured_goes_with_the_pixels_it_was_of(result, done, qtbot, tmp_path, change):
    panel, record = result, result.record
    disc = panel.session.references[:1]
    objects = ObjectOptions(method="components")
    run(panel, record.planes, qtbot, disc, objects=objects)
    record = panel.session.results[-1]
    panel.labels.choose(record.layer)
    if change == "revert":
        run(panel, record.planes, qtbot, disc, objects=objects, threshold=0.7)
    panel.measure_button.click()
    done(panel)
    assert record.layer.features["voxels"].tolist() == [113 * 6] * 2
    assert panel.csv_button.isEnabled()
    if change == "run":
        run(panel, record.planes, qtbot, disc, objects=objects, threshold=0.7)
    elif change == "revert":
        record.revert()
    elif change == "slice":
        write_undoable(record, (1,), np.zeros_like(record.plane((1,))))
    else:
        record.layer.paint((1, 40, 5), 7)
    assert set(record.layer.features.columns) <= {"index", "class"}
    assert panel.measured is None
    assert panel.summary.isHidden()
    assert not panel.csv_button.isEnabled()
    assert not panel.planes_button.isEnabled()
    panel.save_labels(tmp_path / "a.tif")
    done(panel)
    sizes = [int(line["voxels"]) for line in lines(tmp_path / "a.csv")]
    assert sizes == [n for n in np.bincount(record.layer.data.ravel())[1:] if n]


def test_intensities_are_those_of_the_chosen_layer_as_it_is(result, viewer, done, disc_stack):
    panel, image = result, viewer.layers["discs"]

    def intensities():
        panel.measure_button.click()
        done(panel)
        return panel.labels.layer.features["intensity_mean"].tolist()

    assert intensities() == [200, 20]
    image.data = np.full_like(disc_stack, 7)
    assert intensities() == [7, 7]
    image.name = "before"
    panel.image.choose(viewer.add_image(np.full_like(disc_stack, 9), name="discs", **SCALED))
    assert intensities() == [9, 9]
    image.data = np.stack([disc_stack // 2, disc_stack])  # other channels of it
    panel.session.choose_of_image(image, ImageChoice(channel_axis=0, channels=(1,)))
    panel.image.choose(image)
    assert intensities() == [200, 20]


def test_a_result_whose_axes_were_turned_is_read_as_it_is(result, viewer, done, qtbot, tmp_path):
    panel, image = result, viewer.layers["discs"]
    run(panel, LayerPlanes.of(image, shown=(0, 2)), qtbot)
    layer = panel.session.results[-1].layer
    panel.labels.choose(layer)
    path = str(tmp_path / "a.tif")
    panel.save_labels(tmp_path / "a.tif")
    done(panel)
    ((data, arguments, _),) = read_result(path)
    assert np.array_equal(data, layer.data)
    assert np.allclose(arguments["scale"], layer.scale)


def test_specks_are_no_objects_where_references_tell_their_size(result, viewer, done):
    panel = result
    source = panel.labels.layer
    source.data_setitem(tuple(np.array([[4], [4], [50]])), 1)  # a pixel, far from both discs
    panel.link_button.click()
    done(panel)
    objects = viewer.layers["discs objects"]
    assert objects.data[4, 4, 50] == 0
    assert list(objects.features["class"]).count("disc") == 2


def test_a_result_is_saved_with_its_recipe_and_read_again(result, done, tmp_path):
    panel = result
    panel.record.mark_edited([(1,)])
    panel.save_labels(tmp_path / "out.ome.zarr")
    done(panel)
    recipe = Recipe.load(tmp_path / "out_recipe.json")
    assert [r.label for r in recipe.references] == ["disc", "ground"]
    assert recipe.settings["edited_planes"] == [[1]]
    path = str(tmp_path / "out.ome.zarr")
    ((data, arguments, _),) = reader_of(path)(path)
    assert np.array_equal(data, panel.labels.layer.data)
    assert arguments["metadata"]["vrpsam-app"]["edited"] == [[1]]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_is_written_and_reads_back(
    viewer, dock, done, labels, disc_stack, tmp_path, form
):
    viewer.add_image(disc_stack, name="my discs")
    layer = viewer.add_labels(labels, name="objects")
    layer.features = {"index": [1, 2], "class": ["top", "bottom"]}
    panel = dock()
    panel.format.setCurrentIndex(panel.format.findData(form))
    panel.export(tmp_path)
    done(panel)
    assert "written" in panel.news
    files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert any("my_discs" in path.name for path in files) or form == "coco"
    if form == "coco":
        found = json.loads(files[0].read_text())
        assert len(found["images"]) == len(labels)
        assert {c["name"] for c in found["categories"]} == {"bottom", "top"}
    elif form == "geojson":
        planes = read_objects(files[0], hw=labels.shape[1:])
        assert np.array_equal(np.stack([p.labels for p in planes]), labels)
        assert planes[0].classes == {1: "top", 2: "bottom"}
    elif form == "png":
        assert np.array_equal(read_objects(files[2])[0].labels, labels[2])


def test_what_is_there_is_not_replaced(viewer, dock, done, labels, tmp_path, qtbot):
    viewer.add_labels(labels, name="objects")
    panel = dock()
    panel.export(tmp_path)
    done(panel)
    panel.export(tmp_path)
    qtbot.waitUntil(lambda: not panel.busy)
    assert "exist" in panel.news


def test_an_image_of_another_shape_does_not_fit(viewer, dock, labels, disc_stack, qtbot):
    viewer.add_labels(labels, name="objects")
    other = viewer.add_image(disc_stack[:, :20], name="other")
    panel = dock()
    panel.image.choose(other)
    panel.measure()
    qtbot.waitUntil(lambda: not panel.busy)
    assert "expected the same" in panel.news


def test_without_layers_it_says_what_to_do(viewer, dock, tmp_path):
    panel = dock()
    for act in (panel.measure, panel.link, lambda: panel.save_labels(tmp_path / "x.tif")):
        act()
        assert "no layer of objects" in panel.news
    assert not panel.measure_button.isEnabled()
