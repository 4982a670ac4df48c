"""The published composition on small parts: shapes, n-shot, "not this", clicks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from vrpsam_app.annotations import Box
from vrpsam_app.config import SAM_TINY, paper_config
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.models.embeddings import PromptTensors
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference

SIDE = 64
NOT_A_BOX = torch.zeros(1, dtype=torch.bool)


@pytest.fixture(scope="module")
def model(fill_by_key: Callable[..., None]) -> PaperVRPSAM:
    config = paper_config("resnet50", SAM_TINY)
    encoder = dataclasses.replace(
        config.vrp_encoder, image_size=SIDE, hidden_dim=32, num_queries=5, mask_pooling="area"
    )
    model = PaperVRPSAM(dataclasses.replace(config, vrp_encoder=encoder))
    fill_by_key(model)
    return model.eval()


def picture(seed: int) -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def marks(rows: slice, which: int = 0) -> Tensor:
    maps = torch.zeros(1, 3, SIDE, SIDE)
    maps[:, which, rows, 10:40] = 1
    return maps


@torch.inference_mode()
def test_shapes_and_shots(model: PaperVRPSAM) -> None:
    reference, target = model.encode_images(picture(0)), model.encode_images(picture(1))
    first = model.encode_reference(reference, marks(slice(5, 30)), NOT_A_BOX)
    second = model.encode_reference(reference, marks(slice(35, 60)), NOT_A_BOX)
    one = model.decode(target, [first])
    two = model.decode(target, [first, second])
    assert one.mask_logits.shape == (1, 1, *model.output_hw((SIDE, SIDE))) == (1, 1, 32, 32)
    assert float((one.mask_logits - two.mask_logits).abs().max()) > 0
    assert one.score.shape == one.presence.shape == (1,)


@torch.inference_mode()
def test_not_this_only_lowers(model: PaperVRPSAM) -> None:
    target = model.encode_images(picture(1))
    shown = model.encode_reference(target, marks(slice(5, 30)), NOT_A_BOX)
    against = model.encode_reference(target, marks(slice(35, 60), which=1), NOT_A_BOX)
    plain = model.decode(target, [shown]).mask_logits
    lowered = model.decode(target, [shown, against]).mask_logits
    assert bool((lowered <= plain).all())
    with pytest.raises(EmptyReferenceError):
        model.decode(target, [against])


@torch.inference_mode()
def test_clicks_in_input_pixels_reach_sam_in_its_own(model: PaperVRPSAM) -> None:
    target = model.encode_images(picture(1))
    shown = [model.encode_reference(target, marks(slice(5, 30)), NOT_A_BOX)]
    labels = torch.tensor([[1]])

    def answer(x: float) -> Tensor:
        prompts = PromptTensors(points_xy=torch.tensor([[[x, 20.0]]]), point_labels=labels)
        return model.decode(target, shown, prompts).mask_logits

    assert float((answer(10.0) - answer(50.0)).abs().max()) > 0


def test_only_the_vrp_head_learns(model: PaperVRPSAM) -> None:
    learned = {n.split(".")[1] for n, p in model.named_parameters() if p.requires_grad}
    assert learned == {"feature_augmenter", "prompt_generator"}


@torch.inference_mode()
def test_taking_items_of_a_batch(model: PaperVRPSAM) -> None:
    embedding = model.encode_images(torch.cat([picture(0), picture(1)]))
    both = torch.cat([marks(slice(5, 30)), marks(slice(35, 60))])
    encoded = model.encode_reference(embedding, both, torch.zeros(2, dtype=torch.bool))
    swapped = encoded.take(torch.tensor([1, 0]))
    torch.testing.assert_close(swapped.prior[0], encoded.prior[1])
    torch.testing.assert_close(swapped.tokens[1], encoded.tokens[0])


def test_references_need_no_sam_and_come_out_the_same(model: PaperVRPSAM) -> None:
    with torch.inference_mode():
        less = model.encode_reference_images(picture(0))
        assert isinstance(less, PaperVRPSAM.reference_type)
        found, expected = (
            model.encode_reference(seen, marks(slice(10, 40)), torch.tensor([False]))
            for seen in (less, model.encode_images(picture(0)))
        )
    assert torch.equal(found.tokens, expected.tokens)
    assert torch.equal(found.prototype, expected.prototype)
    assert torch.equal(found.prior[0], expected.prior[0])


def test_joined_references_answer_as_alone(model: PaperVRPSAM) -> None:
    with torch.inference_mode():
        target, is_box = model.encode_images(picture(1)), torch.tensor([False])
        each = [
            model.encode_reference(model.encode_images(picture(0)), marks(rows), is_box)
            for rows in (slice(5, 20), slice(10, 50))
        ]
        both = each[0].joined_with(each[1:])
        together = model.decode(target.take(torch.tensor([0, 0])), [both])
        for i, one in enumerate(each):
            alone = model.decode(target, [one])
            torch.testing.assert_close(
                together.mask_logits[i : i + 1], alone.mask_logits, atol=1e-3, rtol=1e-3
            )
            assert torch.equal(both.take(torch.tensor([i])).prior[0], one.prior[0])


def test_a_predictor_shows_references_to_the_backbone_only(model: PaperVRPSAM) -> None:
    seen: list[str] = []
    hook = model.sam.image_encoder.patch_embed.register_forward_hook(lambda *_: seen.append("sam"))
    encode = model.vrp_encoder.encode_images
    model.vrp_encoder.encode_images = lambda x: seen.append("backbone") or encode(x)
    try:
        predictor = VRPSAMPredictor(model, device=torch.device("cpu"))
        first, second, target = (
            np.random.default_rng(i).integers(0, 255, (40, 40, 3), np.uint8) for i in range(3)
        )
        shown = [Reference.from_annotations(p, [Box(5, 5, 30, 30)]) for p in (first, second)]
        predictor.predict(target, shown[0])
        assert sorted(seen) == ["backbone", "backbone", "sam"]
        predictor.predict(target, shown)  # a further reference, the same target
        assert sorted(seen) == ["backbone"] * 3 + ["sam"]
        predictor.predict_classes(target, shown)
        predictor.predict(target, Reference.from_annotations(target, [Box(5, 5, 30, 30)]))
        assert sorted(seen) == ["backbone"] * 3 + ["sam"]  # a target that becomes a reference
    finally:
        model.vrp_encoder.encode_images = encode
        hook.remove()
