"""A table from nothing, in miniature: frozen parts, models, questions, numbers, page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vrpsam_app.cli import main
from vrpsam_app.evaluation.result_file import ResultFile
from vrpsam_app.models.load import load_model
from vrpsam_app.reproduction import small_bench
from vrpsam_app.reproduction.experiments import Run, Trial, Variant
from vrpsam_app.reproduction.measured import Measured
from vrpsam_app.reproduction.small_bench import SmallBench
from vrpsam_app.reproduction.small_scale import SmallScale

TINY = ("--size", "64", "--sam-steps", "1", "--backbone-steps", "1", "--groups", "20")
SHORT = ("--steps", "2", "--batch", "2", "--episodes", "3", "--folds", "0", "--device", "cpu")


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_bench, "ASKED_GROUPS", 1)
    monkeypatch.setattr(small_bench, "ASKED_IMAGES", 3)
    monkeypatch.setattr(small_bench, "IMAGES", 3)


def measured(out: Path) -> list[Measured]:
    return list(ResultFile(out / "results.jsonl", Measured.from_json).read())


def test_a_table_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    out, docs = tmp_path / "out", tmp_path / "paper.md"
    typed = ["reproduce", "table5", "--out", str(out), *TINY, *SHORT, "--write-docs", str(docs)]
    assert main(typed) == 0
    printed = capsys.readouterr().out
    results = measured(out)
    assert [r.variant.loss for r in results] == ["bce", "dice", "both", "both"]
    assert all(0 <= r.value <= 100 and r.episodes == 3 for r in results)
    assert results[3].trial is not None
    assert results[3].trial.method == "everything"
    # Three models for four runs, on one SAM and one backbone.
    models = sorted((out / "models").iterdir())
    assert len(models) == 3
    assert {p.name for p in next(out.glob("foundation-*")).glob("*.safetensors")} == {
        "sam.safetensors",
        "small_resnet.safetensors",
    }
    facts = [json.loads((m / "trained.json").read_text()) for m in models]
    assert {f["variant"]["loss"] for f in facts} == {"bce", "dice", "both"}
    model, _ = load_model(models[0] / facts[0]["model"])
    assert model.config.training["steps"] == 2
    assert "Table 5. Terms of the loss" in printed
    assert "(folds 0)" in (out / "tables" / "table5.md").read_text()
    assert docs.read_text().count("run at small scale; needs PASCAL") >= 4

    def refuse(*_: object) -> None:
        raise AssertionError("trained twice")

    for name in ("train", "train_sam", "train_backbone"):
        monkeypatch.setattr(small_bench, name, refuse)
    assert main(typed) == 0
    assert measured(out) == results


def test_what_stands_for_what() -> None:
    bench = SmallBench(SmallScale(size=64, groups=20, episodes=2), Path("unused"))
    lacking = Run(Variant(benchmark="coco20i", backbone="dinov2"), Trial(test="coco20i"), 0)
    assert bench.lacks(lacking) == "nothing stands for DINOv2 at small scale"
    assert bench.lacks(Run(Variant(benchmark="coco20i"), Trial(test="coco20i"), 0)) == ""


def test_questions_show_novel_worlds_at_the_size_of_the_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(small_bench, "ASKED_IMAGES", 6)
    bench = SmallBench(SmallScale(size=64, groups=20, episodes=4), Path("unused"))
    asked = bench.questions("coco_to_pascal", 0)
    assert {e.label.split("/")[0] for e in asked.episodes} <= {"creatures", "lesions"}
    question = asked.reader.to_paper_references(asked.episodes[0], "box")
    assert question.target.shape == (64, 64, 3)
    assert len(asked.episodes) == 4
