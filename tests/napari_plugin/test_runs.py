"""Runs over planes: which objects stay, through the stack and in a slice by itself."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.plane_writer import RunData
from napari_plugin.questions import Question, Ranges
from napari_plugin.run_settings import RunSettings
from napari_plugin.runs import run_planes, run_single
from napari_plugin.session import Session
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs.run import segment_stack

OBJECTS = ObjectOptions(method="components", min_area=20)


@pytest.fixture
def stack(disc_stack):
    """Add a thing of slices 2 to 4 with a tip of 9 pixels in slice 1, and a speck of 9."""
    disc_stack[2:5, 34:42, 8:16] = 200
    disc_stack[1, 36:39, 10:13] = 200
    disc_stack[4, 2:5, 50:53] = 200
    return disc_stack


@pytest.mark.parametrize("straight", [True, False])
def test_objects_stay_or_go_whole_as_in_a_run_on_disk(viewer, grey, stack, tmp_path, straight):
    session = Session.of(viewer)
    session.shelf.put(session.choice, grey)
    planes = LayerPlanes.of(viewer.add_image(stack))
    reference = Reference.from_mask(stack[0], stack[0] > 100, label="disc")
    session.add_reference(reference)
    question = Question(planes, session.references, RunSettings(objects=OBJECTS))
    into = RunData(planes, np.zeros(stack.shape, np.int32))

    def run(indices):
        list(run_planes(session.shelf, question, Ranges(), indices, into, CancelToken()))

    if not straight:
        run([(4,), (0,)])
        assert into.data[4, 3, 51] == 0
    run(list(planes.stack.indices()) if straight else [(1,), (2,), (3,), (5,)])
    paths = segment_stack(grey, stack, [reference], tmp_path / "r_labels.tif", objects=OBJECTS)
    assert np.array_equal(into.data, tifffile.imread(paths.objects["disc"].labels))
    assert into.data[1, 37, 11] == into.data[2, 37, 11] > 0
    assert into.data[4, 3, 51] == 0
    # Of a slice answered by itself the tip goes on from the next one, a speck from nowhere.
    for index in ((1,), (4,)):
        highest = int(into.data.max())
        arguments = (index, into, highest, CancelToken())
        *_, found = (
            value
            for value in run_single(session.shelf, question, Ranges(), *arguments)
            if getattr(value, "values", None) is not None
        )
        assert np.array_equal(found.values, into.data[index])
