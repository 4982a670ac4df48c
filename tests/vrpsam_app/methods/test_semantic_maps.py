from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from vrpsam_app.config import SAM_TINY, VRPEncoderConfig, paper_config
from vrpsam_app.methods.semantic_maps import BackboneMaps, ModelMaps, SAMMaps, SemanticMap
from vrpsam_app.models.build import build_model
from vrpsam_app.models.semantic_encoder import build_semantic_encoder
from vrpsam_app.predictor import VRPSAMPredictor

CPU = torch.device("cpu")


def test_a_sams_map_ends_with_the_picture(region_sam, scene):
    picture, light = scene(h=58)
    found = SAMMaps(region_sam).encode(picture)
    assert found.cells_hw == (24, 32)
    assert found.extent == (371 / 16, 32)
    assert found.rows.shape == (24 * 32, 32)
    coverage = found.coverage(light)
    torch.testing.assert_close(
        coverage, region_sam.encode(picture).grid.coverage(light), atol=0.08, rtol=0
    )
    back = found.to_picture(coverage[None, None], (58, 80))[0, 0].numpy()
    assert ((back > 0.5) == light).mean() > 0.95


def test_the_middle_of_a_cell():
    filled = SemanticMap(torch.zeros(1, 3, 6, 8), (6.0, 8.0), (60, 80))
    assert filled.cell_xy(0, 7).tolist() == [75, 5]
    beyond = SemanticMap(torch.zeros(1, 3, 6, 8), (5.1, 8.0), (51, 80))
    assert beyond.cell_xy(5, 0).tolist() == [5, 50.5]


def test_a_filled_grid_has_exact_shares():
    filled = SemanticMap(torch.zeros(1, 3, 6, 8), (6.0, 8.0), (60, 80))
    mask = np.zeros((60, 80), bool)
    mask[:5, :10] = True
    assert filled.coverage(mask)[0, 0] == 0.5
    assert filled.coverage(mask).sum() == 0.5


def test_the_features_of_a_model_are_its_own(small_predictor, scene):
    small_predictor.store.clear()
    picture, _ = scene()
    maps = ModelMaps(small_predictor)
    computed = small_predictor.store.computed
    found = maps.encode(picture)
    small_predictor.prepare(picture)
    assert small_predictor.store.computed == computed + 1
    embedding = small_predictor.embed(picture)
    torch.testing.assert_close(found.features, embedding.semantic.float(), atol=0, rtol=0)
    assert found.extent == found.cells_hw
    assert maps.sha256 == small_predictor.describe()["sha256"]


def test_those_of_a_published_model_are_high_ones(fill_by_key: Callable[..., None], scene):
    config = paper_config("small_resnet", SAM_TINY)
    encoder = dataclasses.replace(config.vrp_encoder, image_size=64, hidden_dim=32, num_queries=4)
    model = build_model(dataclasses.replace(config, vrp_encoder=encoder))
    fill_by_key(model)
    predictor = VRPSAMPredictor(model.eval(), device=CPU)
    found = ModelMaps(predictor).encode(scene()[0])
    assert found.features.shape == (1, 128, 8, 8)


@pytest.fixture
def backbone(fill_by_key: Callable[..., None]) -> BackboneMaps:
    encoder = build_semantic_encoder(VRPEncoderConfig(semantic_encoder="small_resnet"))
    fill_by_key(encoder)
    return BackboneMaps(encoder, "small_resnet", device=CPU)


def test_a_backbone_sees_the_picture_at_its_proportions_once(backbone, scene):
    picture, _ = scene(h=40)
    found = backbone.encode(picture)
    assert found.cells_hw == (35, 70)  # 280 x 560 at stride 8
    assert found.features.dtype == torch.float32
    backbone.encode(picture.copy())
    assert backbone.store.computed == 1
