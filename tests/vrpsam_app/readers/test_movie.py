from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.errors import ImageFileError
from vrpsam_app.movie_files import MovieWriter
from vrpsam_app.readers.movie import open_movie
from vrpsam_app.stacks.stack_files import open_stack


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with MovieWriter(path, (32, 48), 5) as movie:
        for number in range(8):
            movie.add(np.full((32, 48, 3), 20 + 25 * number, np.uint8))
    return path


def test_frames_are_planes_of_the_axis_t(clip: Path):
    image = open_movie(clip, max_pixels=10_000)
    assert image.axes == ("t", "y", "x", "s")
    assert image.data.shape == (8, 32, 48, 3)
    assert image.data.chunksize == (1, 32, 48, 3)


def test_parts_and_steps(clip: Path):
    data = open_movie(clip, max_pixels=10_000).data
    found = data[1:7:2, 4:8, ::16, 0].compute(scheduler="synchronous")
    assert found.shape == (3, 4, 3)
    assert np.abs(found[:, 0, 0].astype(int) - [45, 95, 145]).max() <= 3


def test_another_process_opens_it_itself(clip: Path):
    stack = open_stack(clip)
    stack.plane((3,))
    again = pickle.loads(pickle.dumps(stack.data))
    assert np.array_equal(again[3].compute(scheduler="synchronous"), stack.plane((3,)))


def test_an_extension_says_nothing(clip: Path):
    renamed = clip.rename(clip.with_suffix(".dat"))
    assert open_stack(renamed).leading_shape == (8,)


def test_frames_that_are_too_large(clip: Path):
    with pytest.raises(ImageFileError, match="at most 100"):
        open_movie(clip, max_pixels=100)
