from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.annotations import Box, Point
from vrpsam_app.methods.object_model import object_model_of
from vrpsam_app.references import Reference


@pytest.fixture
def evidence(region_sam, scene):
    """Compute the evidence of references in the second scene, and the light share of each cell."""

    @torch.inference_mode()
    def compute(*references: Reference):
        target, light = scene(1)
        picture = region_sam.encode(target)
        model = object_model_of(region_sam, references, None)
        return model.evidence(picture), picture.grid.coverage(light)

    return compute


def test_the_object_stands_out(evidence, outlined):
    found, light = evidence(outlined)
    assert found[light == 1].min() > 0.8
    assert found[light == 0].mean() < 0.1


def test_rims_are_neither_object_nor_background(evidence, scene):
    picture, _ = scene()
    dark = np.zeros(picture.shape[:2], bool)
    dark[44:56, 56:72] = True
    found, light = evidence(Reference.from_mask(picture, dark, exhaustive=True))
    assert found[18:22, 23:28].min() > 0.8
    assert found[light == 1].max() < 0.2
    assert found[:8].mean() < 0.2


@pytest.mark.parametrize("mark", [Point(15, 14), Box(7, 5, 23, 23)], ids=["point", "box"])
def test_little_is_enough_to_know_what_is_beside(evidence, scene, mark):
    found, light = evidence(Reference.from_annotations(scene()[0], [mark]))
    assert found[light == 1].min() > 0.8
    assert found[light == 0].mean() < 0.2


def test_a_picture_that_is_object_all_over_leaves_no_background(evidence, scene):
    picture, light = scene()
    everything = Reference.from_mask(picture, np.ones_like(light), exhaustive=True)
    found, _ = evidence(everything)
    assert torch.isfinite(found).all()
    assert found.mean() > 0.9


def test_not_this_is_background(evidence, scene, outlined):
    picture, light = scene()
    against = Reference.from_mask(picture, light).as_not_this()
    all_over = Reference.from_mask(picture, np.ones_like(light))
    alone, shares = evidence(all_over)
    without, _ = evidence(all_over, against)
    assert without[shares == 1].mean() < alone[shares == 1].mean() - 0.3


def test_what_was_learned_is_found_again(region_sam, outlined):
    first = object_model_of(region_sam, [outlined], None)
    computed = region_sam.store.computed
    again = object_model_of(region_sam, [outlined], None)
    assert region_sam.store.computed == computed
    assert torch.equal(first.parts, again.parts)
