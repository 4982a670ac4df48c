"""The embedded model at a size that learns within a test, and the state of its training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.training.checkpoints import load_state, save_state

SMALL = dataclasses.replace(
    EMBEDDED_CONFIG,
    sam=dataclasses.replace(EMBEDDED_CONFIG.sam, width=8, prompt_dim=32, depth=1, image_size=64),
    vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, hidden_dim=32, num_queries=4),
)


def read_elsewhere(path: Path) -> None:
    """Make a saved average one that no weights can be joined with where it is read.

    Its type stands for a device other than the model's, which not every computer has.
    """
    state = load_state(path)
    assert state is not None
    doubled = {name: value.double() for name, value in state["average"].items()}
    save_state(path, {**state, "average": doubled})
