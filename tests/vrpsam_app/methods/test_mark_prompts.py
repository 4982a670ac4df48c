from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Mask, Point, Scribble
from vrpsam_app.corrections import Corrections
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.mark_prompts import (
    CLEAR,
    MOST_OBJECTS,
    ONE_CLICK_SCALES,
    answering_masks,
    complete_marks,
    innermost_xy,
    prompts_of_corrections,
    prompts_of_reference,
)
from vrpsam_app.references import Reference


def marked(picture: np.ndarray, *marks) -> Reference:
    return Reference.from_annotations(picture, marks)


def test_each_marked_object_is_a_question(scene):
    picture, light = scene()
    prompts = prompts_of_reference(marked(picture, Point(15, 14), Point(35, 28)))
    for prompt, clicked in zip(prompts, ((14, 15), (28, 35)), strict=True):
        assert np.abs(prompt.points_xy - clicked).max() <= 0.5
    (box,) = prompts_of_reference(marked(picture, Box(7, 5, 23, 23)))
    assert box.box_xyxy.tolist() == [5, 7, 23, 23]
    assert not len(box.points_xy)
    outlines = prompts_of_reference(Reference.from_mask(picture, light))
    assert [len(p.points_xy) for p in outlines] == [1, 1, 1]
    for prompt in outlines:
        (x, y) = prompt.points_xy[0]
        assert light[int(y), int(x)]
    (stroke,) = prompts_of_reference(marked(picture, Scribble(((10, 8), (20, 20)), width=2)))
    assert len(stroke.points_xy) == 8
    along = np.array([[8, 10], [20, 20]])
    assert (np.abs(stroke.points_xy - along[0]).sum(1).min()) < 3
    assert (np.abs(stroke.points_xy - along[1]).sum(1).min()) < 3


def test_negative_marks_are_clicks_beside_all_of_them(scene):
    picture, _ = scene()
    prompts = prompts_of_reference(
        marked(picture, Point(15, 14), Point(35, 28), Point(50, 64, positive=False))
    )
    for prompt in prompts:
        assert prompt.positive.tolist() == [True, False]
        assert np.abs(prompt.points_xy[1] - [64, 50]).max() <= 0.5


def test_no_more_objects_than_can_be_asked():
    grid = np.zeros((80, 80), bool)
    grid[::8, ::8] = True
    picture = np.zeros((80, 80), np.uint8)
    assert len(prompts_of_reference(Reference.from_mask(picture, grid))) == MOST_OBJECTS


def test_the_innermost_point_of_a_ring_is_on_it():
    ring = np.ones((20, 20), bool)
    ring[4:14, 4:14] = False
    x, y = innermost_xy(ring, (100, 200))
    assert ring[int(y) - 100, int(x) - 200]


def test_corrections_are_one_question(region_sam, scene):
    picture = region_sam.encode(scene()[0])
    assert prompts_of_corrections(Corrections(), picture) == []
    only_negative = Corrections((Point(5, 5, positive=False),))
    assert prompts_of_corrections(only_negative, picture) == []
    given = Corrections(
        (Point(15, 14), Point(5, 5, positive=False), Box(7, 5, 23, 23), Mask(scene()[1])),
        np.zeros((60, 80), np.float32),
    )
    (prompt,) = prompts_of_corrections(given, picture)
    assert prompt.points_xy.tolist() == [[14, 15], [5, 5]]
    assert prompt.positive.tolist() == [True, False]
    assert prompt.box_xyxy.tolist() == [5, 7, 23, 23]
    assert prompt.mask_logits.shape == (128, 128)
    (alone,) = prompts_of_corrections(Corrections((), np.ones((60, 80))), picture)
    assert not len(alone.points_xy)


def test_one_click_is_unclear_and_more_is_not(scene):
    picture, _ = scene()
    (one,) = prompts_of_reference(marked(picture, Point(15, 14)))
    (box,) = prompts_of_reference(marked(picture, Box(7, 5, 23, 23)))
    assert answering_masks(one) == ONE_CLICK_SCALES
    assert answering_masks(box) == CLEAR


@pytest.mark.parametrize(
    "mark",
    [Point(15, 14), Scribble(((12, 10), (18, 18)), width=2), Box(7, 5, 23, 23)],
    ids=["point", "scribble", "box"],
)
def test_sam_completes_what_is_marked(region_sam, scene, mark):
    picture, _ = scene()
    block = np.zeros((60, 80), bool)
    block[8:22, 6:22] = True
    assert iou(complete_marks(region_sam, picture, marked(picture, mark)), block) > 0.85


def test_a_mask_stays_and_negative_marks_are_cut_out(region_sam, scene):
    picture, light = scene()
    whole = Reference.from_mask(picture, light)
    assert complete_marks(region_sam, picture, whole) is whole.positive
    clicked = marked(picture, Point(15, 14), Box(8, 6, 22, 10, positive=False))
    completed = complete_marks(region_sam, picture, clicked)
    assert not completed[8:22, 6:10].any()
    assert completed[8:22, 12:20].all()
