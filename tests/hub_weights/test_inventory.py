"""The list: what is here, in the cache, to be had; and what can be removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_weights import (
    REGISTRY,
    CacheFolderError,
    KnownWeights,
    WeightsEntry,
    WeightsFile,
    WeightsNotFoundError,
    cache_folder,
    download_file,
    find_model,
    list_weights,
    remove_weights,
)

CONFIG = json.dumps({"schema_version": 1, "name": "nuclei", "license": "mit"}).encode()
WEIGHTS = b"weights " * 1000


pytestmark = pytest.mark.usefixtures("own_folders")


def listed(name: str) -> KnownWeights | None:
    return next((w for w in list_weights() if w.name == name), None)


def test_everything_has_a_state_and_what_is_known_a_size() -> None:
    found = {w.name: w for w in list_weights()}
    assert found.keys() == REGISTRY.keys()
    assert found["embedded"].state == "here"
    assert found["embedded"].size == found["embedded"].path.stat().st_size
    assert (found["sam_vit_b"].state, found["sam_vit_b"].size) == ("on the Hub", 375_000_000)
    assert found["resnet50_v2"].state == "to be brought"


def test_a_file_that_was_brought_is_here(tmp_path: Path) -> None:
    (tmp_path / "foundation").mkdir()
    (tmp_path / "foundation" / "resnet50_v2.pth").write_bytes(b"12345")
    found = listed("resnet50_v2")
    assert (found.state, found.size) == ("here", 5)
    with pytest.raises(WeightsNotFoundError, match="you put it there yourself"):
        remove_weights("resnet50_v2")


def test_models_made_here_are_listed_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "blood"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    found = listed("blood")
    assert (found.state, found.size, found.license) == ("here", len(WEIGHTS), "mit")
    assert remove_weights("blood") == len(WEIGHTS) + len(CONFIG)
    assert not folder.exists()
    assert listed("blood") is None


def test_of_a_linked_model_only_the_link_is_removed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.json").write_bytes(CONFIG)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "blood").symlink_to(elsewhere)
    assert remove_weights("blood") == 0
    assert listed("blood") is None
    assert (elsewhere / "config.json").read_bytes() == CONFIG


def test_a_model_that_cannot_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "blood"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(CONFIG)

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", refused)
    with pytest.raises(CacheFolderError, match=rf"{folder} cannot be removed \(Permission"):
        remove_weights("blood")


def test_of_two_with_one_name_the_one_made_here_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "embedded"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(CONFIG)
    assert remove_weights("embedded") == len(CONFIG)
    assert not folder.exists()
    assert find_model("embedded").path.is_dir()


def test_models_from_the_hub_are_listed_and_removed(hub: Any) -> None:
    hub.put("somebody/nuclei", {"config.json": CONFIG, "model.safetensors": WEIGHTS})
    hub.put("meta/sam", {"config.json": b"{}", "model.safetensors": WEIGHTS})
    find_model("somebody/nuclei")
    for file in ("config.json", "model.safetensors"):
        download_file("meta/sam", file)  # of another program
    found = listed("somebody/nuclei")
    assert (found.state, found.size, found.license) == ("cached", len(WEIGHTS), "mit")
    assert listed("meta/sam") is None
    assert remove_weights("somebody/nuclei") == len(WEIGHTS) + len(CONFIG)
    assert listed("somebody/nuclei") is None
    assert [p.name for p in cache_folder().glob("models--*")] == ["models--meta--sam"]


def test_what_was_downloaded_of_the_registry_is_removed(
    hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.put("meta/sam", {"model.safetensors": WEIGHTS})
    source = WeightsFile(
        file="model.safetensors", layout="transformers", repo_id="meta/sam", revision=commit
    )
    entry = WeightsEntry(
        name="tested", kind="sam", purpose="-", license="mit", citation="-", files=(source,)
    )
    monkeypatch.setattr("hub_weights.inventory.REGISTRY", {**REGISTRY, "tested": entry})
    assert listed("tested").state == "on the Hub"
    with pytest.raises(WeightsNotFoundError, match="it was not downloaded"):
        remove_weights("tested")
    download_file("meta/sam", "model.safetensors", revision=commit)
    assert (listed("tested").state, listed("tested").size) == ("cached", len(WEIGHTS))
    assert remove_weights("tested") == len(WEIGHTS)
    assert listed("tested").state == "on the Hub"


def test_what_cannot_be_removed_is_said() -> None:
    with pytest.raises(WeightsNotFoundError, match="comes with the product"):
        remove_weights("embedded")
    with pytest.raises(WeightsNotFoundError, match="it is not here"):
        remove_weights("resnet50_v2")
    with pytest.raises(WeightsNotFoundError, match="nothing called 'blood'"):
        remove_weights("blood")
