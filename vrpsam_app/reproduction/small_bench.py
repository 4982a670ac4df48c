"""The small scale: scenes, a SAM and backbones made here, folds of worlds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vrpsam_app.devices import choose_device
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.reproduction.bench import Report, draw_questions
from vrpsam_app.reproduction.experiments import Backbone, Benchmark, Run, Test, Variant
from vrpsam_app.reproduction.measured import Scale
from vrpsam_app.reproduction.promptable_sam import train_sam
from vrpsam_app.reproduction.scene_folds import (
    AREA_SHARE,
    COCO_WORLDS,
    NEARNESS,
    PASCAL_WORLDS,
    ScenePictures,
    base_worlds,
    draw_scenes,
    novel_worlds,
)
from vrpsam_app.reproduction.semantic_training import train_backbone
from vrpsam_app.reproduction.small_scale import BACKBONES, SmallScale, digest
from vrpsam_app.training.run import train
from vrpsam_app.training.training_run import TrainingRun

IMAGES = 4
"""Pictures of a group to learn from."""

ASKED_GROUPS, ASKED_IMAGES = 8, 8
"""Groups of each novel world, and their pictures: a target and five references, and some spare."""

LEARNING_RATE = 1e-3
"""Ten times the paper's, as there are far fewer steps."""

# First seeds of scenes; no two ranges meet.
_FOUNDATION_SEED = 1 << 36
_LEARNED_SEED: Mapping[Benchmark, int] = {"coco20i": 2 << 36, "pascal5i": 3 << 36}
_ASKED_SEED: Mapping[Test, int] = {
    "coco20i": 5 << 41,
    "pascal5i": 6 << 41,
    "coco_to_pascal": 7 << 41,
}


class SmallBench:
    """Trains the small SAM and backbones when they are first needed, then models on top of them.

    Parameters
    ----------
    settings : SmallScale
    folder : Path
        Where the frozen parts are kept.
    device : str
        Where to compute.
    threads : int, optional
        Of the computation on a CPU.
    """

    scale: Scale = "small"

    def __init__(
        self,
        settings: SmallScale,
        folder: Path,
        *,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.settings = settings
        self.device, self.threads = device, threads
        made = settings.part_of("size", "groups", "seed", "sam_steps", "backbone_steps")
        self._foundation = folder / f"foundation-{digest(made)}"
        self._learned = cache(self._draw_learned)
        self._seen_by_foundation = cache(self._draw_foundation)

    def lacks(self, run: Run) -> str:
        """Say so where nothing stands for the backbone."""
        if run.variant.backbone in BACKBONES:
            return ""
        return "nothing stands for DINOv2 at small scale"

    def training_settings(self, variant: Variant) -> Mapping[str, Any]:
        """Return sizes and steps of the model and of what it stands on."""
        return self.settings.part_of(
            "size", "groups", "seed", "sam_steps", "backbone_steps", "steps", "batch"
        )

    def trial_settings(self, run: Run) -> Mapping[str, Any]:
        """Return the number of episodes."""
        return self.settings.part_of("episodes", "seed")

    def training_sources(self, variant: Variant) -> Mapping[str, str]:
        """Return nothing: everything is made here, by the settings."""
        return {}

    def training_roots(self, variant: Variant) -> Mapping[str, str]:
        """Return nothing: scenes are drawn by the settings."""
        return {}

    def trial_sources(self, run: Run) -> Mapping[str, str]:
        """Return nothing: scenes are drawn by the settings."""
        return {}

    def train(self, variant: Variant, fold: int, folder: Path, report: Report) -> Path:
        """Train the frozen parts if they are not there, then the VRP encoder on base worlds."""
        settings = self.settings
        name = f"small {variant.benchmark} train {fold}"
        worlds = base_worlds(variant.benchmark, fold)
        return train(
            TrainingRun(
                config=settings.model(variant),
                folder=folder,
                data=(self._learned(variant.benchmark).of_worlds(worlds, name),),
                steps=settings.steps,
                batch=settings.batch,
                marks=variant.marks,
                loss=variant.loss,
                learning_rate=LEARNING_RATE,
                sam=self.sam_file(report),
                backbone=self.backbone_file(variant.backbone, report),
                store_parts="all",
                device=self.device,
                threads=self.threads,
                seed=settings.seed,
                workers=0,
            ),
            # A line every few seconds for each of dozens of models would say nothing.
            lambda line: None,
        )

    def questions(self, test: Test, fold: int) -> EvaluationSet:
        """Draw scenes of the novel worlds, none of which was seen by anything."""
        settings = self.settings
        worlds = novel_worlds(test, fold)
        scenes = draw_scenes(
            f"small {test} val {fold}",
            worlds,
            groups=ASKED_GROUPS * len(worlds),
            images=ASKED_IMAGES,
            size=settings.size,
            first_seed=_ASKED_SEED[test] + (fold << 32) + (settings.seed << 20),
            nearness=NEARNESS["coco20i" if test == "coco20i" else "pascal5i"],
        )
        return draw_questions(
            scenes,
            episodes=settings.episodes,
            least_area=self._least_area,
            seed=settings.seed,
            side=settings.size,
        )

    def sam_file(self, report: Report) -> Path:
        """Return the small SAM's weights; they are trained if they are not there."""
        file = prepare_folder(self._foundation) / "sam.safetensors"
        if file.is_file():
            return file
        return train_sam(
            self.settings.sam,
            self._seen_by_foundation(),
            file,
            steps=self.settings.sam_steps,
            seed=self.settings.seed,
            device=choose_device(self.device),
            report=report,
        )

    def backbone_file(self, backbone: Backbone, report: Report) -> Path:
        """Return a small backbone's weights; they are trained if they are not there."""
        name = BACKBONES[backbone]
        file = prepare_folder(self._foundation) / f"{name}.safetensors"
        if file.is_file():
            return file
        return train_backbone(
            name,
            self._seen_by_foundation(),
            file,
            steps=self.settings.backbone_steps,
            seed=self.settings.seed,
            device=choose_device(self.device),
            report=report,
        )

    def _draw_foundation(self) -> ScenePictures:
        """Draw what the frozen parts learn from: all worlds, as ImageNet and SA-1B hold all."""
        return self._draw("foundation", COCO_WORLDS, _FOUNDATION_SEED, NEARNESS["coco20i"])

    def _draw_learned(self, benchmark: Benchmark) -> ScenePictures:
        worlds = COCO_WORLDS if benchmark == "coco20i" else PASCAL_WORLDS
        return self._draw(benchmark, worlds, _LEARNED_SEED[benchmark], NEARNESS[benchmark])

    def _draw(
        self, name: str, worlds: tuple[str, ...], first_seed: int, nearness: float
    ) -> ScenePictures:
        return draw_scenes(
            f"small {name}",
            worlds,
            groups=self.settings.groups,
            images=IMAGES,
            size=self.settings.size,
            first_seed=first_seed + (self.settings.seed << 20),
            nearness=nearness,
            least_area=self._least_area,
        )

    @property
    def _least_area(self) -> int:
        return round(AREA_SHARE * self.settings.size**2)
