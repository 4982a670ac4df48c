"""Prompt learning as a method, on a SAM and on a whole model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from vrpsam_app.annotations import Point
from vrpsam_app.config import SAM_TINY
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError, EmptyReferenceError, WeightsMismatchError
from vrpsam_app.methods import METHODS, MethodSources
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.prompt_examples import examples_of_references
from vrpsam_app.methods.prompt_fit import PromptFitSettings
from vrpsam_app.methods.prompt_learning import PromptLearning
from vrpsam_app.methods.prompt_learning_model import ModelPromptLearning
from vrpsam_app.methods.prompted_pictures import PromptedSAM
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.prompt_learner import PromptLearner, PromptLearnerConfig
from vrpsam_app.references import Reference

FEW = PromptFitSettings(steps=4, prompts=2)


@pytest.fixture(params=["sam", "model"])
def method(request, small_pictures, small_predictor):
    if request.param == "sam":
        return PromptLearning(small_pictures, fit_settings=FEW)
    return ModelPromptLearning(small_predictor, fit_settings=FEW)


def test_fit_returns_another_object(method, outlined):
    tuned = method.fit([outlined])
    assert type(tuned) is type(method)
    assert method.learned is None
    assert tuned.learned is not None
    assert tuned.fit_settings == FEW
    assert "prompts" not in method.describe()
    assert tuned.describe()["prompts"]["sha256"] == tuned.learned.sha256


def test_what_was_learned_beforehand_answers_as_what_is_learned_on_the_way(method, outlined, scene):
    target = scene(1)[0]
    on_the_way = method.predict(target, outlined)
    beforehand = method.fit([outlined]).predict(target, outlined)
    np.testing.assert_array_equal(on_the_way.probability, beforehand.probability)
    assert on_the_way.made_by["prompts"] == beforehand.made_by["prompts"]


def test_it_is_learned_once_for_the_same_references(method, outlined, scene, monkeypatch):
    from vrpsam_app.methods import fitted_prompts

    fits = []
    whole = fitted_prompts.fit_prompts

    def counted(*arguments, **settings):
        fits.append(1)
        return whole(*arguments, **settings)

    monkeypatch.setattr(fitted_prompts, "fit_prompts", counted)
    outlined = dataclasses.replace(outlined, exhaustive=False)
    for seed in (1, 2):
        method.predict(scene(seed)[0], outlined)
    assert len(fits) <= 1


def test_learned_prompts_come_from_a_folder(method, outlined, scene, tmp_path, small_predictor):
    tuned = method.fit([outlined])
    folder = tuned.learned.save(tmp_path / "mine")
    own_sam = (lambda: method.pictures) if isinstance(method, PromptLearning) else None
    sources = MethodSources(
        lambda: small_predictor, own_sam, own_prompts=lambda: LearnedPrompts.load(folder)
    )
    again = METHODS["prompt_learning"](sources)
    target = scene(2)[0]
    np.testing.assert_array_equal(
        again.predict(target, outlined).probability, tuned.predict(target, outlined).probability
    )


def test_examples_teach_as_references_do(small_pictures, outlined):
    method = PromptLearning(small_pictures, fit_settings=FEW)
    examples = examples_of_references(PromptedSAM(small_pictures), [outlined])
    assert method.fit_examples(examples).learned.sha256 == method.fit([outlined]).learned.sha256


def test_prompts_learned_on_one_sam_are_asked_of_another(small_pictures, outlined, scene):
    wider = FrozenSAM(dataclasses.replace(SAM_TINY, width=64, depth=3, name="wider"))
    other = SAMPictures(wider, device=torch.device("cpu"))
    learned = PromptLearning(small_pictures, fit_settings=FEW).fit([outlined]).learned
    found = PromptLearning(other, learned=learned).predict(scene(1)[0], outlined)
    assert found.made_by["model"] == "sam-wider"
    assert found.made_by["prompts"]["learned_on"]["model"] == "sam-vit_tiny"


def test_a_sam_with_other_prompts_refuses_them(small_pictures, small_predictor, outlined, scene):
    learned = PromptLearning(small_pictures, fit_settings=FEW).fit([outlined]).learned
    other = ModelPromptLearning(small_predictor, learned=learned)
    with pytest.raises(WeightsMismatchError, match="Learn them on this"):
        other.predict(scene(1)[0], outlined)


def test_objects_are_told_apart_and_clicks_are_answered(region_sam, scene):
    """On a SAM that knows its trade: each light block is an object of its own."""
    picture, light = scene()
    target, truth = scene(1)
    picture, target = (p // 64 * 64 for p in (picture, target))
    reference = Reference.from_mask(picture, light, exhaustive=True)

    nothing = PromptLearner(PromptLearnerConfig(prompt_dim=32))
    learned = LearnedPrompts.of(nothing, {})
    found = PromptLearning(region_sam, learned=learned).predict(target, reference)
    assert found.present
    assert found.instance_labels.max() == 3
    iou = (found.mask & truth).sum() / (found.mask | truth).sum()
    assert iou > 0.8
    clicked = PromptLearning(region_sam, learned=learned).predict(
        target, reference, corrections=Corrections((Point(50, 64),))
    )
    assert clicked.mask[50, 64]


def test_nothing_is_learned_from_not_this(method, outlined):
    with pytest.raises(EmptyReferenceError, match="not this"):
        method.fit([outlined.as_not_this()])


def test_the_input_side_is_the_models(method):
    assert method.input_side in (64, 128)


def test_a_model_of_another_kind_is_refused(small_predictor, monkeypatch):
    monkeypatch.setattr(type(small_predictor), "model", property(lambda self: torch.nn.Identity()))
    with pytest.raises(ConfigError, match="shared backbone"):
        ModelPromptLearning(small_predictor)
