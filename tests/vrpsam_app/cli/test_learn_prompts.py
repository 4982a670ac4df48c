"""``vrpsam learn-prompts`` and ``vrpsam prompt-experiments``, on folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

FAST = ("--device", "cpu", "--steps", "2")


@pytest.fixture
def labelled(folder: Path, tiny_sam) -> Path:
    """Four pictures of squares with numbered masks, and a SAM beside them."""
    torch.save(tiny_sam.state_dict(), folder / "sam.pth")
    for part in ("images", "masks"):
        (folder / "squares" / part).mkdir(parents=True)
    for number in range(4):
        image, mask = np.full((40, 60, 3), 120, np.uint8), np.zeros((40, 60), np.uint8)
        for value, (row, col) in enumerate(((4, 5 + 3 * number), (20, 40)), start=1):
            image[row : row + 10, col : col + 10] = (220, 30, 30)
            mask[row : row + 10, col : col + 10] = value
        Image.fromarray(image).save(folder / "squares" / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "squares" / "masks" / f"{number}.png")
    return folder / "squares"


def test_prompts_are_learned_measured_and_used(vrpsam, folder: Path, labelled: Path):
    learned = vrpsam(
        *("learn-prompts", labelled, "--sam", "sam.pth", "--train-images", "2", *FAST),
        *("--out", "mine"),
    )
    assert learned.code == 0, learned.err
    assert "numbers learned" in learned.out
    assert "2 pictures)" in learned.out
    config = json.loads((folder / "mine" / "config.json").read_text())
    assert config["learned_on"]["model"] == "sam-vit_tiny"
    outcome = vrpsam(
        *("segment", "--reference", "ref.png", "--box", "8,5,18,15", "--target", "a.png"),
        *("--method", "prompt_learning", "--sam", "sam.pth", "--prompts", "mine"),
        *("--out", "out", "--device", "cpu"),
    )
    assert outcome.code == 0, outcome.err
    made_by = json.loads((folder / "out" / "recipe.json").read_text())["made_by"]
    assert made_by["method"] == "prompt_learning"
    assert made_by["prompts"]["learned_on"]["pictures"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--train-images", "9"), "4 show an object"),
        (("--class", "cat"), "no class 'cat'"),
        (("--steps", "0"), "expected positive numbers"),
    ],
)
def test_what_cannot_be_learned_is_named(vrpsam, labelled: Path, words, message: str):
    outcome = vrpsam(
        "learn-prompts", labelled, "--sam", "sam.pth", "--out", "mine", "--device", "cpu", *words
    )
    assert outcome.code == 2
    assert message in outcome.err


def test_a_folder_that_holds_no_prompts_is_refused(vrpsam, folder: Path, labelled: Path):
    outcome = vrpsam(
        *("segment", "--reference", "ref.png", "--box", "8,5,18,15", "--target", "a.png"),
        *("--method", "prompt_learning", "--sam", "sam.pth", "--prompts", "squares"),
        *("--out", "out", "--device", "cpu"),
    )
    assert outcome.code == 2
    assert "learn-prompts" in outcome.err


def test_banners_are_pasted_learned_and_asked(vrpsam, folder: Path, labelled: Path):
    outcome = vrpsam(
        *("prompt-experiments", "banners", "--cut-outs", labelled, "--sam", "sam.pth", *FAST),
        *("--backgrounds", labelled / "images", "--train-images", "2", "--asked", "2"),
        *("--test-sam", "sam.pth", "--out", "res"),
    )
    assert outcome.code == 0, outcome.err
    content = json.loads((folder / "res" / "banners.json").read_text())
    assert set(content["answers"]) == {"sam-vit_tiny", "sam"}
    assert "prompt-experiments banners" in content["command"]
    assert "Asked of sam" in (folder / "res" / "banners.md").read_text()


def test_scenes_need_no_data(vrpsam, folder: Path, labelled: Path):
    outcome = vrpsam(
        *("prompt-experiments", "scenes", "--worlds", "coins", "--sam", "sam.pth", *FAST),
        *("--train-images", "1", "--asked", "1", "--out", "res"),
    )
    assert outcome.code == 0, outcome.err
    assert (folder / "res" / "scenes.md").is_file()


@pytest.mark.parametrize(
    ("experiment", "message"),
    [("faces", "needs --data"), ("plates", "needs --data"), ("banners", "needs --cut-outs")],
)
def test_data_that_is_needed_is_asked_for(vrpsam, labelled: Path, experiment: str, message: str):
    outcome = vrpsam("prompt-experiments", experiment, "--sam", "sam.pth", "--device", "cpu")
    assert outcome.code == 2
    assert message in outcome.err
