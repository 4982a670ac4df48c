"""Learned prompts as a folder: written whole, read with care."""

from __future__ import annotations

import json

import pytest
import torch

from hub_weights.model_folder import is_model_folder
from vrpsam_app.errors import (
    ChecksumMismatchError,
    ConfigError,
    OutputError,
    WeightsError,
    WeightsMismatchError,
)
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.models.prompt_learner import PromptLearner, PromptLearnerConfig

CPU = torch.device("cpu")


@pytest.fixture
def learned() -> LearnedPrompts:
    torch.manual_seed(0)
    module = PromptLearner(PromptLearnerConfig(prompt_dim=32, heads=4, map=True))
    return LearnedPrompts.of(module, {"learned_on": {"model": "sam-tiny"}, "kinds": ("click",)})


def test_it_is_read_as_it_was_written(learned, tmp_path):
    folder = learned.with_facts(measured={"click": 0.5}).save(tmp_path / "mine")
    assert sorted(p.name for p in folder.iterdir()) == [
        "SHA256SUMS",
        "config.json",
        "model.safetensors",
    ]
    again = LearnedPrompts.load(folder)
    assert again.config == learned.config
    assert again.sha256 == learned.sha256
    assert again.parameter_count == learned.build(CPU).parameter_count
    assert again.facts == {
        "learned_on": {"model": "sam-tiny"},
        "kinds": ["click"],
        "measured": {"click": 0.5},
    }
    # Nobody takes it for a model.
    assert not is_model_folder(folder)


def test_what_is_built_does_not_learn_and_changes_nothing(learned):
    module = learned.build(CPU)
    assert not module.training
    assert not any(p.requires_grad for p in module.parameters())
    before = learned.sha256
    with torch.no_grad():
        next(module.parameters()).add_(1)
    assert LearnedPrompts(learned.config, learned.weights, {}).sha256 == before
    assert learned.nbytes == 4 * learned.parameter_count


def test_a_folder_is_not_written_twice(learned, tmp_path):
    learned.save(tmp_path)
    with pytest.raises(OutputError, match="already"):
        learned.save(tmp_path)


def test_what_is_missing_or_damaged_is_named(learned, tmp_path):
    with pytest.raises(ConfigError, match="learn-prompts"):
        LearnedPrompts.load(tmp_path)
    folder = learned.save(tmp_path / "a")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(data))
    with pytest.raises(ChecksumMismatchError):
        LearnedPrompts.load(folder)
    (folder / "SHA256SUMS").unlink()
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="safetensors"):
        LearnedPrompts.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="does not exist"):
        LearnedPrompts.load(folder)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"prompt_learner_version": 2}, ConfigError, "this release"),
        ({"learner": {"prompt_dim": 32}}, ConfigError, "expected"),
        (
            {"learner": {"prompt_dim": "x", "heads": 4, "layers": 1, "map": True}},
            ConfigError,
            "prompt_dim",
        ),
        (
            {"learner": {"prompt_dim": 64, "heads": 4, "layers": 1, "map": True}},
            WeightsMismatchError,
            "Other shape",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(learned, tmp_path, change, error, message):
    path = learned.save(tmp_path) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(error, match=message):
        LearnedPrompts.load(tmp_path)


def test_text_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        LearnedPrompts.load(tmp_path)
