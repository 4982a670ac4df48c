"""The review panel in a real viewer: doubt, corrections, protection, learning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_plugin import review_widget
from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.questions import Question
from napari_plugin.review_strip import EDITED
from napari_plugin.review_widget import ReviewWidget
from napari_plugin.run_settings import RunSettings
from napari_plugin.run_state import PlaneFinding
from napari_plugin.session import Session
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.references import Reference
from vrpsam_app.tiles.rows import Verdict


class ClickedSegmenter:
    """Lets clicks on the target have their way, and asks another about the rest."""

    def __init__(self, grey):
        self.grey = grey
        self.clicks = []

    def describe(self):
        return self.grey.describe()

    def predict(self, target, references, *, corrections=None, **settings):
        found = self.grey.predict(target, references, **settings)
        if corrections is None:
            return found
        self.clicks.append(
            [(mark.row, mark.col, mark.positive) for mark in corrections.annotations]
        )
        mask, probability = found.mask.copy(), found.probability.copy()
        rows, cols = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
        for mark in corrections.annotations:
            near = (rows - mark.row) ** 2 + (cols - mark.col) ** 2 <= 25
            mask[near], probability[near] = mark.positive, 0.9 * mark.positive
        return replace(found, mask=mask, probability=probability, score=0.9)

    def predict_classes(self, target, references, **settings):
        return self.grey.predict_classes(target, references, **settings)


@pytest.fixture
def segmenter(grey):
    return ClickedSegmenter(grey)


@pytest.fixture
def panel(viewer, disc_stack, segmenter, qtbot):
    """A docked panel, and a result of classes that was found with one reference."""
    return reviewed(viewer, disc_stack, segmenter, qtbot)


def reviewed(viewer, stack, segmenter, qtbot, settings=RunSettings()):  # noqa: B008
    image = viewer.add_image(stack, name="discs", scale=(2, 1, 1))
    session = Session.of(viewer)
    session.preferences = replace(session.preferences, cache_gb=0.0)
    session.shelf.put(session.choice, segmenter)
    reference = Reference.from_mask(stack[2], stack[2] > 100, label="disc")
    session.add_reference(reference)
    panel = ReviewWidget(viewer)
    viewer.window.add_dock_widget(panel)
    planes = LayerPlanes.of(image)
    question = Question(planes, session.references, settings)
    panel.flow.answer_planes(question, list(planes.stack.indices()))
    qtbot.waitUntil(lambda: not panel.flow.running and panel.strip.bars != (), timeout=20_000)
    assert panel.news == ""
    return panel


def say(record, doubts):
    """Let the model have been so unsure of each plane."""
    for z, doubt in enumerate(doubts):
        verdict = Verdict(presence=1.0, present=True, score=1 - doubt, pixels=10)
        record.found((z,), PlaneFinding({"disc": verdict}, "0" * 64))


def test_nothing_to_review_says_so(viewer, qtbot):
    panel = ReviewWidget(viewer)
    qtbot.addWidget(panel)
    assert "No result yet" in panel.legend.text()
    assert not panel.next_button.isEnabled()
    panel.end()


def test_the_strip_shows_every_plane_and_a_click_goes_there(panel, viewer, qtbot):
    assert len(panel.strip.bars) == 6
    panel.strip.resize(300, 84)
    qtbot.mouseClick(panel.strip, qt_left(), pos=panel.strip.position_of(5))
    assert viewer.dims.current_step[0] == 5
    qtbot.waitUntil(lambda: panel.strip.current == 5)
    assert "z 5" in panel.legend.text()
    assert "expected overlap 0.80" in panel.legend.text()


def test_doubtful_slices_come_in_order_and_accepted_ones_no_more(panel, viewer, qtbot):
    say(panel.record, [0.1, 0.5, 0.2, 0.9, 0.3, 0.7])
    shown = []
    for _ in range(4):
        panel.next_button.click()
        shown.append(viewer.dims.current_step[0])
    assert shown == [3, 5, 1, 4]
    panel.go_to((3,))
    panel.accept_button.click()
    assert panel.record.edited == {(3,)}
    assert viewer.dims.current_step[0] == 5
    qtbot.waitUntil(lambda: panel.strip.bars[3].edited)
    assert panel.strip.colour_of(panel.strip.bars[3]) == EDITED
    assert "1 of 6 settled" in panel.legend.text()
    panel.go_to((3,))
    qtbot.waitUntil(panel.protect_button.isEnabled)
    panel.protect_button.click()
    assert panel.record.edited == frozenset()


def test_clicks_are_answered_on_the_slice_alone_and_can_be_undone(panel, viewer, segmenter, qtbot):
    layer = panel.record.layer
    before = layer.data.copy()
    panel.go_to((4,))
    panel.plus.click()
    points = panel.clicks.layer
    assert viewer.layers.selection.active is points
    assert points.mode == "add"
    points.add([[4, 40, 10]])
    qtbot.waitUntil(lambda: layer.data[4, 40, 10] == 1)
    assert segmenter.clicks[-1] == [(40.5, 10.5, True)]
    panel.minus.click()
    assert not panel.plus.isChecked()
    panel.clicks.layer.add([[4, 14, 18]])
    qtbot.waitUntil(lambda: layer.data[4, 14, 18] == 0)
    assert segmenter.clicks[-1] == [(40.5, 10.5, True), (14.5, 18.5, False)]
    assert np.array_equal(np.delete(layer.data, 4, 0), np.delete(before, 4, 0))
    assert panel.record.edited == {(4,)}
    assert panel.record.findings[4,].score == 0.9
    layer.undo()
    layer.undo()
    assert np.array_equal(layer.data, before)
    panel.minus.click()
    assert panel.clicks.layer is None
    assert viewer.layers.selection.active is layer


def test_what_was_painted_is_only_replaced_if_a_person_says_so(panel, viewer, qtbot, monkeypatch):
    layer = panel.record.layer
    panel.go_to((1,))
    layer.paint((1, 40, 50), 1)
    assert panel.record.edited == {(1,)}
    painted = layer.data[1].copy()
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    panel.plus.click()
    assert not panel.plus.isChecked()
    assert panel.clicks.layer is None
    panel.plus.click()
    panel.clicks.layer.add([[1, 40, 10]])
    qtbot.waitUntil(lambda: layer.data[1, 40, 10] == 1)
    assert layer.data[1, 40, 50] == 0
    layer.undo()
    assert np.array_equal(layer.data[1], painted)


def test_learning_redoes_what_nobody_settled_and_revert_brings_it_back(panel, viewer, grey, qtbot):
    layer = panel.record.layer
    panel.go_to((0,))
    layer.paint((0, 40, 50), 1)  # a person's mark that no run may take away
    panel.go_to((3,))
    layer.paint((3, 5, 60), 1)
    before = layer.data.copy()
    asked = grey.asked
    panel.learn_button.click()
    qtbot.waitUntil(lambda: not panel.flow.running, timeout=20_000)
    assert panel.news == ""
    learned = panel.session.references[-1]
    assert np.array_equal(learned.reference.positive, before[3] > 0)
    assert learned.reference.exhaustive
    assert "z 3" in learned.where
    assert panel.record.edited == {(0,), (3,)}
    assert grey.asked == asked + 4
    for z in (0, 3):
        assert np.array_equal(layer.data[z], before[z])
    qtbot.waitUntil(panel.revert_button.isEnabled)
    panel.revert_button.click()
    assert np.array_equal(layer.data, before)
    assert not panel.record.can_revert


def test_revert_asks_about_what_was_edited_since(panel, qtbot, monkeypatch):
    layer = panel.record.layer
    panel.redo()
    qtbot.waitUntil(lambda: not panel.flow.running, timeout=20_000)
    layer.paint((1, 40, 50), 1)
    asked, answers = [], ["cancel", "leave"]

    def ask(parent, planes, edited):
        asked.append((parent, planes, tuple(edited)))
        return answers.pop(0)

    monkeypatch.setattr(review_widget, "ask_about_edited", ask)
    panel.revert()
    assert panel.record.can_revert
    panel.revert()
    assert not panel.record.can_revert
    assert asked == [(panel, panel.record.planes, ((1,),))] * 2
    assert layer.data[1, 40, 50] == 1
    assert panel.record.edited == {(1,)}


def test_clicks_on_one_result_are_not_those_of_another(panel, viewer, segmenter, disc_stack, qtbot):
    first, asked = panel.record.layer, len(segmenter.clicks)
    flipped = np.ascontiguousarray(disc_stack[:, ::-1])
    planes = LayerPlanes.of(viewer.add_image(flipped, name="flipped", scale=(2, 1, 1)))
    question = Question(planes, panel.session.references, RunSettings())
    panel.flow.answer_planes(question, [(4,)])
    qtbot.waitUntil(lambda: not panel.flow.running, timeout=20_000)
    second = panel.session.results[-1].layer
    panel.result.choose(first)
    panel.go_to((4,))
    panel.plus.click()
    points = panel.clicks.layer
    panel.result.choose(second)
    before = second.data.copy()
    assert not panel.plus.isChecked()
    points.add([[4, 40, 10]])
    qtbot.waitUntil(lambda: panel.clicks.layer is None)
    assert points not in viewer.layers
    assert not panel.workers.running
    assert len(segmenter.clicks) == asked
    assert np.array_equal(second.data, before)


def test_objects_keep_their_numbers_where_a_slice_is_corrected(
    viewer, segmenter, disc_stack, qtbot
):
    settings = RunSettings(objects=ObjectOptions())
    panel = reviewed(viewer, disc_stack, segmenter, qtbot, settings)
    layer = panel.record.layer
    before = layer.data.copy()
    assert set(np.unique(before)) == {0, 1, 2}
    panel.go_to((2,))
    panel.plus.click()
    panel.clicks.layer.add([[2, 40, 10]])
    qtbot.waitUntil(lambda: layer.data[2, 40, 10] > 0)
    assert layer.data[2, 40, 10] == 3  # new, and of no other object
    assert np.array_equal(np.where(layer.data[2] == 3, 0, layer.data[2]), before[2])


def test_an_empty_slice_teaches_nothing(panel, viewer, grey):
    layer = panel.record.layer
    panel.go_to((5,))
    layer.data_setitem(_places(layer, 5), 0)
    asked = grey.asked
    panel.learn_button.click()
    assert "Nothing is marked on z 5" in panel.news
    assert grey.asked == asked


def test_without_references_nothing_is_redone(panel):
    for item in panel.session.references:
        panel.session.change_reference(item, active=False)
    with panel.saying_errors():
        panel.redo()
    assert "No reference is in use" in panel.news


def test_a_deleted_result_leaves_an_empty_panel(panel, viewer, qtbot):
    layer = panel.record.layer
    panel.session.forget_result(layer)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: "No result yet" in panel.legend.text())
    panel.learn()
    panel.next_doubtful()
    assert panel.record is None


def test_closing_stops_the_work(panel, grey, qtbot):
    asked, grey.seconds = grey.asked, 0.2
    panel.redo()
    panel.close()
    stopped_at = grey.asked
    qtbot.wait(500)
    assert grey.asked == stopped_at <= asked + 2
    assert not panel.workers.running


def _places(layer, z):
    rows, cols = np.nonzero(layer.data[z])
    return np.full(len(rows), z), rows, cols


def qt_left():
    from qtpy.QtCore import Qt

    return Qt.MouseButton.LeftButton
