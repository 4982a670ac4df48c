"""Pairs of whole pictures: always the same ones, marked in the way that was asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from vrpsam_app.training.batch_source import stream_batches
from vrpsam_app.training.pair_batches import PairPlan

Plans = Callable[..., PairPlan]


def test_batches_depend_on_seed_and_number_alone(pair_plan: Plans) -> None:
    one, other = pair_plan(), pair_plan()
    other.batch(9)  # what was asked before does not matter
    for number in range(4):
        a, b = one.batch(number), other.batch(number)
        assert torch.equal(a.images, b.images)
        assert a.keys == b.keys
        assert torch.equal(a.sets[0].marks, b.sets[0].marks)
    assert not torch.equal(one.batch(1).sets[0].marks, pair_plan(seed=5).batch(1).sets[0].marks)
    streamed = stream_batches(other, 2, workers=0)
    assert torch.equal(next(streamed).images, one.batch(2).images)


def test_half_batches_hold_what_whole_ones_hold(pair_plan: Plans) -> None:
    whole = pair_plan(size=4, marks="scribble").batch(3).sets[0]
    halves = [pair_plan(size=2, marks="scribble").batch(k).sets[0] for k in (6, 7)]
    assert torch.equal(whole.marks, torch.cat([h.marks for h in halves]))
    assert torch.equal(whole.truth, torch.cat([h.truth for h in halves]))


def test_reference_and_target_are_two_pictures_of_one_class(pair_plan: Plans, blocks: type) -> None:
    batch, classes = pair_plan(size=12).classified(0)
    (episodes,) = batch.sets
    assert set(classes) == {"bright", "dark"}
    assert (episodes.reference_index[:, 0] != episodes.target_index).all()
    assert episodes.present.all()
    assert episodes.points_xy.shape == (12, 0, 2)
    assert len(batch.keys) == len(set(batch.keys)) == len(batch.images) <= len(blocks())
    for k, name in enumerate(classes):
        marked = batch.images[episodes.reference_index[k, 0]][:, episodes.marks[k, 0, 0] > 0]
        assert (float(marked.float().mean()) > 115) == (name == "bright")


@pytest.mark.parametrize("marks", ["mask", "box", "scribble", "point"])
def test_each_kind_of_marks(pair_plan: Plans, marks: str) -> None:
    (episodes,) = pair_plan(size=6, marks=marks).batch(0).sets
    positive, certain, _ = episodes.marks[:, 0].unbind(1)
    assert (positive.sum((1, 2)) > 0).all()
    assert bool(episodes.is_box.all()) == (marks == "box")
    # Only a whole mask says what the object is not.
    assert bool(certain.any()) == (marks == "mask")


def test_a_mix_holds_every_kind(pair_plan: Plans) -> None:
    (mixed,) = pair_plan(size=40, marks="mix").batch(0).sets
    exhaustive = mixed.marks[:, 0, 1].flatten(1).any(1)
    few = mixed.marks[:, 0, 0].sum((1, 2)) <= 20
    assert 0 < int(mixed.is_box.sum()) < 40
    assert 0 < int(exhaustive.sum()) < 40
    assert 0 < int(few.sum()) < 40


def test_undecided_pixels_are_neither_object_nor_background(pair_plan: Plans, blocks: type) -> None:
    (episodes,) = pair_plan(blocks(border=True), size=8).batch(0).sets
    assert episodes.known is not None
    unknown = episodes.known == 0
    assert unknown.any()
    assert not episodes.truth[unknown].any()
    positive, certain, _ = episodes.marks[:, 0].unbind(1)
    # The reference's frame is left out of both.
    assert ((positive + certain).flatten(1).mean(1) < 1).any()
    assert pair_plan().batch(0).sets[0].known is None


def test_weights_say_how_often_a_source_is_drawn(pair_plan: Plans, blocks: type) -> None:
    first, second = (pair_plan(blocks(name=name)).sources[0][0] for name in ("a", "b"))
    plan = PairPlan(sources=((first, 3.0), (second, 1.0)), size=1)
    drawn = [plan._source(k) for k in range(400)]
    assert np.mean(drawn) == pytest.approx(0.25, abs=0.06)
