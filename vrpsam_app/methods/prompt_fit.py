"""Learn prompts from a few pictures: the SAM is frozen, the module before its decoder learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import plane_key
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.prompt_examples import KINDS, PromptExample, PromptKind, simulated_prompt
from vrpsam_app.methods.prompted_pictures import PromptedModel, PromptedPicture, joined
from vrpsam_app.models.boundary_matching import BoundaryPoints, boundary_distance, boundary_points
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.prompt_learner import PromptLearner, PromptLearnerConfig

WARM_UP = 10
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT = 1.0
DRAWS = 3
"""Prompts of a kind that are drawn for each object, in turns."""

KEPT_BYTES = 768 * 1024**2
"""Memory for prepared prompts."""

SCORE_WEIGHT = 0.1
"""Of the error of the predicted intersection over union: a learned answer must know its worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFitSettings:
    """How prompts are learned.

    Attributes
    ----------
    kinds : of prompts that are learned, each as often as the others
    steps : number of batches
    prompts : of a batch, all on one picture
    learning_rate : the highest
    boundary : weight of boundary point matching beside the mask's own loss; 0 leaves it out
    heads, layers : of the learner
    seed : of everything that is drawn
    """

    kinds: tuple[PromptKind, ...] = KINDS
    steps: int = 400
    prompts: int = 8
    learning_rate: float = 3e-3
    boundary: float = 1.0
    heads: int = 8
    layers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= set(KINDS):
            raise ConfigError(
                f"Prompts of the kinds {self.kinds} cannot be learned: expected one or more of "
                f"{', '.join(KINDS)}."
            )
        if min(self.steps, self.prompts) < 1 or self.learning_rate <= 0 or self.boundary < 0:
            raise ConfigError(
                f"steps={self.steps}, prompts={self.prompts}, learning_rate={self.learning_rate}, "
                f"boundary={self.boundary}: expected positive numbers, and a weight of 0 or more."
            )


def fit_prompts(
    model: PromptedModel,
    examples: Sequence[PromptExample],
    settings: PromptFitSettings | None = None,
    *,
    report: Callable[[int, float], None] | None = None,
    kept: EmbeddingStore | None = None,
) -> LearnedPrompts:
    """Learn to adjust prompts so that each gives the object that is meant.

    Parameters
    ----------
    model : PromptedModel
        Not changed.
    examples : one or more
    settings : PromptFitSettings
    report : callable, optional
        Told the number of the step and its loss, after each.
    kept : EmbeddingStore, optional
        Where prepared prompts are found again by another fit on the same model.

    Returns
    -------
    learned : LearnedPrompts

    Raises
    ------
    ConfigError
        If the examples hold no object.
    """
    settings = settings or PromptFitSettings()
    kept = EmbeddingStore(KEPT_BYTES) if kept is None else kept
    asked = [_AskedExample(model, example, kept) for example in examples if example.numbers]
    if not asked:
        raise ConfigError(
            f"{len(examples)} pictures hold no object that is large enough to be asked for: "
            "expected at least one. Label some."
        )
    config = PromptLearnerConfig(
        prompt_dim=model.prompt_dim,
        heads=settings.heads,
        layers=settings.layers,
        map=model.needs_map,
    )
    # On the CPU, so that the start is the same wherever it is then learned.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        learner = PromptLearner(config)
    learner.to(model.device).train()
    optimizer = torch.optim.AdamW(
        learner.parameters(), lr=settings.learning_rate, weight_decay=WEIGHT_DECAY
    )
    for step in range(settings.steps):
        rng = np.random.default_rng([settings.seed, step])
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, settings.steps)
        example = asked[int(rng.integers(len(asked)))]
        loss = example.loss(rng, learner, settings)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        if report is not None:
            report(step + 1, float(loss.detach()))
    return LearnedPrompts.of(
        learner,
        {
            "fit": asdict(settings),
            "learned_on": {
                **model.describe(),
                "pictures": len(asked),
                "objects": sum(len(a.example.numbers) for a in asked),
            },
            "parameters": {"learned": learner.parameter_count, "frozen": model.frozen_count},
        },
    )


