"""``vrpsam reproduce`` reads its options, and says what is missing."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest

from vrpsam_app.cli import build_parser
from vrpsam_app.reproduction.paper_bench import EPISODES, PaperBench
from vrpsam_app.reproduction.small_bench import SmallBench
from vrpsam_app.reproduction.small_scale import SmallScale
from vrpsam_app.training.presets import PAPER_SEED


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list:
    """Note what would be run, and run nothing."""
    from vrpsam_app.reproduction import runner

    noted: list = []

    class Noting(runner.Runner):
        def run(self, experiments, folds):
            noted.append((self.bench, [e.name for e in experiments], folds))
            return []

    monkeypatch.setattr(runner, "Runner", Noting)
    return noted


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Make what the paper's scale needs, without content."""
    (tmp_path / "coco").mkdir()
    for name in ("sam", "resnet", "vgg"):
        (tmp_path / f"{name}.pth").write_bytes(b"")
    return {p.stem: p for p in tmp_path.iterdir()}


def test_without_folders_it_is_small(vrpsam, ran, tmp_path: Path) -> None:
    outcome = vrpsam(
        "reproduce", "table5", "--out", tmp_path / "o", "--steps", "3", "--folds", "2", "0"
    )
    assert outcome.code == 0, outcome.err
    ((bench, names, folds),) = ran
    assert isinstance(bench, SmallBench)
    assert (bench.settings.steps, bench.settings.size) == (3, 128)
    assert (names, folds) == (["table5"], (0, 2))
    assert "Table 5. Terms of the loss" in outcome.out


def test_the_defaults_that_are_said_are_those_of_the_scales() -> None:
    parser = build_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    said = {a.dest: a.help for a in commands.choices["reproduce"]._actions}
    for field in dataclasses.fields(SmallScale):
        assert f"(default: {field.default}" in said[field.name]
    assert f"else {EPISODES})" in said["episodes"]
    assert f"else {PAPER_SEED})" in said["seed"]


def test_all_means_all(vrpsam, ran, tmp_path: Path) -> None:
    assert vrpsam("reproduce", "all", "--out", tmp_path / "o").code == 0
    assert ran[0][1] == [*(f"table{i}" for i in range(1, 8)), "figure6"]


def test_with_a_folder_it_is_the_papers(vrpsam, ran, tmp_path: Path, files) -> None:
    outcome = vrpsam(
        *("reproduce", "table1", "--out", tmp_path / "o", "--coco", files["coco"]),
        *("--sam", files["sam"], "--best-epoch", "--precision", "bf16"),
        *("--backbone", files["resnet"], f"vgg16_bn={files['vgg']}"),
    )
    assert outcome.code == 0, outcome.err
    bench = ran[0][0]
    assert isinstance(bench, PaperBench)
    assert bench.episodes == 1000
    assert bench.changes == {"precision": "bf16", "keep": "best"}
    assert bench.files.encoder("resnet50") == "resnet50_v2"
    assert bench.files.encoder("vgg16") == "vgg16_bn"


def test_unknown_experiment_is_one_sentence(vrpsam, tmp_path: Path) -> None:
    outcome = vrpsam("reproduce", "table9", "--out", tmp_path / "o")
    assert outcome.code == 2
    assert "'table9'" in outcome.err
    assert "figure6" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_no_experiment_is_one_sentence(vrpsam) -> None:
    outcome = vrpsam("reproduce")
    assert outcome.code == 2
    assert "No experiment was named" in outcome.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--coco", "nowhere"], "--sam FILE"),
        (["--coco", "nowhere", "--sam", "s", "--backbone", "b"], "--coco nowhere is not a folder"),
        (["--pascal", "gone", "--sam", "s", "--backbone", "b"], "--pascal gone is not a folder"),
        (["--coco", "{coco}", "--sam", "s.pth", "--backbone", "{resnet}"], "s.pth does not exist"),
        (["--coco", "{coco}", "--sam", "{sam}", "--backbone", "a=b"], "names no backbone"),
        (
            ["--coco", "{coco}", "--sam", "{sam}", "--backbone", "{resnet}", "--episodes", "0"],
            "episodes is 0",
        ),
        (["--coco", "{coco}", "--size", "64"], "--size: these options make sense at small scale"),
        (["--sam", "s"], "--sam: these options make sense with --coco"),
        (["--best-epoch"], "--best-epoch"),
        (["--size", "50"], "size is 50"),
    ],
)
def test_what_is_missing_is_named(vrpsam, tmp_path: Path, files, options, said: str) -> None:
    given = [option.format(**files) for option in options]
    outcome = vrpsam("reproduce", "table1", "--out", tmp_path / "o", *given)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_two_files_cannot_stand_for_one_backbone(vrpsam, tmp_path: Path, files) -> None:
    both = [f"resnet50={files['resnet']}", f"resnet50_v2={files['vgg']}"]
    outcome = vrpsam(
        *("reproduce", "table1", "--out", tmp_path / "o", "--coco", files["coco"]),
        *("--sam", files["sam"], "--backbone", *both),
    )
    assert outcome.code == 2
    assert "stand for the same one" in outcome.err


def test_data_of_another_benchmark_are_no_use(vrpsam, tmp_path: Path, files) -> None:
    outcome = vrpsam(
        *("reproduce", "table5", "--out", tmp_path / "o", "--coco", files["coco"]),
        *("--sam", files["sam"], "--backbone", files["resnet"]),
    )
    assert outcome.code == 2
    assert "Nothing of table5 can be run: it needs PASCAL." in outcome.err


def test_the_page_alone(vrpsam, tmp_path: Path) -> None:
    outcome = vrpsam("reproduce", "--write-docs", tmp_path / "paper.md")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "paper.md").read_text().startswith("# The paper's experiments")
    assert (tmp_path / "paper_results.json").exists()
