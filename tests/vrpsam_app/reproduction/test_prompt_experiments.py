"""The experiments of prompt learning, from tasks to tables."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from vrpsam_app.config import SAM_TINY
from vrpsam_app.errors import ConfigError
from vrpsam_app.methods.prompt_examples import PromptExample
from vrpsam_app.methods.prompt_fit import PromptFitSettings
from vrpsam_app.methods.prompted_pictures import PromptedSAM
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.reproduction.prompt_experiments import PLM, PMM, run_experiment
from vrpsam_app.reproduction.prompt_tables import markdown_of
from vrpsam_app.reproduction.prompt_tasks import PromptTask

FEW = PromptFitSettings(steps=2, prompts=2)


def sam(fill_by_key, **changes) -> PromptedSAM:
    module = FrozenSAM(dataclasses.replace(SAM_TINY, **changes))
    fill_by_key(module)
    return PromptedSAM(SAMPictures(module, device=torch.device("cpu")))


def task(name: str) -> PromptTask:
    objects = np.zeros((40, 40), np.int32)
    objects[5:20, 5:20], objects[22:38, 15:36] = 1, 2
    rng = np.random.default_rng(len(name))
    pictures = [
        PromptExample(rng.integers(0, 255, (40, 40, 3)).astype(np.uint8), objects) for _ in range(4)
    ]
    return PromptTask(name, tuple(pictures[:2]), tuple(pictures[2:]))


def test_each_way_is_learned_once_and_asked_of_every_model(fill_by_key, tmp_path):
    models = {"small": sam(fill_by_key), "wider": sam(fill_by_key, width=64)}
    lines: list[str] = []
    outcome = run_experiment(
        "scenes",
        [task("one"), task("three")],
        models,
        settings=FEW,
        command="vrpsam prompt-experiments scenes",
        folder=tmp_path,
        report=lines.append,
    )
    assert len(lines) == 2 * 2  # two tasks, two ways
    assert {a.way for a in outcome.answers["wider"]} == {"untrained", PLM, PMM}
    assert len(outcome.answers["small"]) == 2 * 2 * 2 * 3  # tasks, pictures, prompts, ways
    content = json.loads((tmp_path / "scenes.json").read_text())
    assert content["learned_on"] == "small"
    assert content["parameters"]["frozen"] == models["small"].frozen_count
    page = (tmp_path / "scenes.md").read_text()
    assert page == outcome.to_markdown()
    assert markdown_of(content, "untrained", (PLM, PMM)) == page
    assert "## Asked of wider" in page
    assert "| three | 2 | 2 |" in page


def test_sams_with_other_prompts_are_refused(fill_by_key, tmp_path):
    models = {"a": sam(fill_by_key), "b": sam(fill_by_key, prompt_dim=64)}
    with pytest.raises(ConfigError, match="whose prompts are alike"):
        run_experiment(
            "x", [task("one")], models, settings=FEW, command="", folder=tmp_path, report=print
        )
    with pytest.raises(ConfigError, match="no task"):
        run_experiment(
            "x",
            [],
            {"a": models["a"]},
            settings=FEW,
            command="",
            folder=tmp_path,
            report=print,
        )


def test_bold_is_what_excludes_zero():
    answers = [
        {"task": "t", "picture": i, "kind": "click", "way": way, "iou": value, "objects": 1}
        for i in range(6)
        for way, value in (("untrained", 0.2), (PLM, 0.5 + 0.01 * i), (PMM, 0.5 + 0.02 * (i % 2)))
    ]
    content = {
        "experiment": "x",
        "command": "vrpsam",
        "learned_on": "m",
        "parameters": {"learned": 10, "frozen": 1000},
        "settings": {"steps": 1, "prompts": 1, "kinds": ["click"]},
        "tasks": [{"name": "t", "learned": 1, "asked": 6}],
        "answers": {"m": answers},
    }
    page = markdown_of(content, "untrained", (PLM, PMM))
    row = next(line for line in page.splitlines() if line.startswith("| click"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == ["0.200", "0.525", "0.510"]
    assert cells[4].startswith("**+0.325**")
    assert cells[6].startswith("-0.015") or cells[6].startswith("**-0.015**")


def test_a_task_has_something_to_ask():
    with pytest.raises(ConfigError, match="expected at least one of each"):
        PromptTask("x", (), task("one").ask)
