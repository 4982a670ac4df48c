"""Frozen parts are asked once for each picture; learned weights are not kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.training.frozen_features import FrozenFeatures
from vrpsam_app.training.objective import PUBLISHED, evaluate_batch
from vrpsam_app.training.pair_batches import PairPlan

Build = Callable[..., PaperVRPSAM]
Plans = Callable[..., PairPlan]


@pytest.mark.parametrize(("parts", "kinds"), [("sam", 1), ("all", 2)])
def test_each_picture_is_encoded_once(
    paper_model: Build, pair_plan: Plans, parts: str, kinds: int
) -> None:
    store = EmbeddingStore(1 << 28)
    features = FrozenFeatures(paper_model(), store, parts=parts)
    plan = pair_plan()
    seen = set()
    for number in range(6):
        batch = plan.batch(number)
        features(batch)
        seen |= set(batch.keys)
        assert store.computed == kinds * len(seen)
    assert len(seen) == 6


def test_what_is_kept_outlives_the_process(
    paper_model: Build, pair_plan: Plans, tmp_path: Path
) -> None:
    batch = pair_plan().batch(0)
    first = FrozenFeatures(paper_model(), DiskEmbeddingStore(tmp_path))(batch)
    again = DiskEmbeddingStore(tmp_path)
    second = FrozenFeatures(paper_model(), again)(batch)
    assert (again.computed, again.read) == (0, len(batch.images))
    assert torch.equal(first.sam, second.sam)


def test_changed_pictures_pass_the_store_by(paper_model: Build, pair_plan: Plans) -> None:
    store = EmbeddingStore(1 << 28)
    batch = dataclasses.replace(pair_plan().batch(0), keys=None)
    FrozenFeatures(paper_model(), store, parts="all")(batch)
    assert (store.computed, len(store)) == (0, 0)


def test_stored_values_are_those_of_the_model(paper_model: Build, pair_plan: Plans) -> None:
    model = paper_model(dropout=0.0)
    batch = pair_plan().batch(0)
    with torch.inference_mode():  # as in a validation
        stored = FrozenFeatures(model, EmbeddingStore(1 << 28), parts="all")(batch)
        plain = FrozenFeatures(model, None)(batch)
        own = model.encode_images(batch.images.float() / 255)
    for name in ("sam", "middle", "state", "high", "reduced"):
        torch.testing.assert_close(getattr(plain, name), getattr(own, name))
        torch.testing.assert_close(getattr(stored, name), getattr(own, name), rtol=2e-3, atol=2e-3)


def test_what_was_kept_in_a_validation_can_be_learned_from(
    paper_model: Build, pair_plan: Plans
) -> None:
    model = paper_model()
    features = FrozenFeatures(model, EmbeddingStore(1 << 28), parts="all")
    batch = pair_plan().batch(0)
    with torch.inference_mode():
        features(batch)
    features(batch).reduced.sum().backward()
    assert model.vrp_encoder.feature_augmenter.reduce[0].weight.grad is not None


def test_half_precision_goes_through_the_store(paper_model: Build, pair_plan: Plans) -> None:
    model = paper_model(dropout=0.0).eval()
    batch = pair_plan().batch(0)
    store = EmbeddingStore(1 << 28)
    features = FrozenFeatures(model, store, parts="all", precision="bf16")
    with torch.autocast("cpu", torch.bfloat16):
        loss = evaluate_batch(model, batch, PUBLISHED, features).loss
    loss.backward()
    exact = evaluate_batch(model, batch, PUBLISHED).loss
    torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.05)
    assert len(store) == 2 * len(batch.images)
