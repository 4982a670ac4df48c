"""Make the README's picture from the README's own example: ``python docs/make_pictures.py``."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from vrpsam_app import Box, overlay
from vrpsam_app.overlays import draw_marks, side_by_side

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "overview.png"
ENLARGED = 2  # the coins are small


def run_example() -> dict[str, object]:
    """Execute the Python example of README.md in a temporary folder and return its names."""
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exec(compile(example, "README.md", "exec"), names)
    return names


def enlarged(image: np.ndarray) -> np.ndarray:
    """Return the image with its sides times `ENLARGED`."""
    height, width = image.shape[:2]
    size = (width * ENLARGED, height * ENLARGED)
    resample = Image.Resampling.NEAREST if image.dtype == bool else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize(size, resample))


def main() -> None:
    """Write the picture and say where."""
    names = run_example()
    reference, target, prediction = names["reference"], names["target"], names["prediction"]
    rows, columns = np.nonzero(reference.positive)
    box = Box(
        *(n * ENLARGED for n in (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    )
    sheet = side_by_side(
        [
            draw_marks(enlarged(reference.image), [box]),
            enlarged(target),
            overlay(enlarged(target), enlarged(prediction.mask)),
        ],
        gap=16,
        captions=["Mark one", "In another picture", "find its like"],
    )
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(PICTURE, optimize=True)
    size = os.path.getsize(PICTURE) // 1024
    print(f"{PICTURE.relative_to(ROOT)}: {sheet.shape[1]} x {sheet.shape[0]} pixels, {size} KiB")


if __name__ == "__main__":
    main()
