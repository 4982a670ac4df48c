"""Tiny data sets to draw episodes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.folder_dataset import FolderDataset

HW = (60, 90)


def write(root: Path, pictures: dict[str, dict[int, tuple[int, ...]]], **documents: Any) -> Path:
    """Write pictures {name: {value of the mask: (top, left, bottom, right)}} as a folder."""
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for shade, (name, blocks) in enumerate(pictures.items()):
        mask = np.zeros(HW, np.uint8)
        for value, (top, left, bottom, right) in blocks.items():
            mask[top:bottom, left:right] = value
        image = np.where(mask > 0, 200 + mask, shade).astype(np.uint8)
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    for name, content in documents.items():
        (root / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return root


@pytest.fixture
def pets_folder(tmp_path) -> Path:
    """Write eight pictures with two dogs, four of them with a cat too, in two modalities."""
    dogs = {1: (5, 5, 25, 25), 2: (30, 5, 50, 25)}
    pictures = {f"p{i}": {**dogs, 3: (5, 50, 40, 80)} if i < 4 else dogs for i in range(8)}
    per_image = {
        name: {
            "objects": {str(v): "cat" if v == 3 else "dog" for v in blocks},
            "modality": "night" if name in ("p3", "p6", "p7") else "day",
        }
        for name, blocks in pictures.items()
    }
    meta = {"kind": "instance", "classes": {"dog": 1, "cat": 1}}
    return write(tmp_path / "pets", pictures, meta=meta, per_image=per_image)


@pytest.fixture
def pets(pets_folder) -> FolderDataset:
    """Open the pets."""
    return FolderDataset.open(pets_folder)


@pytest.fixture
def tiles(tmp_path) -> FolderDataset:
    """Open two fields of view, of three tiles each, one class without objects."""
    names = [f"{field}_t{number}" for field in ("a", "b") for number in range(3)]
    meta = {"kind": "semantic", "classes": {"1": "membrane"}}
    parts = {1: (5, 5, 25, 85)}
    return FolderDataset.open(write(tmp_path / "tiles", dict.fromkeys(names, parts), meta=meta))


@pytest.fixture
def particles(tmp_path) -> FolderDataset:
    """Open three pictures of particles; those of the last lie in one corner."""
    rows = {
        10 * k + n: (10 * n, 12 * k, 10 * n + 8, 12 * k + 8) for n in range(1, 6) for k in range(7)
    }
    corner = {1: (0, 0, 20, 20)}
    pictures = {"one": rows, "two": rows, "corner": corner}
    return FolderDataset.open(write(tmp_path / "particles", pictures))
