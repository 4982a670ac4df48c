from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from vrpsam_app.models.sam_decoder import decode_batch

if TYPE_CHECKING:
    from vrpsam_app.models.frozen_sam import FrozenSAM


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return (
        torch.randn(3, 32, 8, 6, generator=g),
        torch.randn(1, 32, 8, 6, generator=g),
        torch.randn(3, 7, 32, generator=g),
        torch.randn(3, 32, 8, 6, generator=g),
    )


def test_equals_the_stock_decoder_image_by_image(
    tiny_sam: FrozenSAM, inputs: tuple[torch.Tensor, ...]
) -> None:
    embeddings, image_pe, sparse, dense = inputs
    decoded = decode_batch(tiny_sam.mask_decoder, *inputs)
    assert decoded.mask_logits.shape == (3, 4, 32, 24)
    for i in range(3):
        one = slice(i, i + 1)
        masks, scores = tiny_sam.mask_decoder.predict_masks(
            embeddings[one], image_pe, sparse[one], dense[one]
        )
        torch.testing.assert_close(decoded.mask_logits[one], masks, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(decoded.scores[one], scores, atol=1e-5, rtol=1e-5)
    # The three images must not look alike, or the comparison says nothing.
    assert decoded.mask_logits.std(dim=0).mean() > 0.1


def test_many_sets_of_prompts_on_one_image(
    tiny_sam: FrozenSAM, inputs: tuple[torch.Tensor, ...]
) -> None:
    embeddings, image_pe, sparse, dense = inputs
    one = embeddings[:1]
    for prompt in (dense[:1], dense):
        decoded = decode_batch(tiny_sam.mask_decoder, one, image_pe, sparse, prompt)
        masks, scores = tiny_sam.mask_decoder.predict_masks(one, image_pe, sparse, prompt)
        torch.testing.assert_close(decoded.mask_logits, masks, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(decoded.scores, scores, atol=1e-5, rtol=1e-5)


def test_tokens_belong_to_scores_and_masks(
    tiny_sam: FrozenSAM, inputs: tuple[torch.Tensor, ...]
) -> None:
    decoded = decode_batch(tiny_sam.mask_decoder, *inputs)
    assert decoded.iou_token.shape == (3, 32)
    assert decoded.mask_tokens.shape == (3, 4, 32)
    scores = tiny_sam.mask_decoder.iou_prediction_head(decoded.iou_token)
    assert torch.equal(scores, decoded.scores)


def test_skips_of_zero_change_nothing_and_others_do(
    tiny_sam: FrozenSAM, inputs: tuple[torch.Tensor, ...]
) -> None:
    plain = decode_batch(tiny_sam.mask_decoder, *inputs).mask_logits
    zero = (torch.zeros(3, 8, 16, 12), torch.zeros(3, 4, 32, 24))
    same = decode_batch(tiny_sam.mask_decoder, *inputs, upscale_skips=zero).mask_logits
    torch.testing.assert_close(same, plain)
    for i in range(2):
        skips = tuple(skip.clone() for skip in zero)
        skips[i][:, 0] = 1  # one channel only: the layer norm takes out what all have in common
        other = decode_batch(tiny_sam.mask_decoder, *inputs, upscale_skips=skips).mask_logits
        assert (other - plain).abs().mean() > 1e-3


def test_gradients_reach_the_prompts_and_no_weight(
    tiny_sam: FrozenSAM, inputs: tuple[torch.Tensor, ...]
) -> None:
    embeddings, image_pe, sparse, dense = inputs
    sparse = sparse.clone().requires_grad_()
    decode_batch(tiny_sam.mask_decoder, embeddings, image_pe, sparse, dense).mask_logits[
        :, 0
    ].mean().backward()
    assert sparse.grad is not None
    assert (sparse.grad.abs().amax(dim=(1, 2)) > 0).all()
    assert all(p.grad is None for p in tiny_sam.parameters())


def test_no_prompts_at_all(tiny_sam: FrozenSAM, inputs: tuple[torch.Tensor, ...]) -> None:
    embeddings, image_pe, sparse, dense = inputs
    decoded = decode_batch(tiny_sam.mask_decoder, embeddings, image_pe, sparse[:, :0], dense)
    assert decoded.mask_logits.isfinite().all()
