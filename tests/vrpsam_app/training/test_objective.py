"""What is minimised: each switch switches, and what nobody knows changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.objective import PUBLISHED, LossWeights, evaluate_batch, on_grid
from vrpsam_app.training.pair_batches import PairPlan

Build = Callable[..., PaperVRPSAM]
Plans = Callable[..., PairPlan]


@pytest.fixture
def embedded() -> EmbeddedVRPSAM:
    torch.manual_seed(0)
    config = dataclasses.replace(
        EMBEDDED_CONFIG,
        sam=dataclasses.replace(
            EMBEDDED_CONFIG.sam, width=8, prompt_dim=32, depth=1, image_size=64
        ),
        vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, hidden_dim=32, num_queries=4),
    )
    return EmbeddedVRPSAM(config).eval()


def flipped(batch: EpisodeBatch) -> EpisodeBatch:
    """Say the contrary of every pixel that nobody knows."""
    (episodes,) = batch.sets
    truth = torch.where(episodes.known > 0, episodes.truth, 1 - episodes.truth)
    return dataclasses.replace(batch, sets=(dataclasses.replace(episodes, truth=truth),))


@pytest.mark.parametrize("recipe", ["embedded", "published"])
def test_undecided_pixels_change_nothing(
    recipe: str, embedded: EmbeddedVRPSAM, paper_model: Build, pair_plan: Plans, blocks: type
) -> None:
    model = embedded if recipe == "embedded" else paper_model().eval()
    weights = LossWeights() if recipe == "embedded" else PUBLISHED
    batch = pair_plan(blocks(border=True)).batch(0)
    told, other = (evaluate_batch(model, b, weights) for b in (batch, flipped(batch)))
    torch.testing.assert_close(told.loss, other.loss, rtol=0, atol=0)
    assert told.figures == other.figures
    everything = dataclasses.replace(batch.sets[0], known=None)
    counted = evaluate_batch(model, dataclasses.replace(batch, sets=(everything,)), weights)
    assert not torch.equal(counted.loss, told.loss)


def test_an_all_known_map_is_no_map(embedded: EmbeddedVRPSAM, pair_plan: Plans) -> None:
    batch = pair_plan().batch(0)
    known = torch.ones_like(batch.sets[0].truth)
    mapped = dataclasses.replace(batch, sets=(dataclasses.replace(batch.sets[0], known=known),))
    torch.testing.assert_close(
        evaluate_batch(embedded, batch).loss, evaluate_batch(embedded, mapped).loss
    )


def test_each_loss_is_one_half_of_the_published(paper_model: Build, pair_plan: Plans) -> None:
    model, batch = paper_model().eval(), pair_plan().batch(0)
    bce, dice, both = (
        evaluate_batch(model, batch, PUBLISHED.of(name)).loss for name in ("bce", "dice", "both")
    )
    torch.testing.assert_close(bce + dice, both)
    assert not torch.equal(bce, dice)
    assert (torch.stack([bce, dice]) > 0).all()


def test_switches_reach_the_gradient(paper_model: Build, pair_plan: Plans) -> None:
    model, batch = paper_model().eval(), pair_plan().batch(0)
    gradients = {}
    for name in ("bce", "dice"):
        model.zero_grad()
        evaluate_batch(model, batch, PUBLISHED.of(name)).loss.backward()
        gradients[name] = model.vrp_encoder.feature_augmenter.merge[0].weight.grad.clone()
    assert not torch.allclose(gradients["bce"], gradients["dice"])


def test_published_loss_is_that_of_logits_at_the_pictures_size(
    paper_model: Build, pair_plan: Plans
) -> None:
    model, batch = paper_model().eval(), pair_plan(size=1).batch(0)
    (episodes,) = batch.sets
    embedding = model.encode_images(batch.images.float() / 255)
    reference = model.encode_reference(
        embedding.take(episodes.reference_index[:, 0]), episodes.marks[:, 0], episodes.is_box[:, 0]
    )
    logits = model.decode(embedding.take(episodes.target_index), [reference]).mask_logits
    full = torch.nn.functional.interpolate(logits, (64, 64), mode="bilinear", align_corners=True)
    probability, truth = full.sigmoid(), episodes.truth
    bce = torch.nn.functional.binary_cross_entropy(probability, truth)
    dice = 1 - (2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)
    torch.testing.assert_close(evaluate_batch(model, batch, PUBLISHED).loss, bce + dice)


def test_a_cells_truth_is_that_of_its_known_part() -> None:
    truth, known = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    truth[..., 0, 0] = 1
    known[..., 0, 1] = known[..., 1, :2] = 0
    known[..., 2:, 2:] = 0
    pooled, share = on_grid(truth, known, torch.zeros(1, 1, 2, 2))
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(share[0, 0], torch.tensor([[0.25, 1.0], [1.0, 0.0]]))
