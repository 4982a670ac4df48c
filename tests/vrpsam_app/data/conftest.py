"""Tiny labelled folders, and label images as benchmarks store them."""

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


def _write_palette(path: Path, labels: NDArray) -> None:
    """Write labels as VOC and DAVIS do: indices into a palette, in which 1 is dark red."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [224, 224, 192] * 252)
    picture.save(path)


def _write_jpeg(path: Path, hw: tuple[int, int] = (40, 60), *, grey: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(hw if grey else (*hw, 3), 90, np.uint8)).save(path)


def _block(*edges: int, hw: tuple[int, int] = (40, 60), value: int = 1) -> NDArray:
    labels = np.zeros(hw, np.uint8)
    top, left, bottom, right = edges
    labels[top:bottom, left:right] = value
    return labels


@pytest.fixture
def write_palette() -> Callable[[Path, NDArray], None]:
    """Write a palette PNG."""
    return _write_palette


@pytest.fixture
def write_jpeg() -> Callable[..., None]:
    """Write a plain JPEG, in colour or grey."""
    return _write_jpeg


@pytest.fixture
def block() -> Callable[..., NDArray]:
    """Make a label image with one block: top, left, bottom, right."""
    return _block
