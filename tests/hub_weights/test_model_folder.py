"""Model folders: found by name or path, refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_weights import WeightsNotFoundError, cache_folder, embedded_folder, find_model, own_models
from hub_weights.checksums import read_sums


def test_the_embedded_model_is_whole() -> None:
    folder = find_model("embedded")
    assert folder.path == embedded_folder()
    assert read_sums(folder.path)["model.safetensors"] == folder.sha256
    assert folder.weights.stat().st_size <= 25 * 10**6


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsNotFoundError, match=r"neither a folder nor a known name.*embedded"):
        find_model("no-such-model")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"holds no config\.json"):
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
    with pytest.raises(WeightsNotFoundError, match="embedded, blood"):
        find_model("no-such-model")
