from __future__ import annotations

import math

import torch

from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.guided_decoder import Guidance, decode_guided


def asked(sam: FrozenSAM) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    points = torch.rand(2, 3, 2, generator=g) * 128
    sparse, dense = sam.prompt(points, torch.ones(2, 3))
    return torch.randn(1, 32, 8, 8, generator=g), sparse, dense


def test_without_guidance_it_is_the_decoder(tiny_sam: FrozenSAM) -> None:
    image, sparse, dense = asked(tiny_sam)
    plain = tiny_sam.decode_masks(image, sparse, dense)
    torch.testing.assert_close(
        decode_guided(tiny_sam, image, sparse, dense).mask_logits, plain.mask_logits
    )


def test_cue_and_embedding_change_the_answer(tiny_sam: FrozenSAM) -> None:
    image, sparse, dense = asked(tiny_sam)
    flat, nothing = torch.full((8, 8), 0.5), torch.zeros(32)
    peak = flat.clone()
    peak[2, 3] = 1.0

    def answer(cue: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        return decode_guided(tiny_sam, image, sparse, dense, Guidance(cue, embedding)).mask_logits

    base = answer(flat, nothing)
    assert float((answer(peak, nothing) - base).abs().max()) > 0
    assert float((answer(flat, torch.ones(32)) - base).abs().max()) > 0
    # Only differences within the cue count: a second softmax does not see what all cells share.
    torch.testing.assert_close(answer(flat + 0.3, nothing), base, atol=1e-5, rtol=1e-5)


def test_one_guidance_serves_many_prompts(tiny_sam: FrozenSAM) -> None:
    image, sparse, dense = asked(tiny_sam)
    guidance = Guidance(torch.rand(8, 8), torch.randn(32))
    both = decode_guided(tiny_sam, image, sparse, dense, guidance)
    alone = decode_guided(tiny_sam, image, sparse[1:], dense[1:], guidance)
    torch.testing.assert_close(both.mask_logits[1:], alone.mask_logits, atol=1e-5, rtol=1e-5)


def test_guided_attention_is_a_softmax_of_a_softmax(tiny_sam: FrozenSAM) -> None:
    from vrpsam_app.models.guided_decoder import _guided_attention

    attention = tiny_sam.mask_decoder.transformer.layers[0].cross_attn_token_to_image
    g = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(1, n, 32, generator=g) for n in (4, 9, 9))
    cue = torch.rand(9, generator=g)
    heads, width = attention.num_heads, attention.internal_dim // attention.num_heads
    expected = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        a, b, c = (
            projection(x)[0, :, own]
            for projection, x in (
                (attention.q_proj, q),
                (attention.k_proj, k),
                (attention.v_proj, v),
            )
        )
        weights = (a @ b.T / math.sqrt(width)).softmax(1)
        expected.append((weights + cue).softmax(1) @ c)
    torch.testing.assert_close(
        _guided_attention(attention, q, k, v, cue),
        attention.out_proj(torch.cat(expected, 1))[None],
        atol=1e-5,
        rtol=1e-5,
    )
