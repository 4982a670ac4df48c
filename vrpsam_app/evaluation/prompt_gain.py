"""What learned prompts are worth: the same clicks and boxes answered with and without them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vrpsam_app.evaluation.bootstrap import Interval, grouped_mean_interval
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.prompt_examples import PromptExample, PromptKind, simulated_prompt
from vrpsam_app.methods.prompted_pictures import PromptedModel, meant_answer
from vrpsam_app.models.prompt_learner import PromptLearner

OBJECTS = 4
"""Of each picture that are asked for."""

UNTRAINED = "untrained"
"""The same prompts as they are, answered as the model by itself would."""


@dataclass(frozen=True, slots=True)
class PromptAnswer:
    """How well one way of asking found the objects of one picture.

    Attributes
    ----------
    task : which objects are meant
    picture : its number among those that are asked
    kind : of the prompts
    way : of asking, `UNTRAINED` or what was learned
    iou : intersection over union, averaged over the objects
    objects : how many
    """

    task: str
    picture: int
    kind: PromptKind
    way: str
    iou: float
    objects: int


def answers_to_prompts(
    model: PromptedModel,
    examples: Sequence[PromptExample],
    ways: Mapping[str, PromptLearner | None],
    kinds: Sequence[PromptKind],
    *,
    task: str = "",
    seed: int = 0,
) -> list[PromptAnswer]:
    """Ask for the objects of pictures in several ways, by the same prompts.

    Parameters
    ----------
    model : PromptedModel
    examples : pictures that nothing was learned from
    ways : by name; None asks without a learner
    kinds : of prompts, one of each for each object
    task : name of the task
    seed : of the prompts
    """
    found = []
    for number, example in enumerate(examples):
        picture = model.open(example.image)
        rng = _generator(task, number, seed)
        chosen = sorted(rng.permutation(example.numbers)[:OBJECTS].tolist())
        for kind in kinds:
            overlaps: dict[str, list[float]] = {way: [] for way in ways}
            for n in chosen:
                truth = example.mask(n)
                prompt = simulated_prompt(rng, kind, truth)
                with torch.inference_mode():
                    prepared = picture.prepare([prompt])
                    for way, learner in ways.items():
                        answers = picture.decode(prepared, learner)
                        logits, _ = meant_answer(answers, prompt, learner)
                        mask = picture.resized(logits[None, None])[0, 0] > 0
                        overlaps[way].append(iou(mask.cpu().numpy(), truth))
            found += [
                PromptAnswer(task, number, kind, way, float(np.mean(values)), len(chosen))
                for way, values in overlaps.items()
            ]
    return found


def paired_difference(
    answers: Sequence[PromptAnswer], kind: PromptKind, way: str, other: str, *, seed: int = 0
) -> Interval:
    """Return how much better one way is than another on the same pictures.

    Tasks count alike; the pictures of each are drawn anew for the interval.
    """
    values: dict[str, dict[int, dict[str, float]]] = {}
    for a in answers:
        if a.kind == kind and a.way in (way, other):
            values.setdefault(a.task, {}).setdefault(a.picture, {})[a.way] = a.iou
    groups = [[v[way] - v[other] for v in own.values() if len(v) == 2] for own in values.values()]
    return grouped_mean_interval(groups, seed=seed)


def mean_of(answers: Sequence[PromptAnswer], kind: PromptKind, way: str) -> float:
    """Average over pictures, then over tasks."""
    tasks: dict[str, list[float]] = {}
    for a in answers:
        if a.kind == kind and a.way == way:
            tasks.setdefault(a.task, []).append(a.iou)
    return float(np.mean([np.mean(v) for v in tasks.values()])) if tasks else float("nan")


def _generator(task: str, number: int, seed: int) -> np.random.Generator:
    digest = hashlib.blake2b(f"{seed}\0{task}\0{number}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
