"""A scene of two kinds of blocks on noise, and a model small enough to be asked often."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.embedding_store import EmbeddingStore
from vrpsam_app.models.build import build_model
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference

SceneMaker = Callable[..., tuple[NDArray[np.uint8], NDArray[np.bool_]]]


@pytest.fixture(scope="session")
def scene() -> SceneMaker:
    """Draw a picture (H, W, 3) of light blocks and a dark one, and the mask of the light."""

    def draw(seed: int = 0, h: int = 60, w: int = 80):
        picture = np.random.default_rng(seed).integers(90, 120, (h, w, 3)).astype(np.uint8)
        light = np.zeros((h, w), bool)
        shift = seed % 3
        for top, left in ((8, 6), (30 + shift, 20), (12, 50 - shift)):
            light[top : top + 14, left : left + 16] = True
        picture[light] += 110
        picture[44:56, 56:72] -= 80
        return picture, light

    return draw


@pytest.fixture(scope="session")
def store() -> EmbeddingStore:
    """Give the store of `small_predictor`, which tests may empty."""
    return EmbeddingStore()


@pytest.fixture(scope="session")
def small_predictor(store: EmbeddingStore) -> VRPSAMPredictor:
    """Build the embedded model for pictures of 64 pixels, with seeded random weights."""
    sam = dataclasses.replace(EMBEDDED_CONFIG.sam, image_size=64)
    # Random weights judge presence at random: let everything be present.
    config = dataclasses.replace(EMBEDDED_CONFIG, sam=sam, presence_threshold=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_model(config).eval()
    return VRPSAMPredictor(model, device=torch.device("cpu"), store=store)


@pytest.fixture
def outlined(scene: SceneMaker) -> Reference:
    """Outline all light blocks of the first scene."""
    picture, light = scene()
    return Reference.from_mask(picture, light, exhaustive=True, label="light")
