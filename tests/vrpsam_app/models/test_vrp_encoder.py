from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vrpsam_app.config import VRPEncoderConfig, paper_config
from vrpsam_app.models.official_keys import official_key
from vrpsam_app.models.pseudo_masks import PseudoMaskPrior
from vrpsam_app.models.vrp_encoder import VRPEncoder

SMALL = VRPEncoderConfig(semantic_encoder="shared", hidden_dim=16, num_queries=5, num_heads=2)


@pytest.fixture
def encoder(fill_by_key: Callable[..., None]) -> VRPEncoder:
    module = VRPEncoder(SMALL, shared_channels=8).eval()
    fill_by_key(module)
    return module


def maps(count: int, seed: int = 0, hw: tuple[int, int] = (8, 6)) -> Tensor:
    return torch.rand(count, 8, *hw, generator=torch.Generator().manual_seed(seed))


def disc(count: int, side: int = 64) -> Tensor:
    """Draw one disc each, every one elsewhere."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    masks = [(rows - 20 - 8 * i) ** 2 + (columns - 40 + 9 * i) ** 2 < 12**2 for i in range(count)]
    return torch.stack(masks)[:, None].float()


@pytest.mark.parametrize(
    ("file", "name"), [("vrp_resnet50", "resnet50_v2"), ("vrp_vgg16", "vgg16_bn")]
)
def test_the_paper_preset_computes_what_the_published_code_does(
    file: str, name: str, golden_folder: Path, fill_by_key: Callable[..., None]
) -> None:
    encoder = VRPEncoder(paper_config(name).vrp_encoder).eval()
    lines = (golden_folder / f"{file}_keys.txt").read_text().splitlines()
    published = {official_key(key): key for key in (line.split()[0] for line in lines)}
    fill_by_key(encoder, published.__getitem__)
    reference, target = (
        torch.from_numpy(
            np.random.default_rng(seed).standard_normal((1, 3, 512, 512)).astype(np.float32)
        )
        for seed in (7, 8)
    )
    rows, columns = np.ogrid[:512, :512]
    mask = (rows >= 100) & (rows < 300) & (columns >= 150) & (columns < 400)
    mask |= (rows - 400) ** 2 + (columns - 120) ** 2 < 60**2

    augmented: list[Tensor] = []
    encoder.feature_augmenter.register_forward_hook(lambda *call: augmented.append(call[-1]))
    with torch.inference_mode():
        encoding = encoder.encode_reference(
            encoder.encode_images(reference), torch.from_numpy(mask)[None, None].float()
        )
        output = encoder.generate(encoding, encoder.encode_images(target))
    got = {
        "prompts": output.visual_prompts,
        "pseudo_mask": output.pseudo_mask,
        "prototype": encoding.prototype,
    }
    for role, whole in zip(("reference", "target"), augmented, strict=True):
        got[f"{role}_augmented_mean"] = whole.mean(dim=(2, 3))
        got[f"{role}_augmented_corner"] = whole[:, :8, :4, :4]

    with np.load(golden_folder / f"{file}.npz") as golden:
        assert set(golden.files) == set(got)
        for key in golden.files:
            expected = torch.from_numpy(golden[key])
            # Relative to the largest value: the ResNet's maps reach a thousand.
            error = (got[key] - expected).abs().max() / expected.abs().max().clamp(min=1)
            assert error < 1e-4, key


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet50_v2", 1_592_064), ("resnet101_v2", 1_592_064), ("vgg16_bn", 1_395_456)],
)
def test_learnable_parameters_are_as_many_as_published(name: str, count: int) -> None:
    with torch.device("meta"):
        encoder = VRPEncoder(VRPEncoderConfig(semantic_encoder=name)).train()
    assert sum(p.numel() for p in encoder.parameters() if p.requires_grad) == count
    assert not encoder.semantic_encoder.training


def test_training_reaches_every_learnable_weight(encoder: VRPEncoder) -> None:
    encoder.train()
    output = encoder(maps(2), disc(2), maps(2, seed=1))
    output.visual_prompts.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_each_item_of_a_batch_stands_alone(encoder: VRPEncoder) -> None:
    together = encoder(maps(3), disc(3), maps(3, seed=1))
    alone = encoder(maps(3)[1:2], disc(3)[1:2], maps(3, seed=1)[1:2])
    torch.testing.assert_close(together.visual_prompts[1:2], alone.visual_prompts)
    torch.testing.assert_close(together.pseudo_mask[1:2], alone.pseudo_mask)
    assert together.visual_prompts.std(dim=0).mean() > 1e-2


def test_several_references_put_their_prompts_side_by_side(encoder: VRPEncoder) -> None:
    target = encoder.encode_images(maps(1, seed=9))
    shots = [
        encoder.encode_reference(encoder.encode_images(maps(1, seed=i)), disc(2)[i : i + 1])
        for i in range(2)
    ]
    one, two = (encoder.generate(shot, target) for shot in shots)
    both = encoder.generate(shots, target)
    expected = torch.cat((one.visual_prompts, two.visual_prompts), dim=1)
    torch.testing.assert_close(both.visual_prompts, expected)
    assert both.visual_prompts.shape == (1, 10, 16)
    assert torch.equal(both.pseudo_mask, torch.maximum(one.pseudo_mask, two.pseudo_mask))


def test_one_cached_reference_serves_many_cached_targets(encoder: VRPEncoder) -> None:
    reference = encoder.encode_reference(encoder.encode_images(maps(1)), disc(1))
    targets = encoder.encode_images(maps(3, seed=1, hw=(5, 9)))
    together = encoder.generate(reference, targets)
    assert together.pseudo_mask.shape == (3, 1, 5, 9)
    cached = encoder.encode_target(targets)
    again = encoder.generate(reference, cached)
    assert torch.equal(together.visual_prompts, again.visual_prompts)
    third = encoder.generate(reference, cached.take(torch.tensor([2])))
    torch.testing.assert_close(together.visual_prompts[2:], third.visual_prompts)


def test_references_are_taken_from_a_batch(encoder: VRPEncoder) -> None:
    batch = encoder.encode_reference(encoder.encode_images(maps(3)), disc(3))
    target = encoder.encode_images(maps(1, seed=5))
    taken = encoder.generate(batch.take(torch.tensor([2])), target)
    alone = encoder.encode_reference(encoder.encode_images(maps(3)[2:]), disc(3)[2:])
    expected = encoder.generate(alone, target)
    torch.testing.assert_close(taken.visual_prompts, expected.visual_prompts)
    torch.testing.assert_close(taken.pseudo_mask, expected.pseudo_mask)


@pytest.mark.parametrize(("pooling", "vanishes"), [("area", False), ("nearest", True)])
def test_a_mark_of_one_pixel_counts_by_area(
    pooling: str, vanishes: bool, fill_by_key: Callable[..., None]
) -> None:
    config = VRPEncoderConfig(
        semantic_encoder="shared", hidden_dim=16, num_queries=5, mask_pooling=pooling
    )
    encoder = VRPEncoder(config, shared_channels=8).eval()
    fill_by_key(encoder)
    point = torch.zeros(1, 1, 64, 64)
    point[..., 37, 21] = 1
    features = encoder.encode_images(maps(1))
    marked = encoder.encode_reference(features, point)
    unmarked = encoder.encode_reference(features, torch.zeros_like(point))
    assert torch.equal(marked.tokens, unmarked.tokens) == vanishes
    assert (len(marked.prior[0]) == 0) == vanishes


class Recorder(PseudoMaskPrior):
    """A prior that wants whole features and known background."""

    masks_reference = False

    def encode_reference(
        self, high: Tensor, mask: Tensor, background: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        assert background is not None
        return high, mask, background

    def forward(self, state: tuple[Tensor, ...], target_high: Tensor) -> Tensor:
        return target_high.mean(dim=1, keepdim=True)


def test_another_prior_gets_whole_features_and_the_background() -> None:
    encoder = VRPEncoder(SMALL, shared_channels=8, prior=Recorder()).eval()
    features = encoder.encode_images(maps(1))
    reference = encoder.encode_reference(features, disc(1), background=1 - disc(1))
    high, mask, background = reference.prior
    assert torch.equal(high, maps(1))
    torch.testing.assert_close(mask + background, torch.ones(1, 1, 8, 6))
    output = encoder.generate(reference, features)
    torch.testing.assert_close(output.pseudo_mask, maps(1).mean(dim=1, keepdim=True))


def test_misshapen_masks_and_missing_references_are_refused(encoder: VRPEncoder) -> None:
    features = encoder.encode_images(maps(1))
    with pytest.raises(ValueError, match=r"\(1, 64, 64\): expected \(B, 1, S, S\)"):
        encoder.encode_reference(features, torch.ones(1, 64, 64))
    with pytest.raises(ValueError, match="no reference encoding"):
        encoder.generate([], features)
