"""The lean encoder beside segment-anything's own, no parameter of which is zero."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from vrpsam_app.models import lean_vit
from vrpsam_app.models.lean_vit import encode_vit
from vrpsam_app.models.torchvision_ops import import_torchvision

MOST_APART = 1e-4  # relative to the largest value

# Sides for which windows fill the grid, and for which the last ones are padded.
CASES = {"windows fit": (128, 4), "windows are padded": (176, 4), "one window": (64, 14)}


def stock(side: int, window: int, **changed: Any) -> nn.Module:
    import_torchvision()
    from segment_anything.modeling import ImageEncoderViT

    settings: dict[str, Any] = {
        "img_size": side,
        "patch_size": 16,
        "embed_dim": 48,
        "depth": 4,
        "num_heads": 3,
        "mlp_ratio": 4,
        "out_chans": 24,
        "qkv_bias": True,
        "norm_layer": partial(nn.LayerNorm, eps=1e-6),
        "use_rel_pos": True,
        "window_size": window,
        "global_attn_indexes": (1, 3),
    }
    return ImageEncoderViT(**(settings | changed)).eval()


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    assert expected.std() > 0.05
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("side", "window"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("scores", [lean_vit.SCORES_IN_CACHE, 40])
def test_equals_segment_anythings_encoder(
    side: int,
    window: int,
    gradients: bool,
    scores: int,
    fill_by_key: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In place and with gradients, at once and in the smallest bands."""
    monkeypatch.setattr(lean_vit, "SCORES_IN_CACHE", scores)
    monkeypatch.setattr(lean_vit, "HIDDEN_IN_CACHE", 20 * scores)
    encoder = stock(side, window)
    fill_by_key(encoder)
    assert all(bool(p.any()) for p in encoder.parameters())
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.set_grad_enabled(gradients):
        found = encode_vit(encoder, images)
    assert apart(found.detach(), encoder(images).detach()) < MOST_APART


def test_equals_it_without_positions_and_biases(fill_by_key: Callable[..., None]) -> None:
    encoder = stock(80, 4, use_rel_pos=False, use_abs_pos=False, qkv_bias=False)
    fill_by_key(encoder)
    images = torch.randn(1, 3, 80, 80, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert apart(encode_vit(encoder, images), encoder(images)) < MOST_APART


def test_gradients_are_those_of_segment_anythings_encoder(
    fill_by_key: Callable[..., None],
) -> None:
    encoder = stock(64, 3)
    fill_by_key(encoder)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found, expected = (
        torch.autograd.grad(encode(images).square().sum(), list(encoder.parameters()))
        for encode in (partial(encode_vit, encoder), encoder)
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).abs().max()) <= 1e-3 * float(theirs.abs().max()) + 1e-6


def test_the_input_and_the_weights_stay_as_they_are(fill_by_key: Callable[..., None]) -> None:
    encoder = stock(64, 3)
    fill_by_key(encoder)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = images.clone()
    with torch.inference_mode():
        first, again = encode_vit(encoder, images), encode_vit(encoder, images)
    assert torch.equal(first, again)
    assert torch.equal(images, kept)
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


def test_memory_is_a_fraction(fill_by_key: Callable[..., None]) -> None:
    """The largest tensor is far below the package's attention matrix of all positions."""
    encoder = stock(512, 14)  # 1024 positions, 3 heads
    fill_by_key(encoder)
    images = torch.randn(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    most = {}
    for name, encode in (("ours", partial(encode_vit, encoder)), ("theirs", encoder)):
        largest = _LargestTensor()
        with torch.inference_mode(), largest:
            encode(images)
        most[name] = largest.elements
    assert most["theirs"] == 3 * 1024**2
    assert most["ours"] <= lean_vit.SCORES_IN_CACHE


class _LargestTensor(torch.utils._python_dispatch.TorchDispatchMode):
    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.elements = max(self.elements, result.numel())
        return result


def test_bfloat16_is_near(fill_by_key: Callable[..., None]) -> None:
    encoder = stock(176, 4)
    fill_by_key(encoder)
    images = torch.randn(1, 3, 176, 176, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = encoder(images)
        with torch.autocast("cpu", torch.bfloat16):
            found = encode_vit(encoder, images)
    assert float((found.float() - expected).abs().mean() / expected.abs().mean()) < 0.05


def test_another_side_is_explained() -> None:
    with pytest.raises(ValueError, match="64 x 96 pixels: expected 64 x 64"):
        encode_vit(stock(64, 3), torch.zeros(1, 3, 64, 96))
