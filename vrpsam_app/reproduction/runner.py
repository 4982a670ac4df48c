"""Running experiments: every model is trained once, every question asked once, whatever stops."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from vrpsam_app.annotations import Kind
from vrpsam_app.config import VRPEncoderConfig
from vrpsam_app.devices import choose_device
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.environment import ANSWER_CODE, code_version
from vrpsam_app.evaluation.episode_reader import Format
from vrpsam_app.evaluation.evaluation_plan import PAPER_KINDS, EvaluationPlan, MeasuredMethod
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.evaluation.evaluator import Evaluator
from vrpsam_app.evaluation.result_file import ResultFile
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.image_files import write_whole
from vrpsam_app.methods import METHODS, MethodSources
from vrpsam_app.models.load import load_model
from vrpsam_app.models.vrp_encoder import VRPEncoder
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.replay_promise import differing_keys
from vrpsam_app.reproduction.bench import Bench, Report
from vrpsam_app.reproduction.experiments import ALL_FOLDS, Backbone, Experiment, Run, Test, Variant
from vrpsam_app.reproduction.measured import Measured, class_iou_error
from vrpsam_app.reproduction.small_scale import digest

RESULTS = "results.jsonl"

# What the published figures were reached with, for counting what it learns.
_PUBLISHED_ENCODERS: Mapping[Backbone, VRPEncoderConfig] = {
    "resnet50": VRPEncoderConfig(semantic_encoder="resnet50_v2"),
    "vgg16": VRPEncoderConfig(semantic_encoder="vgg16_bn"),
}
_TRAINING_CODE = (*ANSWER_CODE, "data", "reproduction", "training")
_FORMATS: Mapping[Kind, Format] = {kind: name for name, kind in PAPER_KINDS.items()}


class Runner:
    """Runs experiments at one scale in one folder.

    ``results.jsonl`` there holds every number as soon as it is known; a run whose number is in it
    is not made again, unless the code that answers, weights or data are others since. Models lie in
    ``models/`` and are shared by all experiments.

    Parameters
    ----------
    bench : Bench
        What trains and what asks.
    folder : Path
        It is made.
    device : str
        Where models are asked.
    report : callable
        Receives progress lines.

    Attributes
    ----------
    skipped : dict
        What runs lack that were not made, by run.
    failed : dict
        Why runs have no number although they were made, by run; the same command tries again.
    """

    def __init__(
        self,
        bench: Bench,
        folder: Path,
        *,
        device: str = "auto",
        report: Report = print,
    ) -> None:
        self.bench = bench
        self.folder = prepare_folder(folder)
        self.skipped: dict[Run, str] = {}
        self.failed: dict[Run, str] = {}
        self._device = device
        self._report = report
        self._file = ResultFile(self.folder / RESULTS, Measured.from_json)
        self._known = {result.key: result for result in self._file.read()}
        self._questions: dict[tuple[Test, int], EvaluationSet] = {}

    def run(
        self, experiments: Iterable[Experiment], folds: tuple[int, ...] = ALL_FOLDS
    ) -> list[Measured]:
        """Make every run of some experiments that is not made yet.

        Parameters
        ----------
        experiments : whose cells to fill
        folds : cells are filled as far as these go

        Returns
        -------
        results : list of Measured
            Of these experiments alone, known ones and new ones.
        """
        chosen = list(experiments)
        counted = {
            c.variant: None
            for e in chosen
            for c in e.cells
            if c.measure == "parameters" and c.variant is not None
        }
        results = [self._count(variant) for variant in counted]
        runs = list(dict.fromkeys(run for e in chosen for run in e.runs(folds)))
        for number, run in enumerate(runs, start=1):
            if missing := self.bench.lacks(run):
                self.skipped[run] = missing
                continue
            key = self._key(run)
            if key not in self._known:
                self._report(f"run {number} of {len(runs)}: {described(run)}")
                if (result := self._measure(run, key)) is None:
                    continue
                self._keep(result)
            results.append(self._known[key])
        return results

    def _measure(self, run: Run, key: str) -> Measured | None:
        """Train if need be, and ask; None, with a word in `failed`, if a question failed."""
        model = self._model(run.variant, run.fold)
        asked = self._questions.get((run.trial.test, run.fold))
        if asked is None:
            asked = self.bench.questions(run.trial.test, run.fold)
            self._questions[run.trial.test, run.fold] = asked
        store = EmbeddingStore()
        begun = time.monotonic()
        sources = MethodSources.of(
            partial(self._predictor, model, store), device=self._device, store=store
        )
        method = MeasuredMethod(run.trial.method, partial(METHODS[run.trial.method], sources))
        plan = EvaluationPlan(
            formats=(_FORMATS[run.trial.marks],), shots=(run.trial.shots,), paper=True
        )
        evaluator = Evaluator([method], [asked], plan, self.folder / "asked" / key, store=store)
        answers = list(evaluator.run())
        summary = Summary.of(answers)
        if summary.failures:
            self.failed[run] = (
                f"{len(summary.failures)} of {len(answers)} questions failed, the first with: "
                f"{summary.failures[0].error}"
            )
            return None
        (cell,) = summary.cells
        result = Measured(
            key=key,
            scale=self.bench.scale,
            variant=run.variant,
            trial=run.trial,
            fold=run.fold,
            value=round(100 * cell.class_iou, 2),
            error=round(class_iou_error(answers), 2),
            fb_iou=round(100 * cell.fb_iou, 2),
            episodes=cell.episodes,
            seconds=round(time.monotonic() - begun, 1),
            settings=self._settings(run),
        )
        self._report(f"{described(run)}: mIoU {result.value:.1f} over {result.episodes} episodes")
        return result

    def _predictor(self, model: Path, store: EmbeddingStore) -> VRPSAMPredictor:
        loaded, folder = load_model(model)
        device = choose_device(self._device)
        return VRPSAMPredictor(loaded, device=device, sha256=folder.sha256, store=store)

    def _model(self, variant: Variant, fold: int) -> Path:
        """Return the folder of a model, which is trained if it is not there."""
        settings = self.bench.training_settings(variant)
        sources = self._training_sources(variant)
        folder = self._model_folder(variant, fold)
        done = folder / "trained.json"
        if done.is_file():
            known = json.loads(done.read_text(encoding="utf-8"))
            # Days of training are not thrown away because a line of code is another one, or the
            # data lie elsewhere.
            differing = []
            if known.get("code") != code_version(_TRAINING_CODE):
                differing.append("by another version of the program")
            if others := differing_keys(known.get("sources", {}), sources):
                differing.append(f"with another {', '.join(others)}, or it does not tell which")
            for how in differing:
                self._report(
                    f"{folder} was trained {how}: to train it anew, give another folder with --out"
                )
            return folder / known["model"]
        begun = time.monotonic()
        model = self.bench.train(variant, fold, prepare_folder(folder), self._report)
        seconds = time.monotonic() - begun
        self._report(f"trained in {seconds:.0f} s: {model}")
        facts = {
            "model": model.resolve().relative_to(folder.resolve()).as_posix(),
            "seconds": round(seconds, 1),
            "variant": asdict(variant),
            "fold": fold,
            "settings": dict(settings),
            "sources": sources,
            "code": code_version(_TRAINING_CODE),
        }
        write_whole(done, (json.dumps(facts, indent=2) + "\n").encode("utf-8"))
        return model

    def _model_folder(self, variant: Variant, fold: int) -> Path:
        """Return where a model lies or will lie, by all that it is made of but the data's place."""
        settings = self.bench.training_settings(variant)
        start = self.folder / "models" / f"{variant.benchmark}-{fold}-{variant.marks}"
        named = [
            start.with_name(f"{start.name}-{digest((asdict(variant), fold, made_of))}")
            # Models whose weights were not asked for are named by the settings alone.
            for made_of in ({**settings, **self.bench.training_sources(variant)}, settings)
        ]
        return next((folder for folder in named if (folder / "trained.json").is_file()), named[0])

    def _training_sources(self, variant: Variant) -> dict[str, str]:
        return {**self.bench.training_sources(variant), **self.bench.training_roots(variant)}

    def _count(self, variant: Variant) -> Measured:
        """Count what a published VRP encoder learns, in millions."""
        key = digest(("parameters", asdict(variant)))
        if key not in self._known:
            encoder = VRPEncoder(_PUBLISHED_ENCODERS[variant.backbone])
            learned = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
            result = Measured(
                key=key, scale="paper", measure="parameters", variant=variant, value=learned / 1e6
            )
            self._keep(result)
        return self._known[key]

    def _keep(self, result: Measured) -> None:
        self._file.append(result)
        self._known[result.key] = result

    def _settings(self, run: Run) -> dict[str, Any]:
        return {**self.bench.training_settings(run.variant), **self.bench.trial_settings(run)}

    def _key(self, run: Run) -> str:
        sources = {**self._training_sources(run.variant), **self.bench.trial_sources(run)}
        made_of = {**self._settings(run), **sources, "code": code_version(ANSWER_CODE)}
        return digest((self.bench.scale, asdict(run), made_of))


def described(run: Run) -> str:
    """Say in words what a run is.

    Examples
    --------
    >>> from vrpsam_app.reproduction.experiments import Trial
    >>> described(Run(Variant(benchmark="coco20i"), Trial(test="coco20i"), 2))
    'vrp_sam, mask x1, coco20i fold 2'
    """
    variant, trial = run.variant, run.trial
    changed = {
        field: value
        for field, value in asdict(variant).items()
        if field not in ("benchmark", "marks")
        if value != getattr(Variant(benchmark=variant.benchmark), field)
    }
    words = "".join(f", {field}={value}" for field, value in changed.items())
    return f"{trial.method}, {trial.marks} x{trial.shots}, {trial.test} fold {run.fold}{words}"
