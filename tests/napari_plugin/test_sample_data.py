from __future__ import annotations

import numpy as np
import pytest

from napari_plugin import sample_data
from napari_plugin.layer_annotations import marks_on, references_of
from napari_plugin.layer_planes import LayerPlanes
from napari_plugin.marks_layers import marks_meaning
from vrpsam_app.data.lookalike_scenes import drifting_nuclei, nuclei_among_rods

SAMPLES = ("nuclei_stack", "nuclei_time_lapse", "coins", "glands")


@pytest.fixture
def small_scenes(monkeypatch):
    """Draw smaller scenes: what they look like is tested with the core."""
    for name, draw, shape in (
        ("nuclei_among_rods", nuclei_among_rods, (9, 128, 128)),
        ("drifting_nuclei", drifting_nuclei, (4, 128, 128)),
    ):
        small = draw(shape)
        monkeypatch.setattr(f"vrpsam_app.data.lookalike_scenes.{name}", lambda s=small: s)


def opened(viewer, sample):
    """Open a sample as napari does, and return its layers by kind."""
    return [
        getattr(viewer, f"add_{kind}")(data, **arguments)
        for data, arguments, kind in getattr(sample_data, sample)()
    ]


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_comes_with_marks_on_the_slice_that_is_shown(viewer, small_scenes, sample):
    layers = opened(viewer, sample)
    image, marks = layers[0], layers[-1]
    planes = LayerPlanes.of(image)
    meaning = marks_meaning(marks)
    found = marks_on(
        marks, planes, classes=meaning.classes, meaning=meaning.numbers, point=viewer.dims.point
    )
    assert {mark.index for mark in found} == {planes.index_at(viewer.dims.point)}
    references = [reference for _, reference in references_of(found, planes)]
    assert all(reference.positive.any() for reference in references)
    expected = ["nucleus", "rod"] if "nuclei" in sample else [sample.removesuffix("s")]
    assert [reference.label for reference in references] == expected


@pytest.mark.parametrize(
    ("sample", "axes", "units"),
    [
        ("nuclei_stack", "zyx", ("micrometer",) * 3),
        ("nuclei_time_lapse", "tyx", ("minute", "micrometer", "micrometer")),
    ],
)
def test_stacks_are_scaled_and_their_truth_is_hidden(viewer, small_scenes, sample, axes, units):
    image, truth, marks = opened(viewer, sample)
    for layer in (image, truth, marks):
        assert layer.axis_labels == tuple(axes)
        assert tuple(map(str, layer.units)) == units
        assert layer.data.shape == image.data.shape
        assert np.allclose(layer.scale, image.scale)
    assert image.scale[-1] == 0.3
    assert not truth.visible
    shown = viewer.dims.current_step[0]
    assert np.array_equal(np.asarray(marks.data[shown]) == 1, truth.data[shown] > 0)


def test_the_stroke_of_the_glands_says_what_is_none(viewer):
    image, marks = opened(viewer, "glands")
    planes = LayerPlanes.of(image)
    (found,) = marks_on(marks, planes, point=viewer.dims.point)
    ((_, reference),) = references_of([found], planes)
    assert image.rgb
    assert reference.positive.sum() > 500 < reference.negative.sum()
