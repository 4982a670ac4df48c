"""SAMs and whole models asked the same way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.errors import ConfigError
from vrpsam_app.methods.prompted_pictures import (
    PromptedSAM,
    PromptedVRPSAM,
    answered,
    joined,
)
from vrpsam_app.methods.sam_pictures import SAMPrompt
from vrpsam_app.models.prompt_learner import PromptLearner, PromptLearnerConfig
from vrpsam_app.references import Reference

CLICKS = [SAMPrompt.at([np.array(xy, np.float32)]) for xy in ((14, 14), (28, 36), (64, 50))]
BOX = SAMPrompt(box_xyxy=np.array([6, 8, 22, 22], np.float32))


@pytest.fixture(params=["sam", "model"])
def model(request, small_pictures, small_predictor):
    if request.param == "sam":
        return PromptedSAM(small_pictures)
    return PromptedVRPSAM(small_predictor)


def learner_of(model, *, learned: bool) -> PromptLearner:
    torch.manual_seed(1)
    config = PromptLearnerConfig(prompt_dim=model.prompt_dim, heads=4, map=model.needs_map)
    module = PromptLearner(config)
    if learned:
        with torch.no_grad():
            for parameter in module.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.2)
    return module


@pytest.mark.parametrize("prompts", [CLICKS, [BOX]], ids=["clicks", "box"])
def test_what_has_learned_nothing_changes_no_mask(model, scene, prompts):
    picture = model.open(scene()[0])
    fresh = learner_of(model, learned=False)
    prepared = picture.prepare(prompts)
    plain, same = picture.decode(prepared), picture.decode(prepared, fresh)
    torch.testing.assert_close(same.logits, plain.logits)
    torch.testing.assert_close(same.scores, plain.scores)
    other = picture.decode(prepared, learner_of(model, learned=True))
    assert float((other.logits - plain.logits).detach().abs().max()) > 1e-3


def test_gradients_reach_the_learner_and_nothing_else(model, scene):
    picture = model.open(scene()[0])
    module = learner_of(model, learned=True)
    answers = picture.decode(picture.prepare(CLICKS), module)
    (answers.logits[:, :1].square().mean() + answers.scores[:, 0].mean()).backward()
    assert all(p.grad is not None for p in module.parameters())
    frozen = model.pictures.sam if isinstance(model, PromptedSAM) else model.predictor.model
    assert all(p.grad is None for p in frozen.parameters())


def test_answers_do_not_depend_on_what_else_is_asked(model, scene):
    picture = model.open(scene()[0])
    module = learner_of(model, learned=True)
    together = picture.decode(picture.prepare(CLICKS), module).logits
    single = [picture.prepare([prompt]) for prompt in CLICKS]
    torch.testing.assert_close(picture.decode(joined(single), module).logits, together)
    for prepared, own in zip(single, together, strict=True):
        torch.testing.assert_close(picture.decode(prepared, module).logits[0], own)


def test_masks_and_answers_lie_on_one_grid(model, scene):
    picture = model.open(scene(h=50, w=80)[0])
    assert picture.original_hw == (50, 80)
    logits = picture.seen(picture.decode(picture.prepare(CLICKS)).logits)
    mask = np.zeros((50, 80), np.bool_)
    mask[10:40, 20:60] = True
    shares = picture.on_grid(mask)
    assert shares.shape == logits.shape[-2:]
    rows, cols = (float((shares.sum(1 - a) > 0).nonzero().float().mean()) for a in (0, 1))
    # The picture may fill the last row or column of cells only in part.
    assert rows / shares.shape[0] == pytest.approx(0.5, abs=0.1)
    assert cols / shares.shape[1] == pytest.approx(0.5, abs=0.1)


def test_answers_have_the_pictures_size(model, scene):
    picture = model.open(scene(h=50, w=80)[0])
    logits, scores = answered(picture, [*CLICKS, BOX], None)
    assert len(logits) == len(scores) == 4
    assert picture.resized(logits[:, None]).shape == (4, 1, 50, 80)
    assert float(scores.min()) >= 0
    assert float(scores.max()) <= 1


def test_a_click_without_a_learner_gets_sams_best_scale(small_pictures, scene):
    picture = PromptedSAM(small_pictures).open(scene()[0])
    answers = small_pictures.ask(small_pictures.encode(scene()[0]), CLICKS[:1])
    best = 1 + int(answers.scores[0, 1:].argmax())
    logits, scores = answered(picture, CLICKS[:1], None)
    torch.testing.assert_close(logits[0], answers.logits[0, best])
    assert float(scores[0]) == pytest.approx(float(answers.scores[0, best].clamp(0, 1)))


def test_a_model_without_a_learner_answers_as_its_predictor(small_predictor, scene):
    from vrpsam_app.annotations import Box

    rgb = scene()[0]
    box = Reference.from_annotations(rgb, [Box(8, 6, 22, 22)])
    picture = PromptedVRPSAM(small_predictor).open(rgb)
    logits, _ = answered(picture, [BOX], None)
    from vrpsam_app.corrections import Corrections

    expected = small_predictor.predict(
        rgb, box.as_not_this(), corrections=Corrections((Box(8, 6, 22, 22),))
    )
    assert expected.probability.shape == picture.resized(logits[None])[0, 0].shape


def test_what_is_what_is_said(model):
    assert model.describe()["model"]
    assert model.frozen_count > 10_000
    assert model.device == torch.device("cpu")


def test_other_models_are_told_that_their_sam_answers(small_predictor, monkeypatch):
    monkeypatch.setattr(type(small_predictor), "model", property(lambda self: torch.nn.Identity()))
    with pytest.raises(ConfigError, match="shared backbone"):
        PromptedVRPSAM(small_predictor)
