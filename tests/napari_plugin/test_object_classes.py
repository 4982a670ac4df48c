"""Objects of several classes in a real viewer: found, corrected, painted, measured, saved."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.measure_widget import MeasureWidget
from napari_plugin.measure_work import classes_of_layer
from napari_plugin.questions import Question
from napari_plugin.result_files import reader_of, write_labels
from napari_plugin.revert import revert
from napari_plugin.review_widget import ReviewWidget
from napari_plugin.run_settings import RunSettings
from napari_plugin.session import Session
from napari_plugin.slice_references import references_of_slice
from vrpsam_app.label_images import count_objects
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.objects.saved_labels import SavedLabels
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs.run import segment_stack

NUCLEUS, ROD = 200, 110
OBJECTS = ObjectOptions(method="components")


@pytest.fixture
def stack():
    """A nucleus and a rod in all slices; at a third place a nucleus, and from slice 3 on a rod."""
    values = np.full((6, 40, 50), 20, np.uint8)
    values[:, 25:35, 5:15] = ROD
    values[:, 25:35, 30:40] = NUCLEUS
    values[:3, 5:15, 5:15], values[3:, 5:15, 5:15] = NUCLEUS, ROD
    return values


def kinds(stack):
    return {"nucleus": stack == NUCLEUS, "rod": stack == ROD}


@pytest.fixture
def dock(viewer, stack, grey, qtbot, tmp_path):
    """Dock the review panel over a stack, and answer what is asked by both classes."""
    image = viewer.add_image(stack, name="cells")
    session = Session.of(viewer)
    session.preferences = replace(session.preferences, folder=str(tmp_path), cache_gb=0.0)
    session.shelf.put(session.choice, grey)
    for label, mask in kinds(stack[0]).items():
        session.add_reference(Reference.from_mask(stack[0], mask, label=label))
    panel = ReviewWidget(viewer)
    viewer.window.add_dock_widget(panel)
    planes = LayerPlanes.of(image)

    def run(indices=None, *, items=None, wait=True, slice_only=False, objects=OBJECTS, **settings):
        asked = RunSettings(objects=objects, **settings)
        question = Question(planes, items or session.references, asked)
        if slice_only:
            panel.flow.answer_slice(question, indices[0])
        else:
            panel.flow.answer_planes(question, indices or list(planes.stack.indices()))
        if wait:
            qtbot.waitUntil(lambda: not panel.flow.running, timeout=30_000)
            assert panel.news == ""
        return session.results[-1]

    return panel, run


def check(record, stack, answered=range(6)):
    """Each number of a result is of one class, and that is what the picture shows there."""
    data, named = np.asarray(record.layer.data), record.named
    for label, mask in kinds(stack).items():
        numbers = [number for number, name in named.items() if name == label]
        for z in answered:
            assert np.array_equal(np.isin(data[z], numbers), mask[z]), (label, z)
    features = record.layer.features
    told = dict(zip(features["index"], features["class"], strict=True))
    assert set(np.unique(data)) - {0} <= set(told)
    assert told == {n: name for n, name in named.items() if n in told}
    held = record.layer.metadata["vrpsam-app"]["numbers"]
    assert {n: name for name, numbers in held.items() for n in numbers} == told


def numbers_at(record, row, col):
    return np.asarray(record.layer.data)[:, row, col].tolist()


def test_a_stack_knows_the_class_of_each_number(dock, stack):
    _, run = dock
    record = run()
    check(record, stack)
    assert numbers_at(record, 10, 10) == [1, 1, 1, 4, 4, 4]  # not one object
    assert record.named == {1: "nucleus", 2: "nucleus", 3: "rod", 4: "rod"}
    assert "class: rod" in str(record.layer.get_status((0, 30, 10), world=True))


def test_numbers_are_those_of_a_run_on_disk_class_by_class(dock, stack, grey, tmp_path):
    panel, run = dock
    record = run()
    references = [item.reference for item in panel.session.references]
    stored = segment_stack(grey, stack, references, tmp_path / "r_labels.tif", objects=OBJECTS)
    assert set(stored.objects) == {"nucleus", "rod"}
    for label, paths in stored.objects.items():
        numbers = [number for number, name in record.named.items() if name == label]
        own = np.where(np.isin(record.layer.data, numbers), record.layer.data, 0)
        assert np.array_equal(count_objects(own).dense, tifffile.imread(paths.labels))
        # What the run wrote opens with its class and its recipe.
        ((_, arguments, _),) = reader_of(str(paths.labels))(str(paths.labels))
        assert set(arguments["features"]["class"]) == {label}
        assert arguments["metadata"]["vrpsam-app"]["classes"] == ["nucleus", "rod"]


@pytest.mark.parametrize("rule", ["unique", "separate"])
def test_other_rules_keep_classes_apart_as_well(dock, stack, rule):
    _, run = dock
    check(run(links=LinkOptions(rule=rule)), stack)


def test_time_and_depth(viewer, dock, stack, qtbot):
    panel, _ = dock
    four = np.stack([stack, stack[::-1]])
    image = viewer.add_image(four, axis_labels=("t", "z", "y", "x"))
    planes = LayerPlanes.of(image)
    settings = RunSettings(objects=OBJECTS)
    question = Question(planes, panel.session.references, settings)
    panel.flow.answer_planes(question, list(planes.stack.indices()))
    qtbot.waitUntil(lambda: not panel.flow.running, timeout=30_000)
    record = panel.session.results[-1]
    check(record, four.reshape(12, 40, 50), answered=())
    data = record.layer.data
    for label, mask in kinds(four).items():
        assert {record.named[n] for n in np.unique(data[mask])} == {label}
    assert np.array_equal(data[0, :, 30, 10], data[1, :, 30, 10])


def test_a_range_and_then_the_rest(dock, stack):
    _, run = dock
    record = run([(1,), (2,), (3,)])
    check(record, stack, range(1, 4))
    run([(0,), (4,), (5,)])
    check(record, stack)
    assert int(np.max(record.layer.data)) == 4
    record.revert()
    check(record, stack, range(1, 4))


@pytest.mark.parametrize("objects", [OBJECTS, None])
def test_slices_that_revert_leaves_have_the_numbers_of_what_comes_back(dock, stack, objects):
    panel, run = dock
    nucleus, rod = panel.session.references
    record = run(items=(nucleus,), objects=objects)
    layer = record.layer
    before = layer.data.copy()
    run(items=(rod, nucleus), objects=objects)
    layer.paint((4, 3, 45), int(layer.data[4, 30, 35]))  # more of the nucleus
    painted = layer.data[4] > 0
    assert revert(record, lambda planes, edited: "leave")
    assert np.array_equal(np.delete(layer.data, 4, 0), np.delete(before, 4, 0))
    assert np.array_equal(layer.data[4] > 0, painted)
    assert record.classes == ("nucleus",)
    number, of_rod = layer.data[4, 30, [35, 10]].tolist()
    assert number == layer.data[4, 3, 45] == layer.data[3, 30, 35]
    assert of_rod not in before
    assert record.named == {
        **dict.fromkeys(np.unique(before[before > 0]).tolist(), "nucleus"),
        **({of_rod: "rod", int(layer.data[4, 10, 10]): "rod"} if objects else {}),
    }


def test_a_slice_beside_others_and_ctrl_z(dock, stack):
    _, run = dock
    record = run()
    before = record.layer.data.copy()
    record.layer.data[2] = 0
    run([(2,)], slice_only=True)
    check(record, stack)
    assert np.array_equal(record.layer.data, before)
    run([(3,)], slice_only=True, links=LinkOptions(rule="unique"))
    assert int(record.layer.data[3].min(initial=99, where=record.layer.data[3] > 0)) > 4
    check(record, stack)
    record.layer.undo()
    check(record, stack)


def test_a_single_picture_asked_twice(viewer, dock, stack, qtbot):
    panel, _ = dock
    image = viewer.add_image(stack[0], name="picture")
    planes = LayerPlanes.of(image)
    found = []
    for items in (panel.session.references, panel.session.references[::-1]):
        question = Question(planes, items, RunSettings(objects=OBJECTS))
        panel.flow.answer_slice(question, ())
        qtbot.waitUntil(lambda: not panel.flow.running, timeout=30_000)
        record = panel.session.results[-1]
        found.append(record.layer.data.copy())
        for label, mask in kinds(stack[0]).items():
            assert {record.named[n] for n in np.unique(record.layer.data[mask])} == {label}
    # Whichever class was marked first: what Ctrl+Z brings back is of the same classes.
    assert np.array_equal(*found)


def test_a_class_that_comes_later_stands_beside_the_first(dock, stack):
    panel, run = dock
    nucleus, rod = panel.session.references
    record = run(items=(nucleus,))
    assert record.named == {}
    assert classes_of_layer(record.layer, record) == "nucleus"
    run([(3,), (4,), (5,)], items=(rod,))
    expected = np.full_like(stack, 20)
    for planes, kind in ((slice(3), NUCLEUS), (slice(3, 6), ROD)):
        expected[planes][stack[planes] == kind] = kind
    check(record, expected)


def test_a_run_that_is_stopped_leaves_no_number_with_two_classes(dock, viewer, stack, grey, qtbot):
    _, run = dock
    viewer.dims.set_point(0, 5)  # is answered ahead of all others
    grey.seconds = 0.05
    record = run(wait=False)
    qtbot.waitUntil(lambda: len(record.findings) >= 3, timeout=30_000)
    panel = dock[0]
    panel.flow.stop()
    qtbot.waitUntil(lambda: not panel.flow.running, timeout=30_000)
    grey.seconds = 0.0
    done = [z for (z,) in record.findings]
    assert 5 in done
    assert len(done) < 6
    written = [z for z in range(6) if record.layer.data[z].any()]
    check(record, stack, written)
    rest = panel.flow.left_to_do(
        Question(record.planes, panel.session.references, record.state.settings),
        list(record.planes.stack.indices()),
    )
    run(rest)
    check(record, stack)
    assert int(record.layer.data.max()) == 4


def test_a_run_on_disk_is_resumed_with_numbers_and_classes(dock, viewer, stack, grey, qtbot):
    panel, run = dock
    panel.session.preferences = replace(panel.session.preferences, memory_mb=0.001)
    grey.seconds = 0.05
    record = run(wait=False)
    qtbot.waitUntil(lambda: len(record.findings) >= 3, timeout=30_000)
    panel.flow.stop()
    qtbot.waitUntil(lambda: not panel.flow.running, timeout=30_000)
    viewer.layers.remove(record.layer)
    grey.seconds = 0.0
    again = run()
    assert not isinstance(again.layer.data, np.ndarray)
    check(again, stack)
    assert numbers_at(again, 10, 10) == [1, 1, 1, 4, 4, 4]


def test_a_corrected_slice_keeps_numbers_and_names_new_ones(dock, viewer, stack, grey, qtbot):
    panel, run = dock
    record = run()
    found = grey.predict

    def clicked(target, references, corrections=None, **settings):
        answer = found(target, references, **settings)
        if not corrections:
            return answer
        probability = answer.probability.copy()
        probability[5:15, 30:40] = 1
        return replace(answer, mask=probability > 0.5, probability=probability)

    grey.predict = clicked
    panel.draw()
    panel.label.setCurrentText("rod")
    panel.go_to((2,))
    panel.plus.click()
    panel.clicks.layer.add([[2, 10, 35]])
    qtbot.waitUntil(lambda: record.layer.data[2, 10, 35] > 0, timeout=30_000)
    new = int(record.layer.data[2, 10, 35])
    assert new == 5
    assert record.named[new] == "rod"
    check(record, np.where(record.layer.data == new, ROD, stack))
    assert numbers_at(record, 10, 10) == [1, 1, 1, 4, 4, 4]


def test_painted_numbers_are_of_the_class_that_is_chosen_or_of_none(dock, stack, viewer):
    panel, run = dock
    record = run()
    panel.draw()
    panel.label.setCurrentText("rod")
    layer = record.layer
    layer.brush_size = 4
    layer.paint((1, 5, 40), 7)
    record.painted_class = ""
    layer.paint((1, 15, 40), 8)
    layer.paint((1, 12, 12), 1)  # more of what is there
    assert {n: record.named[n] for n in (1, 7, 8)} == {1: "nucleus", 7: "rod", 8: ""}
    features = layer.features
    assert dict(zip(features["index"], features["class"], strict=True)) == record.named
    # What is of no class says nothing about what is not of this one.
    made = {r.label: r for r in references_of_slice(record, (1,))}
    assert set(made) == {"nucleus", "rod"}
    assert not made["rod"].exhaustive
    assert made["rod"].positive[5, 40]
    assert not made["rod"].positive[15, 40]
    assert references_of_slice(record, (0,))[0].exhaustive
    # A person may name it in the table of features.
    features.loc[features["index"] == 8, "class"] = "nucleus"
    layer.features = features
    assert record.named[8] == "nucleus"
    run([(4,)])
    assert layer.data[1, 15, 40] == 8
    assert record.named[8] == "nucleus"
    check(record, np.where(layer.data == 7, ROD, np.where(layer.data == 8, NUCLEUS, stack)))


def test_measured_exported_saved_and_read_again(dock, viewer, stack, qtbot, tmp_path):
    _, run = dock
    record = run()
    panel = MeasureWidget(viewer)
    viewer.window.add_dock_widget(panel)

    def wait():
        qtbot.waitUntil(lambda: not panel.busy, timeout=30_000)
        assert panel.news == "" or "written" in panel.news or "layer" in panel.news, panel.news

    assert not panel.csv_button.isEnabled()  # classes alone are nothing that was measured
    panel.measure_button.click()
    wait()
    assert "4 objects (2 nucleus, 2 rod)" in panel.summary.text()
    assert record.layer.features["class"].tolist() == ["nucleus", "nucleus", "rod", "rod"]
    panel.save_table(tmp_path / "slices.csv", planes=True)
    with open(tmp_path / "slices.csv", newline="") as file:
        rows = [(int(line["label"]), line["class"]) for line in csv.DictReader(file)]
    assert set(rows) == set(record.named.items())
    panel.format.setCurrentIndex(panel.format.findData("coco"))
    panel.export(tmp_path)
    wait()
    said = json.loads((tmp_path / "annotations.json").read_text())
    assert [c["name"] for c in said["categories"]] == ["nucleus", "rod"]
    assert len(said["annotations"]) == 3 * 6
    named = record.named
    panel.save_labels(tmp_path / "out.tif")
    wait()
    path = str(tmp_path / "out.tif")
    ((data, arguments, _),) = reader_of(path)(path)
    again = viewer.add_labels(data, **arguments)
    assert classes_of_layer(again, None) == named
    assert again.metadata["vrpsam-app"]["numbers"] == {"nucleus": [1, 2], "rod": [3, 4]}
    # And through napari's own way to save, before anything was measured.
    record = run()
    write_labels(str(tmp_path / "own.tif"), *record.layer.as_layer_data_tuple()[:2])
    found = SavedLabels.open(tmp_path / "own.tif")
    assert found.classes == named
    assert "area_px" in found.table or "voxels" in found.table


def test_a_layer_is_linked_by_hand_within_its_classes(dock, viewer, stack, qtbot):
    _, run = dock
    record = run(links=LinkOptions(rule="unique"))
    panel = MeasureWidget(viewer)
    viewer.window.add_dock_widget(panel)
    record.state.settings = replace(record.state.settings, links=LinkOptions())
    panel.link_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=30_000)
    objects = panel.labels.layer
    assert objects is not record.layer
    assert objects.data[:, 10, 10].tolist() == [1, 1, 1, 4, 4, 4]
    told = dict(zip(objects.features["index"], objects.features["class"], strict=True))
    assert told == {1: "nucleus", 2: "nucleus", 3: "rod", 4: "rod"}
    # The new layer is no result of a run, and knows them all the same.
    assert classes_of_layer(objects, None) == told
    panel.link_button.click()
    qtbot.waitUntil(lambda: not panel.busy, timeout=30_000)
    assert np.array_equal(panel.labels.layer.data, objects.data)
