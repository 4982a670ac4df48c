"""The module between prompt encoder and decoder: neutral at first, then it looks at the picture."""

from __future__ import annotations

import pytest
import torch

from vrpsam_app.errors import ConfigError, WeightsMismatchError
from vrpsam_app.models.prompt_learner import PromptLearner, PromptLearnerConfig


def learner(**settings) -> PromptLearner:
    torch.manual_seed(0)
    return PromptLearner(PromptLearnerConfig(prompt_dim=32, heads=4, **settings))


def moved(module: PromptLearner) -> PromptLearner:
    """Give the weights that begin at zero other values."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return module


@pytest.fixture
def prompts(tiny_sam):
    points = torch.tensor([[[20.0, 30.0]], [[90.0, 100.0]], [[64.0, 8.0]]])
    sparse, _ = tiny_sam.prompt(points, torch.ones(3, 1))
    return sparse, torch.randn(1, 32, 8, 8), tiny_sam.image_pe()


@pytest.mark.parametrize("layers", [1, 3])
def test_what_has_learned_nothing_changes_nothing(prompts, layers):
    assert torch.equal(learner(layers=layers)(*prompts), prompts[0])


def test_a_map_begins_at_zero(prompts):
    fresh = learner(map=True)
    logits, score = fresh.draw(fresh(*prompts), *prompts[1:])
    assert logits.shape == (3, 1, 8, 8)
    assert score.shape == (3,)
    assert not logits.any()
    assert not score.any()


def test_prompts_depend_on_the_picture_and_on_each_other(prompts):
    sparse, picture, places = prompts
    module = moved(learner())
    adjusted = module(sparse, picture, places)
    assert adjusted.shape == sparse.shape
    assert not torch.allclose(module(sparse, picture + torch.randn_like(picture), places), adjusted)
    # Prompts of one question see each other, those of another one do not.
    other = sparse.clone()
    other[0, 1] += torch.randn(32)
    changed = module(other, picture, places)
    assert not torch.allclose(changed[0, 0], adjusted[0, 0])
    torch.testing.assert_close(changed[1:], adjusted[1:])


def test_one_picture_for_all_is_that_picture_for_each(prompts):
    sparse, picture, places = prompts
    module = moved(learner(map=True))
    shared = module(sparse, picture, places)
    each = module(sparse, picture.expand(3, -1, -1, -1), places)
    torch.testing.assert_close(shared, each)
    drawn = module.draw(shared, picture, places)[0]
    torch.testing.assert_close(drawn, module.draw(each, picture.expand(3, -1, -1, -1), places)[0])


def test_attention_begins_where_the_prompt_is(prompts):
    places = prompts[2]
    attention = learner().layers[0].cross_attention
    here = places[:, :, 2, 5][:, None]  # a prompt in row 2, column 5
    keys = places.flatten(2).transpose(1, 2)
    assert torch.equal(attention.query.weight, attention.key.weight)
    likeness = attention.query(here) @ attention.key(keys).transpose(1, 2)
    assert int(likeness.argmax()) == 2 * 8 + 5


def test_its_size_is_known():
    small, drawing = learner(), learner(map=True)
    assert small.parameter_count == sum(p.numel() for p in small.parameters())
    assert drawing.parameter_count > small.parameter_count
    published = PromptLearner(PromptLearnerConfig(prompt_dim=256)).parameter_count
    assert 300_000 < published < 500_000


def test_prompts_of_other_channels_are_refused():
    with pytest.raises(WeightsMismatchError, match="32 channels, this one has 64"):
        learner()(torch.zeros(1, 2, 64), torch.zeros(1, 64, 4, 4), torch.zeros(1, 64, 4, 4))
    with pytest.raises(WeightsMismatchError, match="draw no map"):
        learner().draw(torch.zeros(1, 2, 32), torch.zeros(1, 32, 4, 4), torch.zeros(1, 32, 4, 4))


@pytest.mark.parametrize("sizes", [{"heads": 0}, {"heads": 5}, {"layers": 0}])
def test_sizes_that_do_not_go_together_are_refused(sizes):
    with pytest.raises(ConfigError, match="cannot be built"):
        PromptLearnerConfig(**{"prompt_dim": 32, **sizes})
