"""The references panel in a real viewer."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_plugin.reference_file_dialog import ReferenceFileDialog
from napari_plugin.references_widget import ReferencesWidget
from napari_plugin.result_record import METADATA_KEY
from napari_plugin.session import Session
from vrpsam_app.cli import main
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.references import Reference, labels_of


@pytest.fixture
def marked(viewer, disc_stack):
    """A viewer with an image, and two classes marked on slice 2."""
    viewer.add_image(disc_stack, name="discs", scale=(2, 1, 1))
    marks = np.zeros(disc_stack.shape, np.uint8)
    marks[2][disc_stack[2] > 100] = 1
    marks[2, :4, :4] = 2
    said = {"classes": {1: "disc", 2: "corner"}, "all_marked": True}
    viewer.add_labels(
        marks, name="marks", scale=(2, 1, 1), metadata={METADATA_KEY: {"marks": said}}
    )
    viewer.dims.set_point(0, 4)
    return viewer


@pytest.fixture
def panel(marked):
    made = ReferencesWidget(marked)
    marked.window.add_dock_widget(made)
    return made


def test_the_shown_slice_is_added_and_drawn(panel, qtbot):
    assert panel.all_marked.isChecked()  # as the layer says
    panel.add_button.click()
    qtbot.waitUntil(lambda: len(panel.cards) == 2)
    items = panel.session.references
    assert [item.reference.label for item in items] == ["disc", "corner"]
    assert all(item.reference.exhaustive for item in items)
    assert "z 2" in items[0].where
    first = panel.cards[0]
    assert not first.picture.pixmap().isNull()
    assert (first.name.text(), first.label.text()) == ("disc", "disc")
    assert "2 references" in panel.count.text()


def test_a_slice_without_marks_says_so(panel, marked):
    marked.dims.set_point(0, 0)
    panel.add_button.click()
    assert "no marks on z 0" in panel.news
    assert panel.session.references == ()


def test_the_slice_is_the_one_that_is_shown_however_the_axes_are_rolled(panel, marked):
    panel.label.setText("thing")
    marked.dims.order = (1, 0, 2)
    marked.dims.set_point(1, 14)
    panel.add_slice()
    (item,) = panel.session.references
    assert item.where == "discs, z 14"
    data = marked.layers["discs"].data
    assert np.array_equal(item.reference.image, data[:, 14])
    assert np.array_equal(np.argwhere(item.reference.positive)[:, 0], [2] * 13)


def test_a_slice_is_of_the_channels_that_are_segmented(viewer, make_widget, disc_stack):
    both = np.stack([disc_stack, 220 - disc_stack], axis=0)
    image = viewer.add_image(both, axis_labels=("c", "z", "y", "x"), name="both")
    widget = make_widget(viewer)
    made = ReferencesWidget(viewer)
    viewer.window.add_dock_widget(made)
    widget.advanced.channel_axis.value = 0
    widget.advanced.channels.value = "1"
    widget.advanced.channels.native.editingFinished.emit()
    viewer.dims.set_point(1, 2)
    points = viewer.add_points([[2, 14, 16]], ndim=3)
    made.image.choose(image)
    made.marks.choose(points)
    made.add_slice()
    assert made.news == ""
    (item,) = made.session.references
    assert np.array_equal(item.reference.image, 220 - disc_stack[2])
    assert item.image == widget.planes().key  # in whose range it is already


def test_names_classes_use_and_not_this(panel, qtbot):
    panel.label.setText("thing")
    panel.all_marked.setChecked(False)
    panel.add_button.click()
    qtbot.waitUntil(lambda: len(panel.cards) == 2)
    first, second = panel.cards
    assert [i.reference.label for i in panel.session.references] == ["thing", "thing"]
    first.name.setText("round")
    first.name.editingFinished.emit()
    second.name.setText("ROUND")
    second.name.editingFinished.emit()
    assert "already" in panel.news
    assert [i.name for i in panel.session.references] == ["round", "thing 2"]
    second.label.setText("edge")
    second.label.editingFinished.emit()
    assert panel.session.references[1].reference.label == "edge"
    second.used.click()
    assert panel.session.active_references() == (panel.session.references[0].reference,)
    qtbot.waitUntil(lambda: "1 in use" in panel.count.text())
    first.not_this.click()
    assert panel.session.references[0].is_not_this
    qtbot.waitUntil(lambda: "not this" in first.where.text())
    assert panel.cards[0] is first  # a card outlives changes of what it shows
    first.remove.click()
    qtbot.waitUntil(lambda: len(panel.cards) == 1)
    assert [i.reference.label for i in panel.session.references] == ["edge"]


def test_the_last_of_a_class_counts_against_another_one(panel, qtbot):
    panel.add_button.click()
    qtbot.waitUntil(lambda: len(panel.cards) == 2)
    panel.cards[1].not_this.click()
    against = panel.session.references[1]
    assert against.is_not_this
    assert (against.name, against.reference.label) == ("not corner", "disc")
    assert labels_of(panel.session.active_references()) == ("disc",)


def test_a_reference_that_follows_marks_can_be_kept(panel, qtbot, disc_stack):
    reference = Reference.from_mask(disc_stack[0], disc_stack[0] > 100, label="disc")
    panel.session.follow_marks("layer", [("layer/0/disc", reference, "discs, z 0")])
    qtbot.waitUntil(lambda: len(panel.cards) == 1)
    card = panel.cards[0]
    assert card.label.isReadOnly()
    assert "follows the marks" in card.where.text()
    card.keep.click()
    panel.session.follow_marks("layer", [])
    qtbot.waitUntil(lambda: "follows" not in panel.cards[0].where.text())
    assert len(panel.session.references) == 1


def test_a_library_goes_round_between_panel_and_command_line(panel, qtbot, tmp_path, capsys):
    panel.add_button.click()
    qtbot.waitUntil(lambda: len(panel.cards) == 2)
    before = [item.reference.content_key for item in panel.session.references]
    panel.save(tmp_path / "ours")
    path = tmp_path / "ours.zip"
    assert [e.name for e in ReferenceLibrary.load(path).entries] == ["disc", "corner"]
    assert main(["library", "list", str(path)]) == 0
    assert "corner" in capsys.readouterr().out
    assert main(["library", "rename", str(path), "corner", "edge"]) == 0
    for item in panel.session.references:
        panel.session.remove_reference(item)
    qtbot.waitUntil(lambda: panel.cards == [])
    panel.load(path)
    qtbot.waitUntil(lambda: len(panel.cards) == 2)
    assert [card.name.text() for card in panel.cards] == ["disc", "edge"]
    assert [item.reference.content_key for item in panel.session.references] == before
    assert "library ours.zip" in panel.cards[0].where.text()


def test_a_damaged_library_says_so_and_adds_nothing(panel, qtbot, tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    panel.load(tmp_path / "bad.zip")
    qtbot.waitUntil(lambda: bool(panel.news))
    assert "bad.zip" in panel.news
    assert panel.session.references == ()


def test_references_of_files(panel, tmp_path, disc_stack):
    Image.fromarray(disc_stack[1]).save(tmp_path / "image.png")
    Image.fromarray((disc_stack[1] > 100).astype(np.uint8)).save(tmp_path / "mask.png")
    dialog = ReferenceFileDialog(panel)
    dialog.image.setText(str(tmp_path / "image.png"))
    dialog.marks.setText(str(tmp_path / "mask.png"))
    dialog.label.setText("disc")
    dialog.all_marked.setChecked(True)
    ((reference, where, _),) = dialog.references()
    assert np.array_equal(reference.positive, disc_stack[1] > 100)
    assert (reference.label, reference.exhaustive, where) == ("disc", True, "image.png")
    dialog.not_this.setChecked(True)
    assert dialog.references()[0][0].is_not_this


def test_references_of_a_slice_of_a_stack(panel, tmp_path, disc_stack):
    import tifffile

    tifffile.imwrite(tmp_path / "stack.tif", disc_stack, imagej=True, metadata={"axes": "ZYX"})
    masks = (disc_stack > 100).astype(np.uint8)
    tifffile.imwrite(tmp_path / "masks.tif", masks, imagej=True, metadata={"axes": "ZYX"})
    dialog = ReferenceFileDialog(panel)
    dialog.image.setText(str(tmp_path / "stack.tif"))
    dialog.marks.setText(str(tmp_path / "masks.tif"))
    dialog.slice.setText("z=3")
    ((reference, where, _),) = dialog.references()
    assert np.array_equal(reference.image, disc_stack[3])
    assert np.array_equal(reference.positive, masks[3] > 0)
    assert where == "stack.tif, z=3"


def test_regions_of_imagej_on_a_slice_with_channels(panel, tmp_path, disc_stack):
    import roifile
    import tifffile

    both = np.stack([disc_stack, disc_stack], axis=1)
    tifffile.imwrite(tmp_path / "stack.tif", both, imagej=True, metadata={"axes": "ZCYX"})
    region = roifile.ImagejRoi.frompoints([[10, 5], [20, 5], [20, 15], [10, 15]])
    region.c_position, region.z_position, region.t_position = 1, 4, 1  # ImageJ counts from 1
    (tmp_path / "regions.roi").write_bytes(region.tobytes())
    dialog = ReferenceFileDialog(panel)
    dialog.image.setText(str(tmp_path / "stack.tif"))
    dialog.marks.setText(str(tmp_path / "regions.roi"))
    dialog.slice.setText("z=3")
    ((reference, _, _),) = dialog.references()
    assert np.array_equal(np.argwhere(reference.positive).min(0), [5, 10])


def test_two_viewers_share_nothing(panel, make_viewer, qtbot):
    other = ReferencesWidget(make_viewer())
    qtbot.addWidget(other)
    panel.add_button.click()
    qtbot.waitUntil(lambda: len(panel.cards) == 2)
    assert Session.of(other.viewer).references == ()
    assert other.cards == []
    other.end()


@pytest.mark.parametrize("how", ["closed", "undocked"])
def test_a_panel_that_is_gone_listens_no_more(marked, how):
    panel = ReferencesWidget(marked)
    dock = marked.window.add_dock_widget(panel)
    if how == "closed":
        panel.close()
    else:
        marked.window.remove_dock_widget(dock)  # as napari does when its cross is clicked
    marked.add_points([[0, 0, 0]])
    assert panel.marks.count() == 1
    panel.session.add_reference(
        Reference.from_mask(np.zeros((4, 4), np.uint8), np.ones((4, 4), bool))
    )
    assert panel.cards == []


def test_marks_are_followed_no_more_once_the_segment_panel_is_gone(
    viewer, make_widget, settle, disc_stack, qtbot
):
    """Also not after the live answer, which goes with the panel, was taken away."""
    viewer.add_image(disc_stack)
    widget = make_widget(viewer)
    widget.pick_tool("brush")
    viewer.layers.selection.active.paint((0, 14, 14), 1)
    settle(widget)
    assert len(viewer.layers) == 3
    viewer.window.remove_dock_widget(widget)
    (item,) = widget.session.references
    widget.session.say_not_this(item)
    viewer.layers.remove(viewer.add_points(np.zeros((1, 3))))
    qtbot.wait(300)
    assert len(viewer.layers) == 2
    assert [i.is_not_this for i in widget.session.references] == [True]
