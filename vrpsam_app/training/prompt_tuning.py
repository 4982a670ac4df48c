"""Learn prompts from part of a person's labelled pictures, and measure the gain on the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.evaluation.bootstrap import Interval
from vrpsam_app.evaluation.prompt_gain import (
    UNTRAINED,
    answers_to_prompts,
    mean_of,
    paired_difference,
)
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.prompt_examples import PromptExample, PromptKind
from vrpsam_app.methods.prompt_fit import PromptFitSettings, fit_prompts
from vrpsam_app.methods.prompted_pictures import PromptedModel

LEARNED = "learned"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTuning:
    """What is asked for.

    Attributes
    ----------
    folder : where the learned prompts go
    train_images : pictures to learn from; the rest measures
    measured : most pictures that are measured on
    settings : of the fit
    """

    folder: Path
    train_images: int = 8
    measured: int = 50
    settings: PromptFitSettings = field(default_factory=PromptFitSettings)


@dataclass(frozen=True, slots=True)
class PromptGain:
    """Mean IoU on the pictures kept for measuring, and the paired difference."""

    kind: PromptKind
    before: float
    after: float
    difference: Interval


@dataclass(frozen=True, slots=True, eq=False)
class TunedPrompts:
    """What came of it.

    Attributes
    ----------
    folder : of the learned prompts
    learned : LearnedPrompts
    gains : one for each kind of prompt; none if no picture was left
    """

    folder: Path
    learned: LearnedPrompts
    gains: tuple[PromptGain, ...]


def divide_examples(
    examples: Sequence[PromptExample], train_images: int, seed: int
) -> tuple[list[PromptExample], list[PromptExample]]:
    """Divide pictures in those to learn from and the rest, in an order that depends on the seed.

    Raises
    ------
    ConfigError
        If there are fewer than are to be learned from.
    """
    if not 1 <= train_images <= len(examples):
        raise ConfigError(
            f"{train_images} pictures are to be learned from, {len(examples)} show an object: "
            "expected at least one, and not more than there are. Change --train-images."
        )
    order = np.random.default_rng(seed).permutation(len(examples))
    learned, rest = order[:train_images], order[train_images:]
    return [examples[i] for i in sorted(learned)], [examples[i] for i in sorted(rest)]


def tune_prompts(
    model: PromptedModel,
    examples: Sequence[PromptExample],
    tuning: PromptTuning,
    report: Callable[[str], None] | None = None,
) -> TunedPrompts:
    """Learn, measure, save.

    Parameters
    ----------
    model : PromptedModel
    examples : pictures with their objects
    tuning : PromptTuning
    report : receives lines of progress

    Raises
    ------
    ConfigError
        If there are too few pictures.
    OutputError
        If the folder holds something already.
    """
    report = report or (lambda line: print(line, flush=True))
    if (tuning.folder / "config.json").exists():
        raise OutputError(
            f"{tuning.folder} holds a config.json already: choose another folder, or remove it."
        )
    settings = tuning.settings
    learn, rest = divide_examples(examples, tuning.train_images, settings.seed)
    rest = rest[: tuning.measured]
    every = max(1, settings.steps // 10)
    recent: list[float] = []

    def progress(step: int, loss: float) -> None:
        recent.append(loss)
        if step % every == 0:
            report(f"step {step}/{settings.steps} loss {np.mean(recent[-every:]):.3f}")

    learned = fit_prompts(model, learn, settings, report=progress)
    counts = learned.facts["parameters"]
    report(
        f"{counts['learned']:,} numbers learned, {counts['frozen']:,} left as they are "
        f"({counts['learned'] / counts['frozen']:.1%})"
    )
    ways = {UNTRAINED: None, LEARNED: learned.build(model.device)}
    answers = answers_to_prompts(model, rest, ways, settings.kinds, seed=settings.seed)
    gains = tuple(
        PromptGain(
            kind,
            mean_of(answers, kind, UNTRAINED),
            mean_of(answers, kind, LEARNED),
            paired_difference(answers, kind, LEARNED, UNTRAINED, seed=settings.seed),
        )
        for kind in (settings.kinds if rest else ())
    )
    figures = {
        g.kind: {
            "pictures": g.difference.count,
            "before": g.before,
            "after": g.after,
            "gain": g.difference.mean,
            "interval": [g.difference.low, g.difference.high],
        }
        for g in gains
    }
    learned = learned.with_facts(measured=figures)
    return TunedPrompts(learned.save(tuning.folder), learned, gains)
