"""Teach a finished model where to cut its answers, by what each level would have given.

The model answers episodes as it is; the levels of each answer are described, and what each would
be worth is kept. The head is fitted on that within seconds: the order of an answer's pixels is
there, and only the level is left to choose. One head learns from references that mark an object,
the other from those that mark everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vrpsam_app.models.cut_head import CutHead
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.level_facts import level_values, with_own
from vrpsam_app.training.batch_source import stream_batches
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.finished_run import FinishedRun
from vrpsam_app.training.objective import references_of, truth_on

SIZES = ((192, 0.2), (256, 0.3), (384, 0.25), (512, 0.25))
"""Sides of views and their weights: an answer about a whole picture has other contours."""

HOPELESS = 0.1
"""An answer that no level brings to this IoU has nothing to teach."""

STEPS, BATCH, RATE = 1500, 256, 4e-3
STEPS_AGAIN, RATE_AGAIN = 300, 3e-4
"""Of a head that was fitted before: a few thousand examples teach it less than it knows."""

MORE_MASKS = 2.0
"""How much more often everything is marked, so that its head sees enough."""

LEAST_EXAMPLES = 10
"""With fewer a head is left as it is."""


@dataclass(frozen=True, eq=False)
class CutExamples:
    """Answers, and what each level makes of them.

    Attributes
    ----------
    facts : shape (N, LEVELS, FACTS) or (N, LEVELS, TOLD_FACTS)
        Of :func:`~vrpsam_app.models.level_facts.level_facts`, or of
        :func:`~vrpsam_app.models.level_facts.with_own`.
    values : shape (N, LEVELS)
        IoU at each level.
    worth : shape (N,)
    """

    facts: Tensor
    values: Tensor
    worth: Tensor

    def __len__(self) -> int:
        return len(self.worth)


def train_cut_heads(run: FinishedRun, *, episodes: int) -> None:
    """Fit the cut heads of a finished run, whose masks change no more; with 0 they are left."""
    model = run.model()
    if not episodes:
        return
    named = {"cut_head": model.cut_head, "told_cut_head": model.told_cut_head}
    heads = nn.ModuleDict(named).requires_grad_(False)

    def learn() -> dict[str, Tensor]:
        gestures = tuple(
            (name, weight * (MORE_MASKS if name == "mask" else 1))
            for name, weight in run.plan.mix.gestures
        )
        mix = dataclasses.replace(
            run.plan.mix, clicks=0.0, same_image=0.0, absent=0.0, gestures=gestures
        )
        stream = stream_batches(run.asking(mix, SIZES, 2), workers=run.workers)
        both = collect_examples(model, stream, episodes, report=run.report)
        for (name, head), examples in zip(named.items(), both, strict=True):
            if len(examples) < LEAST_EXAMPLES:
                continue
            before, after = fit_cut_head(head, examples)
            run.report(
                f"{name}: value {before:.3f} before, {after:.3f} after, on episodes left out"
            )
        return heads.state_dict()

    heads.load_state_dict(run.once("cut_heads.pt", episodes, learn))
    for name, head in named.items():
        run.adopt(name, head.state_dict())


@torch.no_grad()
def collect_examples(
    model: EmbeddedVRPSAM,
    batches: Iterable[EpisodeBatch],
    count: int,
    *,
    report: Callable[[str], None] = print,
) -> tuple[CutExamples, CutExamples]:
    """Let a model answer `count` episodes or more, uncut.

    Returns
    -------
    some, throughout : CutExamples
        Of references that mark an object, and of those that mark everything.
    """
    device = next(model.parameters()).device
    found: tuple[list[CutExamples], list[CutExamples]] = ([], [])
    said = done = 0
    for batch in batches:
        batch = batch.to(device)
        embedding = model.encode_images(batch.images.float() / 255)
        for episodes in batch.sets:
            references = references_of(model, embedding, episodes)
            fits = model.fit_together(references)
            target = embedding.take(episodes.target_index)
            logits = model.uncut(target, references, fits)
            facts = model.level_facts(logits, target)
            truth, known = truth_on(episodes, logits)
            values = level_values(logits, truth, known)
            # Of what fills a picture "everything" is a good answer, and it must not become a habit.
            worth = 1 - truth.mean((1, 2, 3))
            teaches = (values.amax(1) > HOPELESS) & (episodes.present > 0)
            throughout = fits.exhaustive > 0
            kinds = (
                (facts, teaches & ~throughout),
                (with_own(facts, fits.own), teaches & throughout),
            )
            for examples, (described, these) in zip(found, kinds, strict=True):
                parts = (described, values, worth)
                examples.append(CutExamples(*(v[these].float().cpu() for v in parts)))
        done += len(batch)
        if done // 500 > said:
            said = done // 500
            report(f"cut: {done} of {count} episodes answered")
        if done >= count:
            break
    some, throughout_ = (
        CutExamples(
            *(
                torch.cat([getattr(e, f.name) for e in kind])
                for f in dataclasses.fields(CutExamples)
            )
        )
        for kind in found
    )
    return some, throughout_


def fit_cut_head(
    head: CutHead, examples: CutExamples, *, steps: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Fit the head on nine tenths of the examples, and return what it gains on the others.

    One that was fitted before goes on from there in small steps.

    Returns
    -------
    before, after : float
        Mean value where answers are left as they are, and at the levels that the head chooses.
    """
    held = max(1, len(examples) // 10)
    learned = len(examples) - held
    facts, values, worth = examples.facts, examples.values, examples.worth
    device = head.levels.device
    again = bool(head.out.weight.any())
    usual, rate = (STEPS_AGAIN, RATE_AGAIN) if again else (STEPS, RATE)
    steps = usual if steps is None else steps
    if not again:
        flat = facts[:learned].flatten(0, 1)
        head.mean.copy_(flat.mean(0))
        head.deviation.copy_(flat.std(0).clamp_min(1e-3))
    chance = torch.Generator().manual_seed(seed)
    head.requires_grad_(True)
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    with torch.enable_grad():
        for _ in range(steps):
            some = torch.randint(0, learned, (BATCH,), generator=chance)
            value = value_at(head(facts[some].to(device)), values[some].to(device), head.levels)
            weight = worth[some].to(device)
            loss = -(value * weight).sum() / weight.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    head.requires_grad_(False)
    left = values[learned:].to(device)
    chosen = head(facts[learned:].to(device))
    before = value_at(torch.zeros_like(chosen), left, head.levels)
    return float(before.mean()), float(value_at(chosen, left, head.levels).mean())


def value_at(cut: Tensor, values: Tensor, levels: Tensor) -> Tensor:
    """Return the value of each cut (B,) by a straight line between the levels, (B,)."""
    step = levels[1] - levels[0]
    place = ((cut - levels[0]) / step).clamp(0, len(levels) - 1)
    low = place.detach().floor().long().clamp_max(len(levels) - 2)
    share = place - low
    first, second = (values.gather(1, (low + i)[:, None])[:, 0] for i in (0, 1))
    return first * (1 - share) + second * share
