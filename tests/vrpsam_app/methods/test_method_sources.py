from __future__ import annotations

import pytest
import torch

from vrpsam_app.errors import ConfigError, WeightsError
from vrpsam_app.methods import MethodSources
from vrpsam_app.methods.matching_prompters import ModelPrompter, SAMPrompter
from vrpsam_app.methods.semantic_maps import ModelMaps, SAMMaps


def never():
    pytest.fail("nothing asked for the model")


def test_naming_files_reads_none(tmp_path):
    sources = MethodSources.of(never, sam=tmp_path / "a.pth", features=tmp_path / "b.pth")
    with pytest.raises(WeightsError, match=r"a\.pth does not exist"):
        sources.sam()
    with pytest.raises(WeightsError, match=r"b\.pth does not exist"):
        sources.maps()


def test_a_sam_is_loaded_once(tmp_path, tiny_sam):
    torch.save(tiny_sam.state_dict(), tmp_path / "sam.pth")
    sources = MethodSources.of(never, sam=tmp_path / "sam.pth", device="cpu")
    assert sources.sam() is sources.sam()
    assert isinstance(sources.maps(), SAMMaps)
    assert isinstance(sources.prompter(), SAMPrompter)


def test_the_model_is_loaded_once(small_predictor):
    asked = []
    sources = MethodSources.of(lambda: asked.append(1) or small_predictor)
    assert isinstance(sources.maps(), ModelMaps)
    assert isinstance(sources.prompter(), ModelPrompter)
    assert asked == [1]


def test_the_embedded_models_sam_does_not_answer_prompts_by_itself(small_predictor):
    with pytest.raises(ConfigError, match="--sam FILE"):
        MethodSources(lambda: small_predictor).sam()
