"""``vrpsam segment`` on movies and stacks, with and without a memory."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.movie_files import MovieFile, MovieWriter
from vrpsam_app.stacks.stack_files import open_stack

COUNT = 6
TO = ("--out", "results")
RED, GREY = (220, 30, 30), (120, 120, 120)


def frame(number: int) -> np.ndarray:
    """Two red squares; the left one walks down."""
    image = np.full((48, 64, 3), GREY, np.uint8)
    image[4 + 4 * number : 16 + 4 * number, 6:18] = RED
    image[30:42, 44:56] = RED
    return image


@pytest.fixture(autouse=True)
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with MovieWriter("clip.mp4", (48, 64), 12) as movie:
        for number in range(COUNT):
            movie.add(frame(number))


def labels(name: str = "clip_labels.ome.zarr") -> np.ndarray:
    stack = open_stack(Path("results") / name)
    return np.stack([stack.plane(i) for i in stack.indices()])


def walked(found: np.ndarray) -> list[int]:
    return [int(np.nonzero(plane[:, :30])[0].min()) for plane in found]


FIRST = ("--reference", "clip.mp4", "--slice", "0", "--box", "6,4,18,16")


def test_a_movie_frame_by_frame(vrpsam):
    outcome = vrpsam("segment", *FIRST, "--target", "clip.mp4", *TO)
    assert outcome.code == 0
    assert "in 6 of 6 planes" in outcome.out
    assert (labels()[:, 30:42, 44:56] > 0).mean() > 0.9  # its like as well


def test_a_movie_with_memory_follows_the_one_that_was_marked(vrpsam):
    outcome = vrpsam(
        "segment", *FIRST, "--target", "clip.mp4", *TO, "--memory", "--overlay", "--mask-frames"
    )
    assert outcome.code == 0
    found = labels()
    assert not found[:, :, 32:].any()
    assert walked(found) == [4, 8, 12, 16, 20, 24]
    names = sorted(path.name for path in Path("results").iterdir())
    assert names == [
        "clip_labels.ome.zarr", "clip_labels_planes.csv", "clip_labels_recipe.json",
        "clip_masks", "clip_overlay.mp4",
    ]  # fmt: skip
    page = (Path(__file__).parents[3] / "docs/video.md").read_text("utf-8")
    written = re.findall(r"`(clip_[^`]+)`", page)
    assert len(written) == len(names)
    assert all((Path("results") / file).exists() for file in written)
    with MovieFile("results/clip_overlay.mp4") as movie:
        assert len(movie) == COUNT
        assert movie.rate == 12
    with Image.open("results/clip_masks/00005.png") as mask:
        assert np.array_equal(np.asarray(mask), found[5])


def test_a_kind_with_memory(vrpsam):
    assert vrpsam(
        "segment", *FIRST, "--target", "clip.mp4", *TO, "--memory", "kind,size=2"
    ).code == 0  # fmt: skip
    assert (labels()[:, 30:42, 44:56] > 0).mean() > 0.9


def test_marked_in_the_middle(vrpsam):
    marked = ("--reference", "clip.mp4", "--slice", "t=3", "--box", "6,16,18,28")
    assert vrpsam("segment", *marked, "--target", "clip.mp4", *TO, "--memory").code == 0
    assert walked(labels()) == [4, 8, 12, 16, 20, 24]
    recipe = json.loads(Path("results/clip_labels_recipe.json").read_text())
    assert recipe["sections"]["stack"]["start"] == 3


def test_a_recipe_replays_the_memory(vrpsam):
    vrpsam("segment", *FIRST, "--target", "clip.mp4", *TO, "--memory")
    first = labels()
    outcome = vrpsam(
        "segment", "--recipe", "results/clip_labels_recipe.json", "--target", "clip.mp4",
        "--out", "again",
    )  # fmt: skip
    assert outcome.code == 0
    stack = open_stack("again/clip_labels.ome.zarr")
    assert np.array_equal(np.stack([stack.plane(i) for i in stack.indices()]), first)


def test_a_stack_over_depth(vrpsam):
    volume = np.stack([frame(number) for number in range(COUNT)])
    tifffile.imwrite("deep.tif", volume, photometric="rgb", metadata={"axes": "ZYXS"})
    marked = ("--reference", "deep.tif", "--slice", "z=0", "--box", "6,4,18,16")
    outcome = vrpsam("segment", *marked, "--target", "deep.tif", *TO, "--memory", "--overlay")
    assert outcome.code == 0
    assert walked(labels("deep_labels.tif")) == [4, 8, 12, 16, 20, 24]
    with MovieFile("results/deep_overlay.mp4") as movie:
        assert movie.rate == 10


def test_senseless_memories_are_refused(vrpsam):
    outcome = vrpsam("segment", *FIRST, "--target", "clip.mp4", *TO, "--memory", "other")
    assert outcome.code == 2
    assert "'other'" in outcome.err
    outcome = vrpsam("segment", *FIRST, "--target", "clip.mp4", *TO, "--memory", "--objects")
    assert outcome.code == 2
    assert "leave objects out" in outcome.err


def test_pictures_that_are_there_are_kept(vrpsam):
    vrpsam("segment", *FIRST, "--target", "clip.mp4", *TO, "--memory", "--overlay")
    Path("results/clip_labels.ome.zarr").rename("elsewhere")
    before = Path("results/clip_overlay.mp4").read_bytes()
    outcome = vrpsam("segment", *FIRST, "--target", "clip.mp4", *TO, "--memory", "--overlay")
    assert outcome.code == 1
    assert "clip_overlay.mp4 exists" in outcome.err
    assert Path("results/clip_overlay.mp4").read_bytes() == before
    assert not Path("results/clip_labels.ome.zarr").exists()


def test_without_the_extra_it_is_named(vrpsam, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    Image.fromarray(frame(0)).save("ref.png")
    outcome = vrpsam(
        "segment", "--reference", "ref.png", "--box", "6,4,18,16", "--target", "clip.mp4", *TO
    )
    assert outcome.code != 0
    assert "vrpsam-app[video]" in outcome.err
