"""Teach a finished model to correct its own answers.

The model answers episodes as it is; what the refiner would look at is kept in the run's folder, a
file for each batch, and the refiner passes over the files a few times, turned and mirrored. It
follows Dice more than cross-entropy, and sees no target without the object: both would teach it
that little is safe where the answer is unsure, while what counts is overlap.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.embeddings import PromptTensors, TensorRecord
from vrpsam_app.models.mask_refiner import MaskRefiner
from vrpsam_app.training.batch_source import BatchPlan, stream_batches
from vrpsam_app.training.checkpoints import MovingAverage, load_state, save_state
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.finished_run import FinishedRun
from vrpsam_app.training.losses import mask_loss
from vrpsam_app.training.objective import references_of, truth_on

SIZES = ((192, 0.25), (256, 0.4), (384, 0.22), (512, 0.13))
"""Sides of views and their weights: an answer about a whole picture has other faults."""

BCE = 0.15
"""Weight of cross-entropy beside Dice."""

CROWDED = 0.5
"""Power of the share that is not the object, as an episode's weight.

Where it fills most of a picture, finding everything is a good answer, and it must not become a
habit.
"""

PASSES = 2.0
RATE = 2e-3
CLIPPED = 1.0
DECAY = 0.998
LEFT_OUT = 24
"""One file in so many is not learned from."""

CELLS = 12 * 128 * 128
"""Cells of the answers' grid in a step at the most; the others wait for the next pass."""


@dataclass(frozen=True, eq=False)
class Answered(TensorRecord):
    """What the refiner looks at, and what would be right, N episodes of one size.

    Attributes
    ----------
    logits : shape (N, 1, h, w)
    seen : shape (N, INPUTS, h, w)
    truth, known : shape (N, 1, h, w)
    """

    logits: Tensor
    seen: Tensor
    truth: Tensor
    known: Tensor

    def __len__(self) -> int:
        return len(self.truth)


def train_refiner(run: FinishedRun, *, episodes: int) -> None:
    """Fit the refiner of a finished run, whose cuts change no more; with 0 it is left.

    Answers lie in the run's folder meanwhile, about a megabyte each.
    """
    model = run.model()
    if not episodes:
        return
    answers = run.folder / "answers"

    def learn() -> dict[str, Tensor]:
        mix = dataclasses.replace(run.plan.mix, same_image=0.0, absent=0.0)
        files = keep_answers(
            model,
            run.asking(mix, SIZES, 3),
            answers / run.fingerprint()[:12],  # none that the model gave with other weights
            episodes,
            workers=run.workers,
            report=run.report,
        )
        before, after = fit_refiner(
            model.refiner, files, seed=run.plan.seed, precision=run.precision
        )
        run.report(f"refiner: loss {before:.3f} before, {after:.3f} after, on episodes left out")
        return model.refiner.state_dict()

    run.adopt("refiner", run.once("refiner.pt", episodes, learn))
    shutil.rmtree(answers, ignore_errors=True)


