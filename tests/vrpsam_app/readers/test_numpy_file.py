"""NumPy's own files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from vrpsam_app.errors import ImageFileError
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
ZYX = RNG.integers(0, 60_000, (4, 24, 36)).astype(np.uint16)


@pytest.mark.parametrize("array", [ZYX, ZYX.astype(">u2"), np.asfortranarray(ZYX), ZYX > 9])
def test_arrays_are_read_from_disk(tmp_path, array, everything):
    np.save(tmp_path / "a.npy", array)
    stack = open_stack(tmp_path / "a.npy")
    assert stack.axes == ("z",)
    assert not stack.color
    assert np.array_equal(everything(stack), array)
    assert stack.plane((0,)).dtype == array.dtype.newbyteorder("=")


def test_three_or_four_values_at_the_end_are_colours(tmp_path, everything):
    rgb = RNG.integers(0, 255, (2, 24, 36, 3)).astype(np.uint8)
    np.save(tmp_path / "a.npy", rgb)
    stack = open_stack(tmp_path / "a.npy")
    assert stack.color
    assert np.array_equal(everything(stack), rgb)
    np.save(tmp_path / "a.npy", rgb[0])
    assert open_stack(tmp_path / "a.npy").axes == ()
    first = np.moveaxis(rgb[0], -1, 0)
    np.save(tmp_path / "a.npy", first)
    assert np.array_equal(open_stack(tmp_path / "a.npy", axes="cyx").plane(), rgb[0])


def test_axes_are_named_as_imagej_takes_them(tmp_path):
    np.save(tmp_path / "a.npy", ZYX[None, None].repeat(2, 0).repeat(3, 1))
    assert open_stack(tmp_path / "a.npy").axes == ("i", "t", "z")


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trapped"), "w"))

    np.save(tmp_path / "a.npy", np.array([[Trap()]], object), allow_pickle=True)
    with pytest.raises(ImageFileError, match=r"a\.npy"):
        open_stack(tmp_path / "a.npy")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("array", [np.zeros(5), np.zeros((0, 4, 4)), np.zeros((4, 4), complex)])
def test_what_is_no_plane_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ImageFileError, match=r"a\.npy"):
        open_stack(tmp_path / "a.npy")


@pytest.mark.parametrize("share", [0.005, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path, share):
    path = tmp_path / "a.npy"
    np.save(path, ZYX)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=r"a\.npy"):
        open_stack(path)


def test_only_the_name_travels_to_another_process(tmp_path):
    np.save(tmp_path / "a.npy", np.repeat(ZYX, 10, axis=0))
    stack = open_stack(tmp_path / "a.npy")
    stack.plane((0,))
    sent = pickle.dumps(stack)
    assert len(sent) < ZYX.nbytes
    assert np.array_equal(pickle.loads(sent).plane((39,)), ZYX[3])
