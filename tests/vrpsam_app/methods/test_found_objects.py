from __future__ import annotations

import math

import pytest
import torch

from vrpsam_app.config import SAM_TINY
from vrpsam_app.methods.found_objects import (
    FoundObject,
    box_of,
    evidence_under,
    iou_and_containment,
    mean_score,
    overlaps,
    paint_objects,
)
from vrpsam_app.methods.sam_grid import SAMGrid

GRID = SAMGrid.of((64, 64), SAM_TINY)


def block(rows: slice, cols: slice, value: float = 8.0) -> torch.Tensor:
    logits = torch.full((32, 32), -8.0)
    logits[rows, cols] = value
    return logits


def found(rows: slice, cols: slice, value: float = 8.0, score: float = 0.9) -> FoundObject:
    return FoundObject(block(rows, cols, value), score, 1.0)


def test_each_pixel_belongs_to_the_most_probable_object():
    objects = [found(slice(0, 16), slice(0, 32), 2.0), found(slice(8, 24), slice(0, 32), 5.0)]
    painted = paint_objects(objects, GRID, 0.5)
    assert painted.instance_labels[5, 30] == 1
    assert painted.instance_labels[25, 30] == 2  # where both are
    assert painted.instance_labels[60, 30] == 0
    assert painted.probability[25, 30] == pytest.approx(1 / (1 + math.exp(-5)), abs=1e-3)


def test_nested_objects_lie_on_top():
    objects = [found(slice(0, 32), slice(0, 32), 9.0), found(slice(8, 16), slice(8, 16), 2.0)]
    assert paint_objects(objects, GRID, 0.5).instance_labels.max() == 1
    nested = paint_objects(objects, GRID, 0.5, nested=True)
    assert nested.instance_labels[24, 24] == 2
    assert nested.instance_labels[60, 60] == 1
    assert nested.probability[24, 24] > 0.99


def test_nothing_found_is_nothing_painted():
    painted = paint_objects([], GRID, 0.5)
    assert not painted.probability.any()
    assert not painted.instance_labels.any()
    assert mean_score([]) == 0


def test_scores_count_by_area():
    objects = [
        found(slice(0, 30), slice(0, 10), score=0.9),
        found(slice(0, 10), slice(20, 30), score=0.5),
    ]
    assert mean_score(objects) == pytest.approx(0.8)
    assert mean_score([found(slice(0, 5), slice(0, 5), score=2.0)]) == 1


def test_overlap_of_masks():
    a, b, none = (
        block(slice(0, 8), slice(0, 8)) > 0,
        block(slice(0, 8), slice(4, 8)) > 0,
        torch.zeros(32, 32, dtype=torch.bool),
    )
    iou, contained = iou_and_containment(torch.stack([a, none]), torch.stack([a, b]))
    assert iou.tolist() == [[1, 0.5], [0, 0]]
    assert contained.tolist() == [[1, 1], [0, 0]]
    assert overlaps(a[None], b[None]).tolist() == [[1]]


def test_evidence_under_a_mask():
    evidence = torch.zeros(8, 8)
    evidence[:2] = 1.0
    masks = torch.stack([block(slice(0, 16), slice(0, 32)), torch.full((32, 32), -1.0)])
    assert evidence_under(masks, evidence).tolist() == [0.5, 0]


def test_the_box_of_a_mask():
    assert box_of(block(slice(3, 9), slice(5, 20)) > 0) == (5, 3, 20, 9)
    assert box_of(torch.zeros(4, 4, dtype=torch.bool)) is None
