"""A bench without models: coloured squares to find, and a note of what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vrpsam_app.data.labelled_dataset import LabelledImage
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.reproduction.bench import Report, draw_questions
from vrpsam_app.reproduction.experiments import Run, Test, Variant

SIDE = 32


class Squares:
    """Eight pictures; a square, of class 1 in even ones and of class 2 in odd ones, fills a part.

    A method that marks everything reaches 25 % on class 1 and 6.25 % on class 2.
    """

    has_instances = False
    class_names = ("large", "small")

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = tuple(f"p{i}" for i in range(16))
        self.groups = dict.fromkeys(self.names, "")
        self.fields = {name: name for name in self.names}

    def __len__(self) -> int:
        return len(self.names)

    def shown(self, index: int) -> Mapping[int, int]:
        side = SIDE // (2 + 2 * (index % 2))
        return {index % 2 + 1: side * side}

    def load(self, index: int) -> LabelledImage:
        side = SIDE // (2 + 2 * (index % 2))
        classes = np.zeros((SIDE, SIDE), np.int32)
        classes[:side, :side] = index % 2 + 1
        image = np.where(classes[..., None] > 0, 200, index).astype(np.uint8).repeat(3, 2)
        return LabelledImage(self.names[index], image, 0 * classes, classes, self.class_names)


class FakeBench:
    """Notes every training, trains nothing."""

    scale = "small"

    def __init__(self) -> None:
        self.trained: list[tuple[Variant, int]] = []
        self.steps = 5
        self.broken = False
        self.weights, self.data = "some", "here"

    def lacks(self, run: Run) -> str:
        return "needs DINOv2" if run.variant.backbone == "dinov2" else ""

    def training_settings(self, variant: Variant) -> Mapping[str, Any]:
        return {"steps": self.steps}

    def trial_settings(self, run: Run) -> Mapping[str, Any]:
        return {"episodes": 4}

    def training_sources(self, variant: Variant) -> Mapping[str, str]:
        return {"sam": self.weights}

    def training_roots(self, variant: Variant) -> Mapping[str, str]:
        return {"learned_from": self.data}

    def trial_sources(self, run: Run) -> Mapping[str, str]:
        return {"data": self.data}

    def train(self, variant: Variant, fold: int, folder: Path, report: Report) -> Path:
        self.trained.append((variant, fold))
        report(f"trained fold {fold}")
        (folder / "model").mkdir()
        return folder / "model"

    def questions(self, test: Test, fold: int) -> EvaluationSet:
        asked = draw_questions(
            Squares(f"{test} {fold}"), episodes=4, least_area=16, seed=0, side=SIDE
        )
        if self.broken:
            asked.reader._load = lambda index: 1 / 0
        return asked


@pytest.fixture
def bench() -> FakeBench:
    return FakeBench()
