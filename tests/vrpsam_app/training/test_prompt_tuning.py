"""Prompts learned from part of a folder, measured on the rest, kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.config import SAM_TINY
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.prompt_examples import PromptExample
from vrpsam_app.methods.prompt_fit import PromptFitSettings
from vrpsam_app.methods.prompted_pictures import PromptedSAM
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.training.prompt_tuning import PromptTuning, divide_examples, tune_prompts


@pytest.fixture
def examples() -> list[PromptExample]:
    objects = np.zeros((40, 40), np.int32)
    objects[5:20, 5:20], objects[22:38, 15:36] = 1, 2
    rng = np.random.default_rng(0)
    return [
        PromptExample(rng.integers(0, 255, (40, 40, 3)).astype(np.uint8), objects) for _ in range(5)
    ]


@pytest.fixture
def model(fill_by_key) -> PromptedSAM:
    sam = FrozenSAM(SAM_TINY)
    fill_by_key(sam)
    return PromptedSAM(SAMPictures(sam, device=torch.device("cpu")))


def test_pictures_are_divided_once_and_for_all(examples):
    learned, rest = divide_examples(examples, 2, 0)
    assert (len(learned), len(rest)) == (2, 3)
    assert {id(e) for e in (*learned, *rest)} == {id(e) for e in examples}
    again = divide_examples(examples, 2, 0)[0]
    assert [id(e) for e in again] == [id(e) for e in learned]
    for count in (0, 6):
        with pytest.raises(ConfigError, match="--train-images"):
            divide_examples(examples, count, 0)


def test_what_was_learned_and_what_it_gave_is_kept(model, examples, tmp_path):
    lines: list[str] = []
    tuning = PromptTuning(
        folder=tmp_path / "mine",
        train_images=2,
        settings=PromptFitSettings(steps=10, prompts=2),
    )
    tuned = tune_prompts(model, examples, tuning, lines.append)
    assert [g.kind for g in tuned.gains] == ["click", "box"]
    for gain in tuned.gains:
        assert gain.difference.count == 3
        assert gain.after - gain.before == pytest.approx(gain.difference.mean)
    kept = LearnedPrompts.load(tmp_path / "mine")
    assert kept.sha256 == tuned.learned.sha256
    assert kept.facts["measured"]["box"]["pictures"] == 3
    assert kept.facts["learned_on"]["pictures"] == 2
    assert any("numbers learned" in line for line in lines)
    with pytest.raises(OutputError, match="already"):
        tune_prompts(model, examples, tuning, lines.append)


def test_without_a_rest_nothing_is_measured(model, examples, tmp_path):
    tuning = PromptTuning(
        folder=tmp_path / "all", train_images=5, settings=PromptFitSettings(steps=1, prompts=1)
    )
    assert tune_prompts(model, examples, tuning, lambda line: None).gains == ()
