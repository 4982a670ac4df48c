"""Tiny labelled folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Picture = tuple[NDArray, NDArray]


def _write_folder(root: Path, pictures: dict[str, Picture], **documents: Any) -> Path:
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for name, (image, mask) in pictures.items():
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    for name, content in documents.items():
        (root / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def _picture(shade: int = 100, hw: tuple[int, int] = (40, 60)) -> Picture:
    image = np.full((*hw, 3), shade, np.uint8)
    mask = np.zeros(hw, np.uint8)
    mask[5:15, 5:20], mask[20:32, 30:50] = 1, 2
    image[mask > 0] = 250
    return image, mask


@pytest.fixture
def write_folder() -> Callable[..., Path]:
    """Write pictures {name: (image, mask)}, and JSON files given as meta={...}, splits={...}."""
    return _write_folder


@pytest.fixture
def picture() -> Callable[..., Picture]:
    """Make a picture of one shade with two bright blocks, numbered 1 and 2 in its mask."""
    return _picture
