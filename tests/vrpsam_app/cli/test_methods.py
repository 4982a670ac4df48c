"""``vrpsam methods``, and the choice of a method for ``vrpsam segment``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vrpsam_app.cli import methods
from vrpsam_app.methods import GUARDS, METHODS


def test_the_table_is_printed(vrpsam):
    outcome = vrpsam("methods")
    assert outcome.code == 0
    for name, method in METHODS.items():
        assert (f"{name}: {method.summary}\n" in outcome.out) == (name not in GUARDS)
    assert "tuned_threshold: best threshold on the references\n    needs nothing" in outcome.out


def test_every_need_is_explained():
    assert {need for method in METHODS.values() for need in method.needs} <= set(methods.NEEDS)


def segment(vrpsam, out: Path, *words: object):
    return vrpsam(
        *("segment", "--reference", "ref.png", "--box", "8,5,18,15", "--target", "a.png"),
        *("--out", out, "--device", "cpu", *words),
    )


def test_a_method_without_weights_runs(vrpsam, folder: Path):
    assert segment(vrpsam, folder / "out", "--method", "tuned_threshold").code == 0
    recipe = json.loads((folder / "out" / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["made_by"]["method"] == "tuned_threshold"
    mask = np.asarray(Image.open(folder / "out" / "a_mask.png"))
    assert mask[22:32, 3:13].mean() > 200
    assert mask[2:12, 30:40].mean() < 50


def test_a_recipe_is_replayed_by_the_method_that_made_it(vrpsam, folder: Path):
    segment(vrpsam, folder / "out", "--method", "tuned_threshold")
    outcome = vrpsam(
        *("segment", "--recipe", folder / "out" / "recipe.json", "--target", "a.png"),
        *("--out", folder / "again", "--device", "cpu"),
    )
    assert outcome.code == 0
    assert "equal targets give equal masks" in outcome.out
    masks = [(folder / name / "a_mask.png").read_bytes() for name in ("out", "again")]
    assert masks[0] == masks[1]


def test_sams_weights_come_from_a_file(vrpsam, folder: Path, tiny_sam):
    torch.save(tiny_sam.state_dict(), folder / "sam.pth")
    outcome = segment(vrpsam, folder / "out", "--method", "persam", "--sam", "sam.pth")
    assert outcome.code == 0
    recipe = json.loads((folder / "out" / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["made_by"]["model"] == "sam-vit_tiny"
    assert len(recipe["made_by"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "persam", "--sam", "missing.pth"), "missing.pth does not exist"),
        (("--method", "nothing_such"), "invalid choice"),
        *((("--method", guard), "invalid choice") for guard in GUARDS),
    ],
)
def test_what_cannot_be_chosen_is_named(vrpsam, folder: Path, words, message: str):
    outcome = segment(vrpsam, folder / "out", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_who_is_unsure_is_told_of_matching(vrpsam, folder: Path, monkeypatch):
    from vrpsam_app.methods import suggestion

    said = []

    def unsure(verdicts, made_by):
        said.extend(verdicts)
        return suggestion.Suggestion("sam_vit_b", "dinov2_b14", 721_000_000)

    monkeypatch.setattr(suggestion, "suggestion_for", unsure)
    outcome = segment(vrpsam, folder / "out", "--method", "tuned_threshold")
    assert outcome.code == 0
    assert len(said) == 1
    assert "(721 MB to download). Add: --method matching --sam sam_vit_b --features" in outcome.out
