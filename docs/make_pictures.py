"""Make the pictures of the documents: ``python docs/make_pictures.py``."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from vrpsam_app import Box, Reference, VRPSAMPredictor, overlay
from vrpsam_app.data.photo_episodes import coins, look_alikes, stains
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.images import to_rgb
from vrpsam_app.overlays import draw_marks, side_by_side

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images"
ENLARGED = 2  # the coins are small
MARK = (255, 120, 40)
EPISODES = {
    "a coin, boxed": coins("box"),
    "a coin, clicked": coins("point"),
    "the ground, stroked": coins("background"),
    "gravel, boxed": look_alikes("gravel"),
    "brick, boxed": look_alikes("brick"),
    "brown stain": stains("brown"),
    "blue stain": stains("blue"),
}


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


def overview() -> Path:
    """Draw the README's example: the marked reference, the target, what was found."""
    names = run_example()
    reference, target, prediction = names["reference"], names["target"], names["prediction"]
    rows, columns = np.nonzero(reference.positive)
    box = Box(
        *(n * ENLARGED for n in (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    )
    return save(
        "overview.png",
        side_by_side(
            [
                draw_marks(enlarged(reference.image), [box], color=MARK),
                enlarged(target),
                overlay(enlarged(target), enlarged(prediction.mask)),
            ],
            gap=16,
            captions=["Mark one", "In another picture", "find its like"],
        ),
    )


def photographs() -> Path:
    """Draw what the embedded model finds in scikit-image's photographs, and print its IoUs."""
    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
    rows = []
    print("| asked for | IoU | with the look-alike | expected by the model |\n|---|---|---|---|")
    for name, episode in EPISODES.items():
        shown = Reference.from_annotations(episode.reference, list(episode.marks))
        found = predictor.predict(episode.target, shown)
        truth, other = iou(found.mask, episode.truth), iou(found.mask, episode.other)
        print(f"| {name} | {truth:.2f} | {other:.2f} | {found.score:.2f} |")
        marked = draw_marks(to_rgb(episode.reference), episode.marks, color=MARK)
        answer = overlay(to_rgb(episode.target), found.mask)
        captions = [name, "in", f"found, IoU {truth:.2f}"]
        panels = [square(p) for p in (marked, to_rgb(episode.target), answer)]
        rows.append(side_by_side(panels, gap=8, captions=captions))
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    columns = [np.concatenate(part) for part in (rows[:half], rows[half:])]
    return save("photographs.png", np.concatenate(columns, axis=1))


def square(image: np.ndarray, side: int = 256) -> np.ndarray:
    """Fit a picture into a white square."""
    sheet = Image.new("RGB", (side, side), "white")
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    sheet.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return np.asarray(sheet)


def save(name: str, sheet: np.ndarray) -> Path:
    """Write a picture of 256 colours: a tenth of the bytes, and none is missed."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).quantize(256).save(path, optimize=True)
    return path


def main() -> None:
    """Write all pictures and say where."""
    for path in (overview(), photographs()):
        print(f"{path.relative_to(ROOT)}, {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
