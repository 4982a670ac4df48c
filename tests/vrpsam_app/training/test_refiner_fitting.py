"""What the refiner learns from: answers of the finished model, kept until it has learned."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from tests.vrpsam_app.training.finished import assert_kept, changed_parts, finished, weights
from tests.vrpsam_app.training.small_model import SMALL
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.mask_refiner import ANSWERS, MaskRefiner
from vrpsam_app.training import refiner_fitting
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups
from vrpsam_app.training.checkpoints import load_state, save_state
from vrpsam_app.training.episode_sampler import EpisodeMix
from vrpsam_app.training.refiner_fitting import (
    answers_to,
    fit_refiner,
    keep_answers,
    train_refiner,
)

PLAN = BatchPlan(
    sources=[(SyntheticGroups(), 1.0)],
    groups=2,
    images=2,
    sizes=((64, 1.0),),
    mix=EpisodeMix(episodes=4),
)


@pytest.fixture(autouse=True)
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refiner_fitting, "SIZES", ((64, 1.0),))


def test_it_changes_the_refiner_and_nothing_else(tmp_path: Path) -> None:
    run = finished(tmp_path, PLAN)
    before = weights(run)
    train_refiner(run, episodes=12)
    assert changed_parts(before, run) == {"refiner"}
    assert not (tmp_path / "answers").exists()


def test_taken_up_again_it_keeps_what_was_fitted(tmp_path: Path) -> None:
    assert_kept(tmp_path, PLAN, partial(train_refiner, episodes=12))


def test_answers_that_were_kept_are_not_asked_for_again(tmp_path: Path) -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    whole = keep_answers(model, PLAN, tmp_path / "whole", 120)
    assert len(whole) > 1
    stopped = tmp_path / "stopped"
    first = keep_answers(model, PLAN, stopped, 1)
    assert len(first) == 1
    written = first[0].stat().st_mtime_ns
    files = keep_answers(model, PLAN, stopped, 120)
    assert [f.name for f in files] == [f.name for f in whole]
    assert first[0].stat().st_mtime_ns == written
    for one, other in zip(files, whole, strict=True):
        mine, theirs = load_state(one), load_state(other)
        assert mine is not None
        assert theirs is not None
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_what_is_not_there_teaches_nothing() -> None:
    model = EmbeddedVRPSAM(SMALL).eval()
    batch = BatchPlan(
        sources=PLAN.sources, groups=2, sizes=PLAN.sizes, mix=EpisodeMix(foreign=0.5)
    ).batch(0)
    kept = answers_to(model, batch)
    assert 0 < len(kept) < len(batch)
    assert kept.truth.amax((1, 2, 3)).min() > 0


def write_specks(folder: Path, count: int) -> list[Path]:
    """Write answers about discs, with specks beside them that are wrong."""
    chance = torch.Generator().manual_seed(0)
    row, col = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    for number in range(count):
        middle = 8 + 16 * torch.rand(6, 2, 1, 1, generator=chance)
        truth = ((row - middle[:, 0]) ** 2 + (col - middle[:, 1]) ** 2 < 36)[:, None].float()
        specks = torch.rand(truth.shape, generator=chance) < 0.15
        logits = 4 * truth - 2 + 4 * specks * (1 - truth)
        answers = logits.expand(-1, ANSWERS, -1, -1)
        alike = torch.full((6, 3, 32, 32), 0.5), torch.zeros(6, 4, 32, 32), torch.zeros(6)
        save_state(
            folder / f"{number:06d}.pt",
            {
                "logits": logits.half(),
                "seen": MaskRefiner().describe(answers, *alike).half(),
                "truth": truth.half(),
                "known": torch.ones_like(truth).half(),
            },
        )
    return sorted(folder.glob("*.pt"))


def test_it_learns_to_leave_out_specks(tmp_path: Path) -> None:
    files = write_specks(tmp_path, 48)
    torch.manual_seed(0)
    refiner = MaskRefiner()
    before, after = fit_refiner(refiner, files, passes=3)
    assert after < 0.5 * before
    assert not any(p.requires_grad for p in refiner.parameters())


def test_what_is_left_out_is_not_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = write_specks(tmp_path, 3)
    read: list[Path] = []

    def noted(file: Path, device: torch.device) -> refiner_fitting.Answered:
        read.append(file)
        return read_as_ever(file, device)

    read_as_ever = refiner_fitting._read
    monkeypatch.setattr(refiner_fitting, "_read", noted)
    fit_refiner(MaskRefiner(), [first, *others], passes=2)
    assert (read[0], read[-1], len(read)) == (first, first, 6)
    assert set(read[1:-1]) == set(others)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_it_learns_at_the_precision_that_was_asked(
    tmp_path: Path, precision: str, dtype: str
) -> None:
    refiner = MaskRefiner()
    found: set[torch.dtype] = set()
    refiner.out.register_forward_hook(lambda part, given, result: found.add(result.dtype))
    fit_refiner(refiner, write_specks(tmp_path, 2), passes=1, precision=precision)
    assert found == {getattr(torch, dtype)}


def test_answers_of_other_weights_are_not_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    whole = finished(tmp_path / "whole", PLAN)
    moved = "decoder_scale"
    whole.weights[moved] = whole.weights[moved] + 1
    train_refiner(whole, episodes=12)
    run = finished(tmp_path / "stopped", PLAN)
    with monkeypatch.context() as patched:
        patched.setattr(refiner_fitting, "fit_refiner", killed)
        with pytest.raises(KeyboardInterrupt):
            train_refiner(run, episodes=12)
    run.weights[moved] = run.weights[moved] + 1
    train_refiner(run, episodes=12)
    for name, value in whole.weights.items():
        assert torch.equal(value, run.weights[name]), name
