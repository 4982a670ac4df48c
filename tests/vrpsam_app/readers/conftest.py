"""Pixels that TIFF files are made of, and a stack read as one array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.stacks.stack import Stack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name of a TIFF file that is to be written."""
    return tmp_path / "a.tif"


@pytest.fixture
def everything() -> Callable[[Stack], np.ndarray]:
    """Read all planes of a stack into one array."""

    def read(stack: Stack) -> np.ndarray:
        planes = [stack.plane(index) for index in stack.indices()]
        return np.stack(planes).reshape(*stack.leading_shape, *planes[0].shape)

    return read