class _AskedExample:
    """An example on the decoder's grid: objects are brought there once, prompts prepared once.

    What was prepared is kept in fp16, and forgotten where there is too much of it.
    """

    def __init__(self, model: PromptedModel, example: PromptExample, kept: EmbeddingStore) -> None:
        self.model, self.example, self._kept = model, example, kept
        said = model.describe()
        self._key = (
            f"prompts/{said['model']}-{said['sha256']}/{plane_key(example.image)}"
            f"/{plane_key(example.objects)}"
        )
        self._truths: dict[int, tuple[Tensor, BoundaryPoints]] = {}

    def loss(
        self, rng: np.random.Generator, learner: PromptLearner, settings: PromptFitSettings
    ) -> Tensor:
        """Ask for some of the objects, and hold the answers against them."""
        picture = self.model.open(self.example.image)
        kind = settings.kinds[int(rng.integers(len(settings.kinds)))]
        numbers = rng.permutation(self.example.numbers)
        chosen = np.resize(numbers, settings.prompts).tolist()
        prepared = [
            self._prepared(picture, kind, number, int(rng.integers(DRAWS)), settings.seed)
            for number in chosen
        ]
        answers = picture.decode(joined(prepared).to(self.model.device, torch.float32), learner)
        logits = picture.seen(answers.logits[:, :1])
        known = [self._truth(picture, number) for number in chosen]
        truth = torch.stack([shares for shares, _ in known])[:, None].to(logits.device)
        loss = mask_loss(logits, truth).mean()
        if settings.boundary:
            loss = loss + settings.boundary * _boundary_loss(logits, [p for _, p in known])
        found, true = logits.detach() > 0, truth > 0.5
        overlap, union = (found & true).sum((1, 2, 3)), (found | true).sum((1, 2, 3))
        quality = overlap / union.clamp_min(1)
        return loss + SCORE_WEIGHT * F.mse_loss(answers.scores[:, 0], quality)

    def _prepared(
        self, picture: PromptedPicture, kind: PromptKind, number: int, draw: int, seed: int
    ) -> TensorRecord:
        def prepare() -> TensorRecord:
            rng = np.random.default_rng([seed, KINDS.index(kind), number, draw])
            prompt = simulated_prompt(rng, kind, self.example.mask(number))
            return picture.prepare([prompt]).stored()

        return self._kept.get_or_compute(f"{self._key}/{seed}/{kind}/{number}/{draw}", prepare)

    def _truth(self, picture: PromptedPicture, number: int) -> tuple[Tensor, BoundaryPoints]:
        if number not in self._truths:
            shares = picture.on_grid(self.example.mask(number))
            self._truths[number] = shares, boundary_points(shares.numpy())
        return self._truths[number]


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Add cross-entropy and one minus Dice.

    Parameters
    ----------
    logits, truth : shape (B, 1, h, w)
        Truth is the share of each cell that is the object.

    Returns
    -------
    loss : shape (B,)
    """
    wrong = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((1, 2, 3))
    p = logits.sigmoid()
    both, all_of_it = (p * truth).sum((1, 2, 3)), (p + truth).sum((1, 2, 3))
    return wrong + 1 - (2 * both + 1) / (all_of_it + 1)


def _boundary_loss(logits: Tensor, points: Sequence[BoundaryPoints]) -> Tensor:
    """Average the distance over objects that have a boundary; 0 where none has."""
    has = [i for i, p in enumerate(points) if len(p.points_xy)]
    if not has:
        return logits.new_zeros(())
    truth = BoundaryPoints.stack([points[i] for i in has]).to(logits.device)
    return boundary_distance(logits[has], truth).mean()


def _schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: a short warm-up, then half a cosine."""
    warm = min(1.0, (step + 1) / min(WARM_UP, max(1, steps // 4)))
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))
