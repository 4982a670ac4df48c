"""``vrpsam weights``: what a person types, and what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hub_weights import REGISTRY, DownloadProgress
from hub_weights.checksums import sha256_of, write_sums
from vrpsam_app.cli import main
from vrpsam_app.cli.download_bar import DownloadBar
from vrpsam_app.models.embedded_onnx import EmbeddedOnnxFiles
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.sam_onnx import OnnxFiles

ROOT = Path(__file__).resolve().parents[3]
CONFIG = {
    "schema_version": 1,
    "name": "nuclei",
    "license": "mit",
    "training": {"learned_from": "BBBC038"},
}
WEIGHTS = b"weights " * 1000


pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.fixture
def repo(hub: Any) -> str:
    config = json.dumps(CONFIG).encode()
    hub.put("somebody/nuclei", {"config.json": config, "model.safetensors": WEIGHTS})
    return "somebody/nuclei"


def test_the_list_names_everything_with_size_and_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list"]) == 0
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines() if line.startswith("  ")}
    assert lines.keys() == REGISTRY.keys()
    assert "here" in lines["embedded"]
    assert lines["sam_vit_b"].split()[1:6] == ["375", "MB", "on", "the", "Hub"]
    assert "to be brought" in lines["resnet50_v2"]
    assert said.index("Models") < said.index("SAMs") < said.index("Backbones")


def test_without_a_verb_the_list_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights"]) == 0
    shown = capsys.readouterr().out
    assert main(["weights", "list"]) == 0
    assert capsys.readouterr().out == shown


def test_show_says_what_is_confirmed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "show", "sam_vit_b"]) == 0
    said = capsys.readouterr().out
    for fact in ("apache-2.0", "facebook/sam-vit-base", "374,979,480", "Kirillov"):
        assert fact in said
    assert main(["weights", "show", "vgg16_bn"]) == 0
    assert "not confirmed" in capsys.readouterr().out


def test_show_asks_the_hub_about_a_repository(
    hub: Any, repo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "show", repo]) == 0
    said = capsys.readouterr().out
    assert "somebody/nuclei: 8 kB, on the Hub\nlicence:  mit" in said
    assert hub.repositories[repo].head in said
    assert main(["weights", "show", "nothing"]) == 2
    assert "organisation/name on the Hub" in capsys.readouterr().err


def test_a_dry_run_downloads_nothing(
    hub: Any, repo: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["weights", "download", repo, "--dry-run"]) == 0
    assert "8 kB" in capsys.readouterr().out
    hub.put("facebook/sam-vit-base", {"model.safetensors": WEIGHTS})
    revision = REGISTRY["sam_vit_b"].download.revision
    hub.repositories["facebook/sam-vit-base"].tags[revision] = hub.repositories[
        "facebook/sam-vit-base"
    ].head
    before = len(hub.requests)
    assert main(["weights", "download", "sam_vit_b", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "375 MB from facebook/sam-vit-base/model.safetensors" in said
    assert "licence:  apache-2.0" in said
    assert main(["weights", "download", "vgg16_bn", "--dry-run"]) == 0
    assert "about 553 MB from timm/vgg16_bn" in capsys.readouterr().out
    assert len(hub.requests) == before  # what is listed is known without a network
    assert hub.asked("/store/", "GET") == 0
    # And the download itself is refused: the bytes are not the published ones.
    assert main(["weights", "download", "sam_vit_b"]) == 2
    assert "Nothing was downloaded" in capsys.readouterr().err


def test_download_list_remove(hub: Any, repo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "download", repo]) == 0
    said = capsys.readouterr()
    assert "licence mit" in said.err
    assert "SHA-256" in said.out
    assert main(["weights", "list"]) == 0
    assert "somebody/nuclei     8 kB  cached" in capsys.readouterr().out
    assert main(["weights", "remove", repo]) == 0
    assert "8 kB freed" in capsys.readouterr().out
    assert main(["weights", "remove", repo]) == 2


def test_a_sam_s_repository_is_downloaded_as_such(
    hub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"config.json": b'{"model_type": "sam"}', "model.safetensors": WEIGHTS}
    hub.put("meta/sam", {**files, "more/sam.pth": b"pickle" * 500})
    assert main(["weights", "download", "meta/sam"]) == 0
    assert "meta/sam: " in capsys.readouterr().out
    assert main(["weights", "download", "meta/sam:more/sam.pth"]) == 0
    assert "more/sam.pth, SHA-256" in capsys.readouterr().out


def test_a_model_made_here_is_not_removed_by_a_slip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models" / "blood"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    assert main(["weights", "remove", "blood"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert main(["weights", "remove", "blood", "--yes"]) == 0
    assert not folder.exists()


def test_errors_are_one_sentence(hub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "download", "nobody/nothing"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vrpsam: There is no folder nobody/nothing here, so that it was")
    assert "nobody/nothing/config.json: the Hub shows nothing of" in said
    assert "Traceback" not in said


def test_a_process_finds_the_hub_by_its_variable(hub: Any, repo: str, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    environment |= {"HF_ENDPOINT": hub.address, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "vrpsam_app.cli", "weights", "download", repo]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    again = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout


def test_convert_looks_what_the_file_is(
    tiny_sam: FrozenSAM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(tiny_sam.state_dict(), tmp_path / "sam.pth")
    out = tmp_path / "sam.safetensors"
    assert main(["weights", "convert", str(tmp_path / "sam.pth"), str(out)]) == 0
    assert "is a SAM of" in capsys.readouterr().out
    assert load_file(out).keys() == tiny_sam.state_dict().keys()
    there = tmp_path / "there"
    assert main(["weights", "convert", str(out), str(there), "--to", "transformers"]) == 0
    assert (there / "config.json").is_file()
    torch.save({"a": torch.ones(2)}, tmp_path / "other.pth")
    made = tmp_path / "other.safetensors"
    assert main(["weights", "convert", str(tmp_path / "other.pth"), str(made)]) == 0
    assert "is a state dict of 1 tensors" in capsys.readouterr().out
    assert main(["weights", "convert", str(tmp_path / "other.pth"), str(made)]) == 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("--to", "transformers"), "--to only with a SAM"),
        (("--marks", "mask", "--license", "mit"), "--marks, --license only with a checkpoint"),
        (("--licence", "mit"), "--license only with a checkpoint"),
        (("--sam", "sam_vit_b"), "--sam only with a checkpoint of the published"),
    ],
)
def test_convert_refuses_what_would_change_nothing(
    typed: tuple[str, ...], meant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "other.pth")
    made = tmp_path / "other.safetensors"
    assert main(["weights", "convert", str(tmp_path / "other.pth"), str(made), *typed]) == 2
    said = capsys.readouterr().err
    assert f"other.pth is a state dict: expected {meant}" in said
    assert not made.exists()


def test_onnx_exports_the_sam_that_is_named(
    tiny_sam: FrozenSAM,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def export(sam: FrozenSAM, folder: Path, *, name: str, sha256: str) -> OnnxFiles:
        folder.mkdir()
        for path in ("encoder.onnx", "decoder.onnx"):
            (folder / path).write_text(f"{sam.config.name} {name} {sha256}")
        return OnnxFiles(folder / "encoder.onnx", folder / "decoder.onnx", folder / "onnx.json")

    monkeypatch.setattr("vrpsam_app.models.sam_onnx.export_sam", export)
    file = tmp_path / "sam.safetensors"
    save_file(tiny_sam.state_dict(), file)
    assert main(["weights", "onnx", str(file), str(tmp_path / "graphs")]) == 0
    written = (tmp_path / "graphs" / "encoder.onnx").read_text()
    assert written == f"vit_tiny {file} {sha256_of(file)}"
    assert f"{tmp_path / 'graphs' / 'decoder.onnx'}: " in capsys.readouterr().out
    assert main(["weights", "onnx", str(tmp_path / "nothing"), str(tmp_path / "x")]) == 2


def test_onnx_exports_the_embedded_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def export(model: Any, folder: Path, **settings: Any) -> EmbeddedOnnxFiles:
        asked.update(settings, model=model.config.name)
        folder.mkdir()
        files = EmbeddedOnnxFiles(*(folder / name for name in ("e", "r", "c", "d", "onnx.json")))
        for path in (files.encoder, files.reference, files.together, files.decoder):
            path.write_text("x")
        return files

    monkeypatch.setattr("vrpsam_app.models.embedded_onnx.export_embedded", export)
    typed = ["weights", "onnx", "embedded", str(tmp_path / "graphs"), "--size", "384,512"]
    assert main([*typed, "--shots", "3"]) == 0
    assert (asked["model"], asked["input_hw"], asked["shots"]) == ("embedded", (384, 512), 3)
    assert len(capsys.readouterr().out.splitlines()) == 4
    with pytest.raises(SystemExit):
        main([*typed[:-1], "wide"])
    assert "expected rows and columns" in capsys.readouterr().err


def test_a_sam_has_one_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "onnx", "sam.pth", str(tmp_path / "x"), "--shots", "2"]) == 2
    assert "--size and --shots are for the embedded model" in capsys.readouterr().err


def test_publish_shows_before_it_sends(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models" / "nuclei"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    write_sums(folder, ("model.safetensors",))
    assert main(["weights", "publish", "nuclei", "somebody/new", "--dry-run"]) == 2
    assert "There is no evaluation" in capsys.readouterr().err
    cell = {
        "dataset": "dsb2018",
        "method": "vrp_sam",
        "column": {"format": "click", "shots": 5, "shift": ""},
        "episodes": 20,
        "iou": {"mean": 0.6, "low": 0.5, "high": 0.7},
    }
    sha256 = sha256_of(folder / "model.safetensors")
    summary = {"command": "-", "methods": {"vrp_sam": {"sha256": sha256}}, "cells": [cell]}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    typed = ["weights", "publish", "nuclei", "somebody/new", "--evaluation", str(tmp_path)]
    assert main([*typed, "--dry-run"]) == 0
    said = capsys.readouterr().out
    for shown in ("README.md", "model.safetensors", "click, 5 references", "Nothing was sent"):
        assert shown in said
    config = {**CONFIG, "license": "unknown"}
    (folder / "config.json").write_text(json.dumps(config))
    assert main([*typed, "--dry-run"]) == 2
    assert "Give --license" in capsys.readouterr().err
    told = ["--licence", "mit", "--trained-on", "our own slides"]
    assert main([*typed, "--dry-run", *told]) == 0
    assert "licence: mit" in capsys.readouterr().out
    assert main([*typed, "--dry-run"]) == 0
    assert "our own slides" in capsys.readouterr().out
    assert hub.requests == []


def test_the_bar_follows_one_file_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    with DownloadBar() as bar:
        bar(DownloadProgress(file="a", done=0, total=None, message="Downloading a"))
        for file in ("a", "b"):
            for done in (0, 5, 10):
                bar(DownloadProgress(file=file, done=done, total=10))
    assert capsys.readouterr().err == "Downloading a\n"  # bars only where a person looks
