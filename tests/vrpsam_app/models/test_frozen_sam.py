from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import nn

from vrpsam_app.config import SAM_CONFIGS, SAM_CONV_SMALL, SAM_TINY
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.torchvision_ops import import_torchvision


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_state_dict_is_that_of_segment_anything(name: str) -> None:
    import_torchvision()
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        stock = sam_model_registry[name]().state_dict()
        ours = FrozenSAM(SAM_CONFIGS[name]).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in stock.items()}


def test_encodes_as_segment_anything(tiny_sam: FrozenSAM) -> None:
    from segment_anything.modeling import ImageEncoderViT

    stock = ImageEncoderViT(
        img_size=128,
        patch_size=16,
        embed_dim=32,
        depth=2,
        num_heads=2,
        out_chans=32,
        norm_layer=lambda dim: nn.LayerNorm(dim, eps=1e-6),
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )
    stock.load_state_dict(tiny_sam.image_encoder.state_dict())
    images = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    expected = stock(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(tiny_sam.encode(images), expected, atol=1e-5, rtol=1e-5)


def test_prompts_are_those_of_segment_anything_half_a_pixel_on(tiny_sam: FrozenSAM) -> None:
    points = torch.tensor([[[3.5, 4.5], [50.0, 60.0]], [[0.5, 127.5], [9.0, 9.0]]])
    labels = torch.tensor([[1, 0], [1, -1]])
    boxes = torch.tensor([[1.0, 2.0, 30.0, 40.0], [5.0, 5.0, 6.0, 7.0]])
    logits = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for given in ((points, None, None), (points, boxes, logits), (None, boxes, None)):
        p, b, m = given
        sparse, dense = tiny_sam.prompt(p, labels if p is not None else None, b, m)
        expected = tiny_sam.prompt_encoder(
            (p - 0.5, labels) if p is not None else None, b - 0.5 if b is not None else None, m
        )
        torch.testing.assert_close(sparse, expected[0])
        torch.testing.assert_close(dense, expected[1])


@pytest.mark.parametrize("grid_hw", [(8, 8), (4, 10)])
def test_a_point_in_the_middle_of_a_cell_is_encoded_as_the_cell(
    tiny_sam: FrozenSAM, grid_hw: tuple[int, int]
) -> None:
    row, column, stride = 3, 6, SAM_TINY.embedding_stride
    xy = torch.tensor([[[(column + 0.5) * stride, (row + 0.5) * stride]]])
    sparse, dense = tiny_sam.prompt(xy, torch.ones(1, 1), grid_hw=grid_hw)
    position = sparse[0, 0] - tiny_sam.prompt_encoder.point_embeddings[1].weight[0]
    image_pe = tiny_sam.image_pe(grid_hw)
    assert image_pe.shape == (1, 32, *grid_hw)
    torch.testing.assert_close(position, image_pe[0, :, row, column], atol=1e-5, rtol=1e-5)
    assert dense.shape == (1, 32, *grid_hw)


def test_several_boxes_make_two_tokens_each(tiny_sam: FrozenSAM) -> None:
    boxes = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0)) * 100
    sparse, _ = tiny_sam.prompt(boxes_xyxy=boxes)
    assert sparse.shape == (2, 6, 32)
    torch.testing.assert_close(sparse[1, 2:4], tiny_sam.prompt(boxes_xyxy=boxes[1:, 1])[0][0])


def test_no_prompt_is_no_token(tiny_sam: FrozenSAM) -> None:
    sparse, dense = tiny_sam.prompt(batch_size=3)
    assert sparse.shape == (3, 0, 32)
    assert torch.equal(dense[2, :, 5, 5], tiny_sam.prompt_encoder.no_mask_embed.weight[0])


def test_points_need_labels(tiny_sam: FrozenSAM) -> None:
    with pytest.raises(ValueError, match="a label for each point"):
        tiny_sam.prompt(torch.zeros(1, 1, 2))


def test_decodes_as_segment_anything(tiny_sam: FrozenSAM) -> None:
    g = torch.Generator().manual_seed(0)
    embeddings = torch.randn(2, 32, 8, 8, generator=g)
    prompts = torch.randn(2, 5, 32, generator=g)
    decoded = tiny_sam.decode_masks(embeddings, prompts)
    for i in range(2):
        masks, scores = tiny_sam.mask_decoder(
            image_embeddings=embeddings[i : i + 1],
            image_pe=tiny_sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=prompts[i : i + 1],
            dense_prompt_embeddings=tiny_sam.prompt()[1],
            multimask_output=False,
        )
        torch.testing.assert_close(decoded.mask_logits[i, :1], masks[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(decoded.scores[i, :1], scores[0], atol=1e-5, rtol=1e-5)


def test_is_frozen_but_lets_gradients_through(tiny_sam: FrozenSAM) -> None:
    prompts = torch.randn(1, 2, 32, requires_grad=True)
    tiny_sam.train().decode_masks(torch.randn(1, 32, 8, 8), prompts).mask_logits.sum().backward()
    assert not any(module.training for module in tiny_sam.modules())
    assert not any(p.requires_grad for p in tiny_sam.parameters())
    assert prompts.grad is not None
    assert prompts.grad.abs().sum() > 0


def test_another_image_encoder_of_other_stride_and_grid(fill_by_key: Callable[..., None]) -> None:
    config = dataclasses.replace(SAM_CONV_SMALL, prompt_dim=32, decoder_mlp_dim=32)
    sam = FrozenSAM(config, image_encoder=nn.Conv2d(3, 32, 8, stride=8))
    fill_by_key(sam)
    embeddings = sam.encode(torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    assert embeddings.shape == (2, 32, 8, 12)
    assert not any(p.requires_grad for p in sam.image_encoder.parameters())
    decoded = sam.decode_masks(embeddings, torch.ones(2, 4, 32))
    assert decoded.mask_logits.shape == (2, 4, 32, 48)
    assert decoded.mask_logits.std() > 0


def test_a_convolutional_encoder_must_be_given() -> None:
    with pytest.raises(ConfigError, match="pass it as image_encoder"):
        FrozenSAM(SAM_CONV_SMALL)
