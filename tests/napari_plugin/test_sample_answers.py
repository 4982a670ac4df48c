"""The embedded model on the samples: one annotated slice, its look-alikes elsewhere left out."""

from __future__ import annotations

import numpy as np
import pytest

from napari_plugin import sample_data
from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.questions import Question, Ranges
from napari_plugin.references_widget import ReferencesWidget
from napari_plugin.run_settings import RunSettings
from napari_plugin.stack_flow import StackFlow

LEAST_IOU = 0.70


@pytest.mark.parametrize(
    ("sample", "others"), [("nuclei_stack", (5, 17)), ("nuclei_time_lapse", (13,))]
)
def test_nuclei_are_found_and_rods_of_their_brightness_are_not(viewer, qtbot, sample, others):
    image, truth, marks = (
        getattr(viewer, f"add_{kind}")(data, **arguments)
        for data, arguments, kind in getattr(sample_data, sample)()
    )
    panel = ReferencesWidget(viewer)
    viewer.window.add_dock_widget(panel)
    panel.add_button.click()
    flow = StackFlow(viewer, panel.session, panel.workers, Ranges())
    planes = LayerPlanes.of(image)
    annotated = planes.index_at(viewer.dims.point)
    indices = [(z,) for z in others]
    assert annotated not in indices
    flow.answer_planes(Question(planes, panel.session.references, RunSettings()), indices)
    qtbot.waitUntil(lambda: not flow.running, timeout=120_000)
    (record,) = panel.session.results
    found = np.stack([record.plane(index) for index in indices]) == 1
    wanted = np.stack([truth.data[index] for index in indices]) > 0
    iou = (found & wanted).sum() / (found | wanted).sum()
    assert iou >= LEAST_IOU
    # Whoever takes all that is bright fails.
    bright = np.stack([image.data[index] for index in indices]) > _between(image, marks, annotated)
    assert (bright & wanted).sum() / (bright | wanted).sum() < LEAST_IOU


def _between(image, marks, annotated):
    """Return the intensity halfway between what is marked on the slice and what is not."""
    plane, marked = image.data[annotated], np.asarray(marks.data[annotated]) > 0
    return (np.median(plane[marked]) + np.median(plane[~marked])) / 2
