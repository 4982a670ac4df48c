"""What stands under "Advanced": values, what changes them, and what an image brings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_plugin.advanced_form import AdvancedForm
from napari_plugin.image_choice import ImageChoice
from napari_plugin.model_choice import EMBEDDED, ModelChoice
from vrpsam_app.methods import GUARDS, METHODS


@pytest.fixture
def form(qtbot: Any) -> AdvancedForm:
    made = AdvancedForm(ModelChoice(method="training_free_prior", device="cpu"))
    qtbot.addWidget(made)
    return made


@pytest.fixture
def told(form: AdvancedForm) -> list[int]:
    """Collect what the form tells of changes."""
    heard: list[int] = []
    for change in form.changes():
        change.connect(lambda *_: heard.append(1))
    return heard


def test_it_begins_with_what_is_chosen(form):
    assert form.choice() == {
        "model": EMBEDDED, "method": "training_free_prior", "device": "cpu", "sam": "",
        "features": "",
    }  # fmt: skip
    assert form.object_options().min_area is None
    assert form.chosen_ids() == frozenset()
    assert form.image_choice() == ImageChoice()
    assert not form.isExpanded()


def test_another_model_may_be_typed_or_come_with_the_choice(form, qtbot, told):
    form.model.native.setCurrentText("lab/other-model")
    form.sam.native.setCurrentText(" sam_vit_b ")
    assert told == []  # who types is not done
    form.model.native.lineEdit().editingFinished.emit()
    assert told == [1]
    assert form.choice()["model"] == "lab/other-model"
    assert form.choice()["sam"] == "sam_vit_b"
    form.features.native.setCurrentText("dinov2_b14")
    assert form.choice()["features"] == "dinov2_b14"
    form.model.native.setCurrentText(" ")
    assert form.choice()["model"] == EMBEDDED
    other = AdvancedForm(ModelChoice(model="lab/other-model", device="abacus"))
    qtbot.addWidget(other)
    assert other.choice()["model"] == "lab/other-model"
    assert other.choice()["device"] == "auto"  # what is not in a list is passed over


def test_methods_are_those_that_the_model_can_answer_by(form, told):
    listed = set(form.method.choices)
    assert "geometric_box" not in listed
    assert {"matching", "sam"} <= listed
    assert listed.isdisjoint(GUARDS)
    form.model.native.setCurrentText("lab/other-model")
    form.model.native.lineEdit().editingFinished.emit()
    assert "geometric_box" in form.method.choices
    assert form.method.value == "training_free_prior"
    box = form.method.native
    shown = {box.itemText(i): box.itemData(i, 3) for i in range(box.count())}
    assert shown == {name: METHODS[name].summary for name in form.method.choices}
    assert told == [1]
    form.method.value = "geometric_box"
    form.model.native.setCurrentText(EMBEDDED)
    form.model.native.lineEdit().editingFinished.emit()
    assert form.method.value == "vrp_sam"
    assert set(form.method.choices) == listed


def test_every_choice_is_told_and_text_when_it_is_complete(form, told):
    form.method.value = "vrp_sam"
    form.cut.value = "components"
    form.links.value = "unique"
    form.tiles.value = "tiles"
    form.gaps.value = 2
    form.min_area.value = 30
    assert len(told) == 6
    form.channels.value = "0, 2"
    assert len(told) == 6
    form.channels.native.editingFinished.emit()
    assert len(told) == 7
    assert form.image_choice().channels == (0, 2)
    assert (form.object_options().method, form.object_options().min_area) == ("components", 30)
    assert (form.link_options().rule, form.link_options().gaps) == ("unique", 2)
    form.ids.value = "3, 7 eight"
    assert form.chosen_ids() == {3, 7}


def test_an_image_brings_its_resolutions_and_axes(form, told):
    layer = Image(np.zeros((2, 5, 8, 9)), axis_labels=("c", "z", "y", "x"))
    form.show_image(layer)
    assert form.level.max == 0
    assert [form.channel_axis.native.itemText(i) for i in range(3)] == ["none", "c (2)", "z (5)"]
    assert form.image_choice().channel_axis == 0  # by its name
    assert told == []
    form.channel_axis.value = -1
    assert (form.image_choice().channel_axis, len(told)) == (None, 1)
    form.show_image(Image([np.zeros((16, 16)), np.zeros((8, 8)), np.zeros((4, 4))]))
    assert form.level.max == 2
    assert form.image_choice().channel_axis is None
    form.level.value = 2
    form.show_image(None)
    assert (form.level.value, form.level.max) == (0, 0)


@pytest.mark.parametrize(
    ("count", "name", "axis", "channels"),
    [
        (2, "c", 1, None),
        (3, "Channel", 1, None),
        (4, "ch", 1, (0, 1, 2)),
        (5, "c", None, None),
        (2, "p", None, None),
    ],
)
def test_an_axis_that_is_named_channels_is_chosen(form, count, name, axis, channels):
    form.show_image(Image(np.zeros((6, count, 8, 9)), axis_labels=("z", name, "y", "x")))
    assert form.image_choice() == ImageChoice(channel_axis=axis, channels=channels)
    if axis is not None:
        form.channels.value = "1"
        assert form.image_choice().channels == (1,)


def test_weights_are_listed_once_somebody_looks(form):
    form.model.native.setCurrentText("lab/other-model")
    before = len(form.sam.choices)
    form.expand(animate=False)
    form.collapse(animate=False)
    form.expand(animate=False)
    names = [form.sam.native.itemText(i) for i in range(form.sam.native.count())]
    assert len(names) == len(set(names)) > before
    assert all(form.sam.native.itemData(i, 3) for i in range(1, len(names)))
    assert form.choice()["model"] == "lab/other-model"
    assert "dinov2_b14" in form.features.choices
    form.sam.value = names[1]
    assert form.choice()["sam"] == names[1]


def test_everything_says_what_it_is(form):
    rows = (
        form.label, form.ids, form.model, form.method, form.sam, form.features, form.device,
        form.level, form.channel_axis, form.channels, form.more_images, form.cut, form.min_area,
        form.links, form.gaps, form.tiles,
    )  # fmt: skip
    assert all(row.native.toolTip() for row in rows)
    shown = [form.method.native.itemData(i, 3) for i in range(len(form.method.choices))]
    assert shown == [METHODS[name].summary for name in form.method.choices]
    assert form.min_area.native.text() == "by the marks"
