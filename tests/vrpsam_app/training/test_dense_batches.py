"""Every pixel is named by what its labels call it, and nothing is said of what they do not know."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from vrpsam_app.data.synthetic_scenes import ALL_WORLDS, generate_group
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.dense_batches import DensePlan, named_shares
from vrpsam_app.training.dense_kinds import DenseKinds

SOURCES = [SyntheticGroups()]
KINDS = DenseKinds.of(SOURCES)


def test_kinds_are_worlds_and_names() -> None:
    assert {world for world, _ in KINDS.numbers} == set(ALL_WORLDS)
    assert ("vessels", "vessel") in KINDS.numbers
    assert ("shapes", "object") in KINDS.numbers
    assert not any(name[-1].isdigit() for _, name in KINDS.numbers)
    assert sorted(KINDS.numbers.values()) == list(range(len(KINDS)))


def test_shares_are_those_of_the_labels() -> None:
    group = generate_group(3, size=64, images=2, worlds=["axons"])
    shares, known, taught = named_shares([group], KINDS)
    assert shares.shape == (2, len(KINDS), 32, 32)
    inside = shares[:, KINDS.numbers["axons", "inside"]].numpy()
    number = group.class_names.index("inside") + 1
    cells = (group.classes == number).reshape(2, 32, 2, 32, 2).mean((2, 4))
    np.testing.assert_allclose(inside, cells, atol=1e-6)
    assert cells.max() == 1
    assert set(taught[0].nonzero()[:, 0].tolist()) == set(KINDS.of_world("axons"))
    assert bool((known == 1).all())


def test_unknown_pixels_are_not_known() -> None:
    group = generate_group(3, size=64, images=1, worlds=["axons"])
    ignored = np.zeros((1, 64, 64), np.int16)
    ignored[:, :32] = -1
    _, known, _ = named_shares([dataclasses.replace(group, ignored=ignored)], KINDS)
    assert bool((known[:, :, :16] == 0).all())
    assert bool((known[:, :, 16:] == 1).all())


def test_numbered_classes_are_objects_of_their_world() -> None:
    group = generate_group(5, size=64, images=1, worlds=["shapes"])
    assert len(group.class_names) > 1
    shares, _, _ = named_shares([group], KINDS)
    objects = shares[:, KINDS.numbers["shapes", "object"]]
    whole = torch.from_numpy((group.classes > 0).reshape(1, 32, 2, 32, 2).mean((2, 4))).float()
    torch.testing.assert_close(objects, whole)


def test_batches_depend_on_seed_and_step_alone() -> None:
    plan = DensePlan.like(BatchPlan(sources=[(SOURCES[0], 1.0)]), KINDS)
    again = next(stream_batches(plan, 2, workers=0))
    first, other = plan.batch(2), plan.batch(3)
    assert torch.equal(first.episodes.images, again.episodes.images)
    assert torch.equal(first.shares, again.shares)
    assert first.episodes.images.shape != other.episodes.images.shape or not torch.equal(
        first.episodes.images, other.episodes.images
    )
    assert len(first.shares) == len(first.taught) == len(first.episodes.images)
    assert all(episodes.shots == 1 for episodes in first.episodes.sets)
