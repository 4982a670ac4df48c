"""How often a stack's planes are encoded: each once, the reference once, nothing after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vrpsam_app.annotations import Box
from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.embeddings.store import DiskEmbeddingStore
from vrpsam_app.models.build import build_model
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs.run import segment_stack

SLICES = 64


@pytest.fixture
def counting() -> Any:
    """The embedded model, which counts; what it says of a picture is always the same."""
    torch.manual_seed(0)
    model = build_model(EMBEDDED_CONFIG).eval()
    encode, said = model.encode_images, []
    model.encoded = 0

    def counted(images: torch.Tensor) -> Any:
        model.encoded += len(images)
        if not said:
            said.append(encode(images))
        return said[0]

    model.encode_images = counted
    return model


def predictor(model: Any, folder: Path) -> VRPSAMPredictor:
    store = DiskEmbeddingStore(folder)
    return VRPSAMPredictor(model, device=torch.device("cpu"), sha256="ab" * 32, store=store)


@pytest.mark.slow
def test_sixty_four_slices_are_encoded_once_each(counting: Any, tmp_path: Path):
    stack = np.random.default_rng(0).integers(0, 255, (SLICES, 32, 32)).astype(np.uint8)
    marked = Reference.from_annotations(stack[3], [Box(4, 4, 20, 20)])
    segment_stack(predictor(counting, tmp_path / "store"), stack, marked, tmp_path / "a.zarr")
    assert counting.encoded == SLICES  # the reference shows one of the slices

    other = Reference.from_annotations(stack[9], [Box(8, 8, 20, 20)])
    segment_stack(predictor(counting, tmp_path / "store"), stack, other, tmp_path / "b.zarr")
    assert counting.encoded == SLICES

    segment_stack(
        predictor(counting, tmp_path / "store"), stack, other, tmp_path / "b.zarr", resume=True
    )
    assert counting.encoded == SLICES
