"""Publishing: nothing but what was measured, every file shown, one commit, and back again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub_weights import (
    REGISTRY,
    ChecksumMismatchError,
    HubUnreachableError,
    PublishError,
    UnsafeNameError,
    WeightsAccessError,
    find_model,
    note_facts,
    plan_publication,
    publish_model,
)
from hub_weights.checksums import write_sums

WEIGHTS = b"weights " * 1000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "name": "nuclei",
    "license": "mit",
    "sam": {"name": "vit_b", "image_size": 1024},
    "vrp_encoder": {"semantic_encoder": "resnet50_v2", "image_size": 512, "num_queries": 50},
    "resize": "squash",
    "foundation": {
        "sam": {"file": "sam_vit_b_01ec64.pth", "sha256": REGISTRY["sam_vit_b"].files[1].sha256}
    },
    "training": {"learned_from": "BBBC038", "steps": 1000},
}


def cell(method: str, mean: float | None) -> dict[str, Any]:
    return {
        "dataset": "dsb2018",
        "method": method,
        "column": {"format": "click", "shots": 1, "shift": ""},
        "episodes": 20,
        "iou": {"mean": mean, "low": 0.5, "high": 0.7, "count": 20},
    }


# huggingface_hub 2.4 hands bytes to httpx2 by a name that is on its way out.
uploads = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

SUMMARY = {
    "command": "vrpsam evaluate --model nuclei --data dsb2018",
    "methods": {"vrp_sam": {"sha256": SHA256}, "pixel_forest": {"method": "forest"}},
    "cells": [cell("vrp_sam", 0.6123), cell("pixel_forest", 0.4), cell("vrp_sam", None)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    write_sums(folder, ("config.json", "model.safetensors"))
    # What must stay here.
    (folder / "foundation_paths.json").write_text("{}")
    (folder / "state.pt").write_bytes(b"optimizer")
    return folder


def change(folder: Path, **facts: Any) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **facts}))
    write_sums(folder, ("config.json", "model.safetensors"))


def test_every_file_is_planned_and_no_other(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "found.png").write_bytes(b"png")
    plan = plan_publication(folder, "somebody/nuclei", pictures=[tmp_path / "found.png"])
    assert plan.sizes == {
        "README.md": len(plan.card.encode()),
        "config.json": len(json.dumps(CONFIG)),
        "model.safetensors": len(WEIGHTS),
        "SHA256SUMS": (folder / "SHA256SUMS").stat().st_size,
        "summary.json": len(json.dumps(SUMMARY)),
        "pictures/found.png": 3,
    }


def test_the_card_says_what_was_measured(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text("Nuclei, and what looks like them.")
    (tmp_path / "a.png").write_bytes(b"png")
    card = plan_publication(
        folder, "somebody/nuclei", pictures=[tmp_path / "a.png"], about=tmp_path / "about.md"
    ).card
    _, front, body = card.split("---\n", 2)
    data = yaml.safe_load(front)
    assert data["license"] == "mit"
    assert data["library_name"] == "vrpsam-app"
    assert data["base_model"] == ["facebook/sam-vit-base"]
    (result,) = data["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "mean_iou", "value": 0.6123}]
    for words in (
        "Nuclei, and what looks like them.",
        "![pictures/a.png](pictures/a.png)",
        "vrpsam segment --model somebody/nuclei",
        "BBBC038",
        "| dsb2018 | click, 1 reference | **vrp_sam** | 0.612 | 0.500 to 0.700 | 20 |",
        "| dsb2018 | click, 1 reference | pixel_forest | 0.400 | 0.500 to 0.700 | 20 |",
        SUMMARY["command"],
        "stands on sam_vit_b_01ec64.pth",
    ):
        assert words in body


def test_without_an_evaluation_nothing_is_published(folder: Path, tmp_path: Path) -> None:
    (folder / "summary.json").rename(tmp_path / "summary.json")
    with pytest.raises(PublishError, match=r"no evaluation of the model.*vrpsam evaluate"):
        plan_publication(folder, "somebody/nuclei")
    assert plan_publication(folder, "somebody/nuclei", evaluation=tmp_path).sizes


def test_an_evaluation_of_another_model_is_refused(folder: Path) -> None:
    other = {**SUMMARY, "methods": {"vrp_sam": {"sha256": "1" * 64}}}
    (folder / "summary.json").write_text(json.dumps(other))
    with pytest.raises(PublishError, match=rf"measures 111111111111\.\.\., these.*{SHA256[:12]}"):
        plan_publication(folder, "somebody/nuclei")


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"methods": {}, "cells": [{}]}', "not json"])
def test_what_is_no_evaluation_is_refused(folder: Path, content: str) -> None:
    (folder / "summary.json").write_text(content)
    with pytest.raises(PublishError):
        plan_publication(folder, "somebody/nuclei")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"license": "unknown"}, "names no licence"),
        ({"license": ""}, "names no licence"),
        ({"training": {}}, "does not say what the model learned from"),
    ],
)
def test_what_a_card_cannot_do_without(folder: Path, facts: dict[str, Any], words: str) -> None:
    change(folder, **facts)
    with pytest.raises(PublishError, match=words):
        plan_publication(folder, "somebody/nuclei")


def test_what_lacks_is_noted_and_the_model_stays_whole(folder: Path) -> None:
    change(folder, license="unknown", training={})
    with pytest.raises(PublishError, match="--license"):
        plan_publication(folder, "somebody/nuclei")
    note_facts(folder, license="apache-2.0")
    with pytest.raises(PublishError, match="--trained-on"):
        plan_publication(folder, "somebody/nuclei")
    note_facts(folder, trained_on="our own slides")
    card = plan_publication(folder, "somebody/nuclei").card
    assert 'license: "apache-2.0"' in card
    assert "our own slides" in card
    assert find_model(folder).sha256 == SHA256


def test_what_else_is_known_of_the_training_stays(folder: Path) -> None:
    note_facts(folder, trained_on="our own slides")
    config = json.loads((folder / "config.json").read_text())
    assert config == {**CONFIG, "training": {"learned_from": "our own slides", "steps": 1000}}


def test_a_configuration_changed_by_hand_is_called_that(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "license": "bsd-3-clause"}))
    with pytest.raises(ChecksumMismatchError, match="changed by hand") as refused:
        plan_publication(folder, "somebody/nuclei")
    assert "reinstall" not in str(refused.value)
    # The way out that it names.
    kept = [s for s in (folder / "SHA256SUMS").read_text().splitlines() if "config" not in s]
    (folder / "SHA256SUMS").write_text("\n".join(kept) + "\n")
    assert "bsd-3-clause" in plan_publication(folder, "somebody/nuclei").card


def test_a_path_among_the_names_is_refused(folder: Path) -> None:
    change(folder, foundation={"sam": {"file": "../../sam.pth", "sha256": "0"}})
    with pytest.raises(UnsafeNameError):
        plan_publication(folder, "somebody/nuclei")


def test_pictures_have_names_of_their_own(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"png")
    same = [tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"]
    with pytest.raises(PublishError, match=r"Two pictures are called a\.png"):
        plan_publication(folder, "somebody/nuclei", pictures=same)
    with pytest.raises(PublishError, match="is no picture"):
        plan_publication(folder, "somebody/nuclei", pictures=[folder / "config.json"])
    with pytest.raises(PublishError, match="no name of a repository"):
        plan_publication(folder, "nuclei")


@uploads
def test_what_is_published_can_be_used(
    hub: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_publication(folder, "somebody/nuclei")
    address = publish_model(plan, token=hub.TOKEN)
    assert address == f"{hub.address}/somebody/nuclei"
    there = hub.repositories["somebody/nuclei"]
    assert len(there.commits) == 1
    files = there.commits[there.head]
    assert {name: len(content) for name, content in files.items()} == plan.sizes
    assert files["model.safetensors"] == WEIGHTS
    assert find_model("somebody/nuclei").sha256 == SHA256


@uploads
def test_a_private_repository_is_made_private(hub: Any, folder: Path) -> None:
    publish_model(plan_publication(folder, "somebody/nuclei"), private=True, token=hub.TOKEN)
    assert hub.repositories["somebody/nuclei"].access == "private"


@uploads
@pytest.mark.parametrize(
    ("status", "error"), [(403, WeightsAccessError), (503, HubUnreachableError)]
)
def test_an_upload_that_fails_changes_nothing(
    hub: Any, folder: Path, status: int, error: type[Exception]
) -> None:
    hub.faults.append(hub.Fault("store", times=99, method="PUT", status=status))
    with pytest.raises(error, match=str(status)):
        publish_model(plan_publication(folder, "somebody/nuclei"), token=hub.TOKEN)
    assert hub.repositories["somebody/nuclei"].commits == {}


def test_publishing_needs_a_token(hub: Any, folder: Path) -> None:
    with pytest.raises(WeightsAccessError, match="hf auth login"):
        publish_model(plan_publication(folder, "somebody/nuclei"))
    assert hub.repositories == {}


def test_a_hub_out_of_order_is_named(hub: Any, folder: Path) -> None:
    hub.faults.append(hub.Fault("api", times=99, status=503))
    with pytest.raises(HubUnreachableError, match=r"out of order \(503\)"):
        publish_model(plan_publication(folder, "somebody/nuclei"), token=hub.TOKEN)
