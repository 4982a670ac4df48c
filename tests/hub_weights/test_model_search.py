"""Models and weights by whatever a person calls them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from hub_weights import (
    REGISTRY,
    ChecksumMismatchError,
    FileNotInRepositoryError,
    LocalFile,
    NotOnThisComputerError,
    OtherModelError,
    WeightsAccessError,
    WeightsEntry,
    WeightsFile,
    WeightsNotFoundError,
    download_file,
    download_weights,
    find_model,
    find_weights,
    source_of,
)

CONFIG = json.dumps({"schema_version": 1, "name": "nuclei", "license": "mit"}).encode()
WEIGHTS = b"weights " * 1000


@pytest.fixture
def repo(hub: Any) -> str:
    hub.put("somebody/nuclei", {"config.json": CONFIG, "model.safetensors": WEIGHTS})
    return "somebody/nuclei"


def registered(monkeypatch: pytest.MonkeyPatch, *files: WeightsFile) -> str:
    """Put an entry into the registry for a test."""
    entry = WeightsEntry(
        name="tested", kind="sam", purpose="test", license="mit", citation="-", files=files
    )
    for module in ("registry", "model_search", "weights_search"):
        monkeypatch.setattr(f"hub_weights.{module}.REGISTRY", {**REGISTRY, "tested": entry})
    return "tested"


def test_a_repository_is_downloaded_once(hub: Any, repo: str) -> None:
    heard: list[str] = []
    folder = find_model(repo, progress=lambda p: heard.append(str(p)))
    assert folder.config.read_bytes() == CONFIG
    assert folder.weights.read_bytes() == WEIGHTS
    assert folder.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert heard[0] == "Downloading somebody/nuclei/model.safetensors: 8 kB, licence mit"
    assert heard[-1] == "somebody/nuclei/model.safetensors: 8 kB of 8 kB"
    assert find_model(repo, local_files_only=True) == folder
    assert hub.asked("/store/", "GET") == 1


def test_a_revision_is_one_thing_however_it_is_given(hub: Any, repo: str) -> None:
    first = hub.repositories[repo].head
    hub.repositories[repo].tags["v1"] = first
    hub.put(repo, {"model.safetensors": WEIGHTS[::-1]})
    for found in (find_model(f"{repo}@v1"), find_model(repo, revision=first)):
        assert found.weights.read_bytes() == WEIGHTS
    assert find_model(repo).weights.read_bytes() == WEIGHTS[::-1]
    # Configuration and weights are of the same commit.
    assert find_model(repo).path == find_model(repo).config.parent


def test_a_repository_of_something_else_costs_no_download(hub: Any) -> None:
    config = json.dumps({"model_type": "sam"}).encode()
    hub.put("meta/sam", {"config.json": config, "model.safetensors": WEIGHTS})
    with pytest.raises(OtherModelError, match="no VRP-SAM model but one of the kind 'sam'"):
        find_model("meta/sam")
    hub.put("somebody/empty", {"README.md": b"-"})
    with pytest.raises(FileNotInRepositoryError, match=r"config\.json: somebody/empty has no such"):
        find_model("somebody/empty")
    assert hub.asked("/store/") == 0


def test_a_model_of_a_newer_release_costs_no_download(hub: Any) -> None:
    config = json.dumps({"schema_version": 2, "name": "later"}).encode()
    hub.put("somebody/later", {"config.json": config, "model.safetensors": WEIGHTS})
    with pytest.raises(OtherModelError, match="schema version 2, this release reads version 1"):
        find_model("somebody/later")
    assert hub.asked("/store/") == 0


def test_weights_are_of_the_commit_of_their_configuration(
    hub: Any, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moving(repo_id: str, file: str, **asked: Any) -> LocalFile:
        found = download_file(repo_id, file, **asked)
        if file == "config.json":
            hub.put(repo, {"model.safetensors": WEIGHTS[::-1]})
        return found

    monkeypatch.setattr("hub_weights.model_search.download_file", moving)
    assert find_model(repo).weights.read_bytes() == WEIGHTS


def test_a_folder_comes_before_a_repository_of_its_name(
    hub: Any, repo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / repo).mkdir(parents=True)
    (tmp_path / repo / "config.json").write_bytes(CONFIG)
    (tmp_path / repo / "model.safetensors").write_bytes(b"other")
    assert find_model(repo).weights.read_bytes() == b"other"
    assert hub.requests == []


def test_a_folder_that_is_not_there_is_said(hub: Any, repo: str) -> None:
    for path in (Path("runs/best"), Path(repo)):
        with pytest.raises(WeightsNotFoundError, match=rf"^There is no folder {path}\."):
            find_model(path)
    assert hub.requests == []
    taken = "^There is no folder runs/best here, so that it was taken for a repository on the Hub. "
    with pytest.raises(NotOnThisComputerError, match=taken):
        find_model("runs/best", local_files_only=True)
    with pytest.raises(WeightsNotFoundError, match=taken + ".*there is no repository runs/best"):
        find_model("runs/best", token=hub.TOKEN)
    with pytest.raises(WeightsAccessError, match=taken):
        find_model("runs/best")


def test_parts_of_models_are_told_from_models() -> None:
    with pytest.raises(WeightsNotFoundError, match=r"sam_vit_b is no complete model.*embedded"):
        find_model("sam_vit_b")
    with pytest.raises(WeightsNotFoundError, match="'a/b/c' is neither a folder nor a known name"):
        find_model("a/b/c")


def test_weights_of_the_registry_are_pinned(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.put("meta/sam", {"model.safetensors": WEIGHTS})
    hub.put("meta/sam", {"model.safetensors": WEIGHTS[::-1]})
    name = registered(
        monkeypatch,
        WeightsFile(
            file="model.safetensors",
            layout="transformers",
            repo_id="meta/sam",
            revision=commit,
            sha256=hashlib.sha256(WEIGHTS).hexdigest(),
            size=len(WEIGHTS),
        ),
    )
    path, sha256 = find_weights(name)
    assert path.read_bytes() == WEIGHTS
    assert sha256 == hashlib.sha256(WEIGHTS).hexdigest()


def test_what_is_not_pinned_is_reported(
    hub: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit = hub.put("meta/sam", {"model.safetensors": WEIGHTS})
    name = registered(
        monkeypatch,
        WeightsFile(file="model.safetensors", layout="transformers", repo_id="meta/sam"),
    )
    found = download_weights(name)
    for seen in (commit, found.sha256, f"{len(WEIGHTS):,} bytes", "does not pin all of tested"):
        assert seen in caplog.text


def test_a_file_that_was_brought_comes_first(
    hub: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.put("meta/sam", {"model.safetensors": WEIGHTS})
    name = registered(
        monkeypatch,
        WeightsFile(file="model.safetensors", layout="transformers", repo_id="meta/sam"),
        WeightsFile(
            file="sam.pth", layout="segment_anything", sha256=hashlib.sha256(b"sam").hexdigest()
        ),
    )
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(tmp_path))
    (tmp_path / "sam.pth").write_bytes(b"sam")
    assert find_weights(name)[0] == tmp_path / "sam.pth"
    (tmp_path / "sam.pth").write_bytes(b"another")
    with pytest.raises(ChecksumMismatchError, match=r"the published sam\.pth has"):
        find_weights(name)
    (tmp_path / "sam.pth").unlink()
    assert find_weights(name)[0].read_bytes() == WEIGHTS


def test_what_is_not_on_the_hub_says_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(tmp_path))
    with pytest.raises(WeightsNotFoundError, match=rf"put resnet50_v2\.pth into {tmp_path}"):
        find_weights("resnet50_v2")
    with pytest.raises(WeightsNotFoundError, match="comes with the product"):
        source_of("embedded")
    with pytest.raises(WeightsNotFoundError, match=r"Bring the file yourself \(resnet101_v2\.pth"):
        source_of("resnet101_v2")


def test_any_repository_s_weights(hub: Any) -> None:
    hub.put("somebody/sam", {"model.safetensors": WEIGHTS, "more/sam.pth": b"pickle" * 500})
    hub.put("somebody/old", {"pytorch_model.bin": b"pickle" * 500})
    assert find_weights("somebody/sam")[0].read_bytes() == WEIGHTS
    assert find_weights("somebody/sam@main:more/sam.pth")[0].read_bytes() == b"pickle" * 500
    assert find_weights("somebody/old")[0].name == "pytorch_model.bin"
    assert find_weights("somebody/old", local_files_only=True)[0].name == "pytorch_model.bin"
    with pytest.raises(FileNotInRepositoryError, match=r"other\.pth"):
        find_weights("somebody/sam:other.pth")
    with pytest.raises(NotOnThisComputerError):
        find_weights("somebody/else", local_files_only=True)
