from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from vrpsam_app.models.prompt_generator import (
    AttentionLayer,
    PromptGenerator,
    sine_position_encoding,
)


@pytest.fixture
def generator(fill_by_key: Callable[..., None]) -> PromptGenerator:
    module = PromptGenerator(16, num_queries=5, heads=4)
    fill_by_key(module)
    return module


def test_positions_follow_the_formula() -> None:
    h, w, channels = 3, 5, 8
    encoding = sine_position_encoding((h, w), channels, torch.zeros(1))
    assert encoding.shape == (h * w, channels)
    for row in range(h):
        for column in range(w):
            for i in range(channels):
                angle = (row + 1) / (h + 1e-6) if i < 4 else (column + 1) / (w + 1e-6)
                angle *= 2 * math.pi / 10000 ** (2 * (i % 4 // 2) / 4)
                expected = math.cos(angle) if i % 2 else math.sin(angle)
                assert encoding[row * w + column, i] == pytest.approx(expected, abs=1e-5)


def test_halves_make_the_whole(generator: PromptGenerator) -> None:
    g = torch.Generator().manual_seed(0)
    reference, target = torch.rand(2, 16, 4, 4, generator=g), torch.rand(2, 16, 3, 6, generator=g)
    tokens = generator.reference_half(reference)
    assert tokens.shape == (2, 5, 16)
    prompts = generator.target_half(tokens, target)
    assert torch.equal(prompts, generator(reference, target))


def test_each_item_of_a_batch_stands_alone(generator: PromptGenerator) -> None:
    g = torch.Generator().manual_seed(0)
    reference, target = torch.rand(3, 16, 4, 4, generator=g), torch.rand(3, 16, 4, 4, generator=g)
    together = generator(reference, target)
    torch.testing.assert_close(together[1:2], generator(reference[1:2], target[1:2]))
    one_for_all = generator.target_half(generator.reference_half(reference[:1]), target)
    assert (one_for_all[1] - together[1]).abs().max() > 1e-3


def test_the_same_features_elsewhere_give_other_prompts(generator: PromptGenerator) -> None:
    g = torch.Generator().manual_seed(0)
    tokens, target = torch.rand(1, 5, 16, generator=g), torch.rand(1, 16, 4, 4, generator=g)
    moved = generator.target_half(tokens, target.flip(-1))
    assert (moved - generator.target_half(tokens, target)).abs().max() > 1e-3


def test_attention_layer_is_normalised_after_the_sum(generator: PromptGenerator) -> None:
    layer = AttentionLayer(16, 4)
    prompts = layer(torch.randn(1, 5, 16), torch.randn(1, 7, 16), torch.randn(1, 7, 16))
    torch.testing.assert_close(prompts.mean(dim=2), torch.zeros(1, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        prompts.std(dim=2, unbiased=False), torch.ones(1, 5), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize(
    ("query_init", "about_object"), [("foreground", 5), ("background", 0), ("half", 3)]
)
def test_queries_can_start_from_prototypes(query_init: str, about_object: int) -> None:
    torch.manual_seed(0)
    generator = PromptGenerator(16, num_queries=5, heads=4, query_init=query_init)
    foreground, background = torch.rand(2, 2, 16).unbind()
    tokens = generator.first_tokens(foreground, background)
    assert tokens.shape == (2, 5, 16)
    for k in range(5):
        expected = foreground if k < about_object else background
        assert torch.equal(tokens[:, k], expected)
    assert not any(name.startswith("prompt_queries") for name in generator.state_dict())
    # Nothing later tells alike queries apart: they stay copies.
    maps = torch.rand(2, 16, 4, 4)
    with torch.no_grad():
        prompts = generator.target_half(generator.reference_half(maps, tokens), maps)[0]
    for alike in (prompts[:about_object], prompts[about_object:]):
        # Copies up to the order in which sums are made.
        torch.testing.assert_close(alike, alike[:1].expand_as(alike), atol=1e-4, rtol=0)
    if 0 < about_object < 5:
        assert float((prompts[0] - prompts[-1]).abs().max()) > 0.01


def test_learned_queries_heed_no_prototype(generator: PromptGenerator) -> None:
    first, second = (generator.first_tokens(torch.rand(2, 16), torch.rand(2, 16)) for _ in range(2))
    assert torch.equal(first, second)
    maps = torch.rand(2, 16, 4, 4)
    assert torch.equal(generator.reference_half(maps, first), generator.reference_half(maps))
