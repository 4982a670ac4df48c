"""Targets with equal cells, and methods that find them by their brightness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from vrpsam_app.annotations import Box
from vrpsam_app.images import to_rgb
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


def scene(*corners: tuple[int, int]) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 400, (40, 50)).astype(np.uint16)
    for row, col in corners:
        values[row : row + 8, col : col + 8] = 3000
    return values


def cell_reference() -> Reference:
    return Reference.from_annotations(scene((3, 4)), [Box(3, 4, 11, 12)], label="cell")


def write_targets(folder: Path) -> list[Path]:
    """Write a picture, a stack and a broken picture."""
    folder.mkdir()
    Image.fromarray(scene((3, 4), (20, 30))).save(folder / "a.png")
    stack = np.stack([scene((3, 4)), scene((3, 4), (20, 30))])
    tifffile.imwrite(folder / "s.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    (folder / "broken.tif").write_bytes(b"II*\0nothing")
    return [folder / "a.png", folder / "s.tif", folder / "broken.tif"]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


class Echo(ReferenceSegmenter):
    """Finds everything bright, and what is marked on the target."""

    def describe(self) -> dict[str, object]:
        return {"method": "echo", "model": "echo", "sha256": "0" * 64}

    def _predict_one(self, target, references, label, corrections, intensity_range, threshold):
        probability = np.where(np.asarray(target) > 1000, 0.7, 0.1).astype(np.float32)
        for marks in [] if corrections is None else corrections.as_references(target, label):
            probability[marks.positive], probability[marks.negative] = 0.9, 0.0
        return Prediction(
            probability > threshold, probability, 0.5, 1.0, True, probability, label, {}
        )


class Bright(Echo):
    """Finds what is bright as it is shown."""

    def _predict_one(self, target, references, label, corrections, intensity_range, threshold):
        shown = to_rgb(target, intensity_range).max(axis=2) / 255
        probability = shown.astype(np.float32)
        mask = probability > threshold
        return Prediction(mask, probability, 0.5, 1.0, True, probability, label, {})
