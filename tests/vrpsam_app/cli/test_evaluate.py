"""``vrpsam evaluate`` on tiny labelled folders, with methods that look for a colour."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vrpsam_app.cli import build_parser, evaluate
from vrpsam_app.evaluation import evaluation_run
from vrpsam_app.evaluation.episode_reader import FORMATS


@pytest.fixture
def beads(tmp_path: Path) -> Path:
    """Write six pictures with two bright squares each; in half of them one is dim."""
    root = tmp_path / "beads"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for number in range(6):
        mask = np.zeros((48, 64), np.uint8)
        mask[4:24, 4 + number : 24 + number] = 1
        mask[26:46, 40 - number : 60 - number] = 2
        image = np.choose(mask, [20 + number, 220, 220 if number % 2 else 120]).astype(np.uint8)
        Image.fromarray(image).save(root / "images" / f"b{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"b{number}.png")
    return root


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, colour_segmenter) -> list[dict[str, object]]:
    """Let every method look for a colour; return the calls of all of them."""

    def build(name: str, model: object):
        method = type(colour_segmenter)()
        method.made_by = {"method": name}
        method.calls = colour_segmenter.calls
        return method

    methods = {name: partial(build, name) for name in evaluation_run.METHODS}
    monkeypatch.setattr(evaluation_run, "METHODS", methods)
    return colour_segmenter.calls


def test_report_and_figures_are_written(vrpsam, asked, beads: Path, tmp_path: Path):
    out = tmp_path / "out"
    outcome = vrpsam(
        *("evaluate", "--data", beads, "--episodes", 4, "--out", out, "--shots", 1, 2),
        *("--method", "vrp_sam", "pixel_forest,click,shots=1", "--format", "click", "mask"),
    )
    assert outcome.code == 0
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    columns = [(c["method"], c["column"]["format"], c["column"]["shots"]) for c in summary["cells"]]
    assert columns == [
        ("vrp_sam", "click", 1),
        ("vrp_sam", "mask", 1),
        ("vrp_sam", "click", 2),
        ("vrp_sam", "mask", 2),
        ("pixel_forest", "click", 1),
    ]
    assert all(c["episodes"] == 4 for c in summary["cells"])
    assert summary["command"].startswith(f"vrpsam evaluate --data {beads} --episodes 4")
    assert summary["plan"]["without_negatives"] == ["beads"]
    assert f"beads, click x1, vrp_sam: IoU {summary['cells'][0]['iou']['mean']:.3f}" in outcome.out
    assert str(out / "report.html") in outcome.out
    assert "| beads n=4 |" in (out / "tables.md").read_text(encoding="utf-8")
    assert len(asked) == 4 * (4 + 1)


def test_the_same_command_goes_on_and_more_episodes_begin_with_the_known_ones(
    vrpsam, asked, beads: Path, tmp_path: Path
):
    words = ("evaluate", "--data", beads, "--out", tmp_path / "out", "--method", "vrp_sam")
    assert vrpsam(*words, "--format", "click", "--episodes", 3).code == 0
    first = (tmp_path / "out" / "summary.json").read_text(encoding="utf-8")
    assert len(asked) == 3
    assert vrpsam(*words, "--format", "click", "--episodes", 3).code == 0
    assert (tmp_path / "out" / "summary.json").read_text(encoding="utf-8") == first
    assert len(asked) == 3
    assert vrpsam(*words, "--format", "click", "--episodes", 5).code == 0
    assert len(asked) == 5


def test_a_broken_picture_is_named_and_the_code_says_so(vrpsam, asked, beads: Path, tmp_path: Path):
    (beads / "images" / "b2.png").write_bytes(b"no picture")
    outcome = vrpsam(
        *("evaluate", "--data", beads, "--out", tmp_path / "out", "--method", "vrp_sam"),
        *("--episodes", 6, "--format", "mask"),
    )
    assert outcome.code == 1
    assert "failed; the report names them" in outcome.err
    assert "b2.png" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_what_is_not_asked_is_said(vrpsam, asked, beads: Path, tmp_path: Path):
    words = ("evaluate", "--data", beads, "--out", tmp_path / "out", "--episodes", 2)
    outcome = vrpsam(*words, "--format", "mask", "--shots", 1, 9)
    assert outcome.code == 0
    said = "beads, 9 references: some of its episodes have only 5"
    assert f"not asked: {said}\n" in outcome.err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["plan"]["not_asked"] == [said]
    assert said in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_method_that_was_named_has_to_be_asked_something(
    vrpsam, asked, beads: Path, tmp_path: Path
):
    words = ("evaluate", "--data", beads, "--out", tmp_path / "out", "--episodes", 2)
    named = vrpsam(*words, "--format", "mask", "--method", "vrp_sam", "pixel_forest,click")
    assert named.code == 2
    assert "--method pixel_forest would be asked nothing" in named.err
    assert asked == []
    usual = vrpsam(*words, "--format", "stroke")
    assert usual.code == 0
    assert "not asked: beads, pixel_forest: it was to be asked other formats" in usual.err


def test_effort_and_changed_pictures_on_request(vrpsam, asked, beads: Path, tmp_path: Path):
    outcome = vrpsam(
        *("evaluate", "--data", beads, "--out", tmp_path / "out", "--method", "vrp_sam"),
        *("--episodes", 2, "--format", "click", "--shift", "--effort", 1),
    )
    assert outcome.code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert {e["approach"] for e in summary["effort"]} == {
        "reference, then clicks",
        "reference, then strokes",
    }
    # The embedded model has no SAM to be clicked.
    assert "--sam FILE" in summary["plan"]["left_out"]["SAM clicks, object by object"]
    assert any(c["column"]["shift"] for c in summary["cells"])


def test_effort_also_clicks_the_sam_that_is_named(
    vrpsam, asked, beads: Path, tmp_path: Path, tiny_sam
):
    torch.save(tiny_sam.state_dict(), tmp_path / "sam.pth")
    outcome = vrpsam(
        *("evaluate", "--data", beads, "--out", tmp_path / "out", "--method", "vrp_sam"),
        *("--episodes", 1, "--format", "click", "--effort", 1, "--sam", tmp_path / "sam.pth"),
    )
    assert outcome.code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    (clicked,) = (e for e in summary["effort"] if e["approach"] == "SAM clicks, object by object")
    assert clicked["marks"] > 0
    assert summary["plan"]["left_out"] == {}


def test_the_papers_protocol_has_its_own_defaults(
    vrpsam, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    runs = []

    def record(run: evaluation_run.EvaluationRun) -> None:
        runs.append(run)
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation_run, "evaluate", record)
    assert vrpsam("evaluate", "--data", "d", "--protocol", "paper").code == 130
    assert vrpsam("evaluate", "--data", "d", "--full").code == 130
    assert vrpsam("evaluate", "--data", "d", "e,one-image", "--threads", 1).code == 130
    paper, full, usual = runs
    assert (paper.episodes, paper.plan.formats, paper.plan.paper) == (1000, ("mask",), True)
    assert paper.negatives == 0
    assert (full.episodes, full.negatives, full.plan.paper) == (200, 100, False)
    assert (usual.episodes, usual.plan.formats) == (20, ("click", "mask", "box"))
    assert [m.name for m in usual.methods] == [
        "vrp_sam",
        "pixel_forest",
        "tuned_threshold",
        "training_free_prior",
    ]
    assert usual.data[1].one_image
    assert (paper.threads, usual.threads) == (None, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "nothing-here"), "nothing-here is not a folder"),
        (("--data", "x", "--sam", "sam_vit_b"), "tuned_threshold, training_free_prior would not"),
        (("--data", "x,sideways"), "'sideways' is not known"),
        (("--data", "x", "--method", "vrp_sam,clicks"), "'clicks' is not known"),
        (("--data", "x", "--protocol", "paper", "--format", "outline"), "no format outline"),
        (("--data", "x", "--protocol", "paper", "--shift"), "no changed pictures"),
        (("--data", "x", "--protocol", "paper", "--negatives", "1"), "targets all show the object"),
    ],
)
def test_unusable_words_are_one_sentence(vrpsam, asked, tmp_path, words, message: str):
    outcome = vrpsam("evaluate", *words, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ("--episodes", "0"),
        ("--episodes", "2", "--full"),
        ("--shots", "x"),
        ("--negatives", "-1"),
        ("--seed", "-1"),
        ("--format", "clicks"),
    ],
)
def test_strange_numbers_are_usage_errors(vrpsam, words: tuple[str, ...]):
    assert vrpsam("evaluate", "--data", "x", *words).code == 2


def test_the_options_name_every_format():
    assert set(evaluate.FORMATS) == set(FORMATS)
    assert build_parser().parse_args(["evaluate", "--data", "x"]).episodes is None
