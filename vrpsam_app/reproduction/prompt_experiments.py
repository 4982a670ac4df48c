"""The experiments of prompt learning: with and without it, with and without boundary matching."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.prompt_gain import UNTRAINED, PromptAnswer, answers_to_prompts
from vrpsam_app.image_files import write_whole
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.prompt_fit import KEPT_BYTES, PromptFitSettings, fit_prompts
from vrpsam_app.methods.prompted_pictures import PromptedModel
from vrpsam_app.models.prompt_learner import PromptLearner
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.reproduction.prompt_tables import markdown_of
from vrpsam_app.reproduction.prompt_tasks import PromptTask

PLM, PMM = "PLM", "PLM + PMM"

WAYS: Mapping[str, float] = MappingProxyType({PLM: 0.0, PMM: 1.0})
"""What is learned with -> weight of boundary point matching."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptOutcome:
    """What an experiment gave.

    Attributes
    ----------
    name : of the experiment
    command : as it was typed
    learned_on : name of the model that was learned on
    answers : by name of the model that was asked
    parameters : numbers learned, and left as they are
    settings : of the fits
    tasks : name, pictures learned from, pictures asked about
    """

    name: str
    command: str
    learned_on: str
    answers: Mapping[str, Sequence[PromptAnswer]]
    parameters: Mapping[str, int]
    settings: PromptFitSettings
    tasks: Sequence[Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers."""
        return {
            "experiment": self.name,
            "command": self.command,
            "learned_on": self.learned_on,
            "parameters": dict(self.parameters),
            "settings": asdict(self.settings),
            "tasks": [dict(t) for t in self.tasks],
            "answers": {m: [asdict(a) for a in own] for m, own in self.answers.items()},
        }

    def write(self, folder: Path) -> dict[str, Path]:
        """Write ``<name>.json`` and ``<name>.md``; return both by kind.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        root = prepare_folder(folder)
        texts = {"json": json.dumps(self.to_json(), indent=1), "md": self.to_markdown()}
        paths = {}
        for kind, text in texts.items():
            paths[kind] = root / f"{self.name}.{kind}"
            write_whole(paths[kind], (text.rstrip() + "\n").encode(), overwrite=True)
        return paths

    def to_markdown(self) -> str:
        """Return the tables."""
        return markdown_of(self.to_json(), UNTRAINED, (PLM, PMM))


def run_experiment(
    name: str,
    tasks: Iterable[PromptTask],
    models: Mapping[str, PromptedModel],
    *,
    settings: PromptFitSettings,
    command: str,
    folder: Path,
    report: Callable[[str], None],
) -> PromptOutcome:
    """Learn on the first model for each task, with both losses, and ask all models.

    What is known is written after each task.

    Parameters
    ----------
    name : of the experiment, and of its files
    tasks : what is learned and asked
    models : by name; the first is learned on, the others are asked with what was learned there
    settings : of the fits, but for the weight of boundary matching
    command : as it was typed
    folder : where results go
    report : receives lines of progress

    Raises
    ------
    ConfigError
        If the models' prompts have different numbers of channels, or there is no task.
    """
    learned_on, first = next(iter(models.items()))
    for other, model in models.items():
        if (model.prompt_dim, model.needs_map) != (first.prompt_dim, first.needs_map):
            raise ConfigError(
                f"Prompts learned on {learned_on} ({first.prompt_dim} channels) cannot be asked of "
                f"{other} ({model.prompt_dim} channels): expected SAMs whose prompts are alike, as "
                "those of all published sizes are."
            )
    answers: dict[str, list[PromptAnswer]] = {m: [] for m in models}
    done: list[dict[str, Any]] = []
    outcome: PromptOutcome | None = None
    for task in tasks:
        kept = EmbeddingStore(KEPT_BYTES)
        learned = {way: _learned(first, task, way, settings, kept, report) for way in WAYS}
        for asked_of, model in models.items():
            learners: dict[str, PromptLearner | None] = {UNTRAINED: None}
            learners |= {way: own.build(model.device) for way, own in learned.items()}
            answers[asked_of] += answers_to_prompts(
                model, task.ask, learners, settings.kinds, task=task.name, seed=settings.seed
            )
        done.append({"name": task.name, "learned": len(task.learn), "asked": len(task.ask)})
        counts = learned[PLM].facts["parameters"]
        outcome = PromptOutcome(
            name, command, learned_on, answers, counts, replace(settings, boundary=0.0), done
        )
        outcome.write(folder)
    if outcome is None:
        raise ConfigError(f"{name} has no task: expected at least one.")
    return outcome


def _learned(
    model: PromptedModel,
    task: PromptTask,
    way: str,
    settings: PromptFitSettings,
    kept: EmbeddingStore,
    report: Callable[[str], None],
) -> LearnedPrompts:
    losses: list[float] = []
    learned = fit_prompts(
        model,
        task.learn,
        replace(settings, boundary=WAYS[way]),
        report=lambda step, loss: losses.append(loss),
        kept=kept,
    )
    last = losses[-max(1, len(losses) // 10) :]
    report(
        f"{task.name}, {way}: {len(task.learn)} pictures, {settings.steps} steps, loss "
        f"{sum(losses[: len(last)]) / len(last):.3f} to {sum(last) / len(last):.3f}"
    )
    return learned
