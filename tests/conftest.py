"""Fixtures for all tests: a tiny SAM, and the rule that fills weights by their keys."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch

    from vrpsam_app.models.frozen_sam import FrozenSAM

# Set before anything imports torch, gradio or huggingface_hub: no network, two threads.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MKL_NUM_THREADS", "2")
# Idle threads sleep and do not spin: on cores shared with other work the tests are then far faster.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

GOLDEN_FOLDER = Path(__file__).parent / "golden"


def _value_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw the tensor that the rule in ``tests/golden/README.md`` gives for a key."""
    draw = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    n = draw.astype(np.float32)
    if key.endswith("running_var"):
        return np.exp(np.float32(0.1) * n)
    if len(shape) >= 2:
        return n * np.float32(np.sqrt(2 / prod(shape[1:])))
    return np.float32(0.1) * n + np.float32(key.endswith("weight"))


@pytest.fixture(scope="session")
def fill_by_key() -> Callable[..., None]:
    """Fill every parameter and buffer of a module; ``rename`` gives the key that seeds it."""

    def fill(module: torch.nn.Module, rename: Callable[[str], str] = str) -> None:
        import torch

        state = module.state_dict()
        for key, tensor in state.items():
            if tensor.is_floating_point():
                state[key] = torch.from_numpy(_value_of(rename(key), tuple(tensor.shape)))
            else:
                state[key] = torch.zeros_like(tensor)
        module.load_state_dict(state)

    return fill


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Folder of the published code's outputs."""
    return GOLDEN_FOLDER


@pytest.fixture
def tiny_sam(fill_by_key: Callable[..., None]) -> FrozenSAM:
    """A SAM of 128 pixels and 32 channels, no tensor of which is zero."""
    from vrpsam_app.config import SAM_TINY
    from vrpsam_app.models.frozen_sam import FrozenSAM

    sam = FrozenSAM(SAM_TINY)
    fill_by_key(sam)
    return sam