def keep_answers(
    model: EmbeddedVRPSAM,
    plan: BatchPlan,
    folder: Path,
    count: int,
    *,
    workers: int = 0,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Let a model answer `count` episodes or more, and write down what its refiner needs.

    Answers that lie there already are not asked for again.

    Returns
    -------
    files : list of Path
        One for each batch that asked for an object.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = said = batches = 0
    while (kept := load_state(folder / f"{batches:06d}.pt")) is not None:
        done, batches = done + len(kept["truth"]), batches + 1
    for number, batch in enumerate(stream_batches(plan, batches, workers=workers), batches):
        if done >= count:
            break
        answered = answers_to(model, batch)
        save_state(folder / f"{number:06d}.pt", {n: getattr(answered, n) for n in _names()})
        done += len(answered)
        if done // 500 > said:
            said = done // 500
            report(f"refiner: {done} of {count} episodes answered")
    return sorted(folder.glob("*.pt"))


@torch.no_grad()
def answers_to(model: EmbeddedVRPSAM, batch: EpisodeBatch) -> Answered:
    """Answer a batch without the refiner, and keep what asks for an object that is there."""
    batch = batch.to(next(model.parameters()).device)
    embedding = model.encode_images(batch.images.float() / 255)
    parts = []
    for episodes in batch.sets:
        prompts = None
        if episodes.points_xy.shape[1]:
            prompts = PromptTensors(
                points_xy=episodes.points_xy, point_labels=episodes.point_labels
            )
        target = embedding.take(episodes.target_index)
        references = references_of(model, embedding, episodes)
        logits, seen = model.unrefined(target, references, prompts)
        truth, known = truth_on(episodes, logits)
        known = torch.ones_like(truth) if known is None else known
        teaches = (episodes.present > 0).nonzero()[:, 0]
        parts.append(Answered(logits, seen, truth, known).take(teaches))
    return parts[0].joined_with(parts[1:]).stored()


def fit_refiner(
    refiner: MaskRefiner,
    files: Sequence[Path],
    *,
    passes: float = PASSES,
    seed: int = 0,
    precision: str = "fp32",
) -> tuple[float, float]:
    """Fit the refiner on answers that were kept, one file in twenty-four left out.

    Returns
    -------
    before, after : float
        Loss on those left out, unrefined and refined.
    """
    held = list(files[:: len(files) if len(files) < LEFT_OUT else LEFT_OUT])
    learned = [file for file in files if file not in set(held)] or held
    device = next(refiner.parameters()).device
    chance = torch.Generator().manual_seed(seed)
    steps = math.ceil(passes * len(learned))
    refiner.requires_grad_(True)
    optimizer = torch.optim.AdamW(refiner.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    average = MovingAverage(refiner, DECAY)
    before = _loss_on(held, None, device, precision)
    order: list[int] = []
    for step in range(steps):
        order = order or torch.randperm(len(learned), generator=chance).tolist()
        answered = _turned(_drawn(_read(learned[order.pop()], device), chance), chance)
        if len(answered):
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = _loss(refiner, answered, precision)
                loss.backward()
            nn.utils.clip_grad_norm_(refiner.parameters(), CLIPPED)
            optimizer.step()
        schedule.step()
        average.update(refiner, step)
    refiner.load_state_dict(average.weights)
    refiner.requires_grad_(False)
    return before, _loss_on(held, refiner, device, precision)


def _loss(refiner: MaskRefiner | None, answered: Answered, precision: str) -> Tensor:
    logits = answered.logits
    if refiner is not None:
        with torch.autocast(logits.device.type, torch.bfloat16, enabled=precision == "bf16"):
            more = refiner(answered.seen)
        logits = logits + more.float()
    worth = (1 - answered.truth.mean((1, 2, 3))) ** CROWDED
    return (mask_loss(logits, answered.truth, known=answered.known, bce_weight=BCE) * worth).mean()


@torch.no_grad()
def _loss_on(
    files: Sequence[Path], refiner: MaskRefiner | None, device: torch.device, precision: str
) -> float:
    read = (_read(file, device) for file in files)
    losses = [float(_loss(refiner, answered, precision)) for answered in read if len(answered)]
    return sum(losses) / max(1, len(losses))


def _read(file: Path, device: torch.device) -> Answered:
    state = load_state(file)
    if state is None:
        raise FileNotFoundError(f"{file} is gone: start the stage again.")
    return Answered(**state).to(device, torch.float32)


def _drawn(answered: Answered, chance: torch.Generator) -> Answered:
    """Draw as many episodes as a step takes."""
    cells = answered.truth.shape[-1] * answered.truth.shape[-2]
    some = torch.randperm(len(answered), generator=chance)[: max(1, CELLS // cells)]
    return answered.take(some.to(answered.truth.device))


def _turned(answered: Answered, chance: torch.Generator) -> Answered:
    """Turn and mirror everything alike, at random."""
    quarters, mirrored = torch.randint(0, 4, (2,), generator=chance).tolist()

    def turn(maps: Tensor) -> Tensor:
        maps = maps.rot90(quarters, (2, 3))
        return maps.flip(3) if mirrored % 2 else maps

    return Answered(*(turn(getattr(answered, name)) for name in _names()))


def _names() -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(Answered))
