from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from vrpsam_app.models.torchvision_ops import import_torchvision, non_maximum_suppression


def test_segment_anything_and_timm_import_after_it() -> None:
    import_torchvision()
    assert importlib.import_module("segment_anything").SamPredictor
    assert importlib.import_module("timm").create_model


def test_other_failures_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("another reason")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="another reason"):
        import_torchvision.__wrapped__()


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    boxes = torch.tensor(
        [[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 4]], dtype=torch.float32
    )
    scores = torch.tensor([0.5, 0.9, 0.1, 0.6])
    # Overlaps with box 1: box 0 has 9/11, box 3 has 36/104.
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [1, 3, 2]
    assert non_maximum_suppression(boxes, scores, 0.3).tolist() == [1, 2]
    assert non_maximum_suppression(boxes, scores, 0.9).tolist() == [1, 3, 0, 2]


def test_suppression_keeps_the_order_of_equal_scores_and_takes_no_boxes() -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [5.0, 5.0, 6.0, 6.0], [0.0, 0.0, 1.0, 1.0]])
    assert non_maximum_suppression(boxes, torch.ones(3), 0.5).tolist() == [0, 1]
    assert non_maximum_suppression(boxes[:0], torch.ones(0), 0.5).tolist() == []


def test_torchvision_suppresses_per_class() -> None:
    import_torchvision()
    batched_nms = importlib.import_module("torchvision.ops.boxes").batched_nms
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 9.0, 8.0], [0.0, 0.0, 9.0, 7.0]])
    scores = torch.tensor([0.3, 0.2, 0.1])
    assert batched_nms(boxes, scores, torch.tensor([0, 0, 1]), 0.5).tolist() == [0, 2]


def test_automatic_mask_generation_runs(tiny_sam: torch.nn.Module) -> None:
    from segment_anything import SamAutomaticMaskGenerator
    from segment_anything.modeling import Sam

    sam = Sam(tiny_sam.image_encoder, tiny_sam.prompt_encoder, tiny_sam.mask_decoder).eval()
    generator = SamAutomaticMaskGenerator(
        sam,
        points_per_side=2,
        pred_iou_thresh=-1e6,
        stability_score_thresh=-1.0,
        box_nms_thresh=0.9,
    )
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    masks = generator.generate(image)
    assert masks
    assert all(m["segmentation"].shape == (48, 64) for m in masks)
    boxes = {tuple(m["bbox"]) for m in masks}
    assert len(boxes) == len(masks)
