"""Learning prompts: it helps on what was shown, leaves SAM as it is, and is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.errors import ConfigError
from vrpsam_app.methods.prompt_examples import PromptExample
from vrpsam_app.methods.prompt_fit import PromptFitSettings, fit_prompts
from vrpsam_app.methods.prompted_pictures import PromptedSAM, PromptedVRPSAM, answered
from vrpsam_app.methods.sam_pictures import SAMPrompt

CPU = torch.device("cpu")


@pytest.fixture(params=["sam", "model"])
def model(request, small_pictures, small_predictor):
    if request.param == "sam":
        return PromptedSAM(small_pictures)
    return PromptedVRPSAM(small_predictor)


@pytest.fixture
def examples(scene) -> list[PromptExample]:
    from scipy import ndimage

    return [
        PromptExample(picture, ndimage.label(light)[0].astype(np.int32))
        for picture, light in (scene(seed) for seed in range(2))
    ]


def overlap(model, example, learner) -> float:
    picture, found = model.open(example.image), []
    for number in example.numbers:
        mask = example.mask(number)
        row, col = np.argwhere(mask).mean(0) + 0.5
        logits, _ = answered(picture, [SAMPrompt.at([np.array([col, row], np.float32)])], learner)
        own = (picture.resized(logits[None])[0, 0] > 0).numpy()
        found.append((own & mask).sum() / (own | mask).sum())
    return float(np.mean(found))


def test_prompts_learn_from_two_pictures_and_the_rest_stays(model, examples):
    frozen = model.pictures.sam if isinstance(model, PromptedSAM) else model.predictor.model
    before = {k: v.clone() for k, v in frozen.state_dict().items()}
    losses: list[float] = []
    # Weights that mean nothing leave little to be asked of a SAM's decoder: it takes longer.
    steps = 40 if model.needs_map else 120
    settings = PromptFitSettings(steps=steps, prompts=4, learning_rate=1e-2)
    learned = fit_prompts(model, examples, settings, report=lambda step, x: losses.append(x))
    assert len(losses) == steps
    assert np.mean(losses[-10:]) < 0.93 * np.mean(losses[:10])
    if model.needs_map:
        plain, better = (
            np.mean([overlap(model, e, one) for e in examples])
            for one in (None, learned.build(CPU))
        )
        assert better > 1.2 * plain
    for key, value in frozen.state_dict().items():
        assert torch.equal(value, before[key])
    facts = learned.facts
    assert facts["learned_on"]["pictures"] == 2
    assert facts["learned_on"]["objects"] == 6
    assert facts["parameters"] == {
        "learned": learned.parameter_count,
        "frozen": model.frozen_count,
    }


def test_the_same_seed_learns_the_same(model, examples):
    settings = PromptFitSettings(steps=3, prompts=2)
    first, again = (fit_prompts(model, examples, settings) for _ in range(2))
    other = fit_prompts(model, examples, PromptFitSettings(steps=3, prompts=2, seed=1))
    assert first.sha256 == again.sha256 != other.sha256


def test_boundaries_count_if_they_are_asked_to(model, examples):
    one, other = (
        fit_prompts(model, examples, PromptFitSettings(steps=2, prompts=2, boundary=w))
        for w in (0.0, 1.0)
    )
    assert one.sha256 != other.sha256


def test_the_generator_of_the_caller_is_left_alone(small_pictures, examples):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_prompts(PromptedSAM(small_pictures), examples, PromptFitSettings(steps=1, prompts=1))
    assert torch.equal(torch.rand(3), expected)


def test_without_objects_nothing_is_learned(small_pictures):
    empty = PromptExample(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.int32))
    with pytest.raises(ConfigError, match="1 pictures hold no object"):
        fit_prompts(PromptedSAM(small_pictures), [empty])


@pytest.mark.parametrize(
    "wrong",
    [{"kinds": ()}, {"kinds": ("mask",)}, {"steps": 0}, {"learning_rate": 0}, {"boundary": -1}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        PromptFitSettings(**wrong)
