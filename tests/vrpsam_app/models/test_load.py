"""Building and loading: what does not fit is named; what is damaged is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from vrpsam_app.config import EMBEDDED_CONFIG, SAM_TINY, ModelConfig, paper_config
from vrpsam_app.errors import (
    ChecksumMismatchError,
    ConfigError,
    WeightsError,
    WeightsMismatchError,
)
from vrpsam_app.models.build import build_model
from vrpsam_app.models.load import load_model
from vrpsam_app.training.checkpoints import save_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    weights = build_model(EMBEDDED_CONFIG).state_dict()
    return save_model(folder, EMBEDDED_CONFIG, weights)


def test_what_was_saved_comes_back(saved: Path) -> None:
    model, folder = load_model(saved)
    assert model.config == EMBEDDED_CONFIG
    assert len(folder.sha256) == 64
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    torch.manual_seed(0)
    own = build_model(EMBEDDED_CONFIG).state_dict()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, own[key].half().float())


def test_a_changed_byte_is_refused(saved: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "SHA256SUMS"):
        (tmp_path / name).write_bytes((saved / name).read_bytes())
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ChecksumMismatchError, match="damaged or was changed"):
        load_model(tmp_path)


def test_a_truncated_file_without_a_sum_is_refused(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((saved / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        load_model(tmp_path)


def test_weights_of_another_model_are_named(saved: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(
        EMBEDDED_CONFIG,
        vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, num_queries=3),
    )
    weights = {
        k: v for k, v in build_model(EMBEDDED_CONFIG).state_dict().items() if k != "prior.gain"
    }
    save_model(tmp_path, other, {**weights, "surplus": torch.zeros(1)})
    expected = "Missing: prior.gain. Unexpected: surplus. Other shape: generator.prompt_queries"
    with pytest.raises(WeightsMismatchError, match=expected):
        load_model(tmp_path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(WeightsError, match="neither a folder nor a known name"):
        load_model("no-such-model")


def test_parts_that_do_not_go_together_are_refused() -> None:
    mixed = dataclasses.replace(
        EMBEDDED_CONFIG,
        vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, semantic_encoder="resnet50"),
    )
    with pytest.raises(ConfigError, match="does not go with"):
        build_model(mixed)


def test_prompts_of_another_width_than_sams_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"256 channels do not go with SAM 'vit_tiny'.* 32"):
        build_model(paper_config("small_vgg", SAM_TINY))


def test_prototypes_as_queries_need_a_backbone_of_their_own() -> None:
    encoder = dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, query_init="half")
    with pytest.raises(ConfigError, match="query_init 'half' does not go with a shared backbone"):
        build_model(dataclasses.replace(EMBEDDED_CONFIG, vrp_encoder=encoder))


def test_configurations_survive_json_and_refuse_what_they_do_not_know() -> None:
    plain = EMBEDDED_CONFIG.to_json()
    assert ModelConfig.from_json(plain) == EMBEDDED_CONFIG
    with pytest.raises(ConfigError, match=r"sam holds unknown fields colour"):
        ModelConfig.from_json({**plain, "sam": {**plain["sam"], "colour": 1}})
    with pytest.raises(ConfigError, match="schema version 99"):
        ModelConfig.from_json({**plain, "schema_version": 99})
