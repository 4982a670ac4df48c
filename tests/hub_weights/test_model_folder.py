"""Model folders: found by name or path, refused with a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hub_weights import (
    ChecksumMismatchError,
    WeightsNotFoundError,
    cache_folder,
    embedded_folder,
    find_model,
    own_models,
)
from hub_weights.checksums import read_sums
from hub_weights.model_folder import ModelFolder


def test_the_embedded_model_is_whole() -> None:
    folder = find_model("embedded")
    assert folder.path == embedded_folder()
    assert read_sums(folder.path)["model.safetensors"] == folder.sha256
    assert folder.weights.stat().st_size <= 25 * 10**6


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsNotFoundError, match=r"neither a folder nor a known name.*embedded"):
        find_model("no-such-model")


def test_what_is_no_folder_is_not_called_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VRPSAM_MODELS", str(tmp_path))
    known = r"made on this computer: none. `vrpsam weights list`"
    with pytest.raises(WeightsNotFoundError, match=rf"neither a model's folder nor .* {known}"):
        ModelFolder.open(Path("nuclei"))
    (tmp_path / "blood").mkdir()
    (tmp_path / "blood" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsNotFoundError, match="made on this computer: blood"):
        ModelFolder.open(Path("nuclei"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"holds no config\.json"):
        find_model(tmp_path)


def test_a_changed_configuration_is_refused(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "SHA256SUMS"):
        shutil.copy(embedded_folder() / name, tmp_path)
    assert find_model(tmp_path).sha256 == find_model("embedded").sha256
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "presence_threshold": 0.99}))
    with pytest.raises(ChecksumMismatchError, match=r"config\.json has SHA-256"):
        find_model(tmp_path)


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"


def test_a_model_made_here_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VRPSAM_MODELS", str(tmp_path))
    assert own_models() == ()
    folder = tmp_path / "blood"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    assert own_models() == ("blood",)
    assert find_model("blood").path == folder
    with pytest.raises(WeightsNotFoundError, match=r"comes embedded; .* blood"):
        find_model("no-such-model")
