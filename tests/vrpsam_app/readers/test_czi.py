"""CZI files as Zeiss' own library writes them."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from pylibCZIrw import czi

from vrpsam_app.errors import ImageFileError, MissingExtraError
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TZC = RNG.integers(0, 60_000, (2, 3, 4, 24, 36)).astype(np.uint16)


def write(path, array=TZC, **options):
    with czi.create_czi(str(path), **options) as file:
        for t, z, c in np.ndindex(array.shape[:3]):
            file.write(data=array[t, z, c][..., None], plane={"T": t, "Z": z, "C": c})
        file.write_metadata(
            document_name="a",
            channel_names={c: f"dye {c}" for c in range(array.shape[2])},
            scale_x=0.5e-6,
            scale_y=0.65e-6,
            scale_z=2e-6,
        )
    return path


@pytest.mark.parametrize("compression", [None, "zstd1:ExplicitLevel=2"])
def test_planes_axes_channels_and_size(tmp_path, compression, everything):
    options = {} if compression is None else {"compression_options": compression}
    stack = open_stack(write(tmp_path / "a.czi", **options), channels=["dye 2"])
    assert stack.axes == ("t", "z")
    assert stack.dtype == np.uint16
    assert stack.pixel_size == PixelSize(0.65, 0.5, 2.0, "um")
    assert np.array_equal(everything(stack), TZC[:, :, 2])


def test_colours(tmp_path):
    bgr = RNG.integers(0, 255, (24, 36, 3)).astype(np.uint8)
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        file.write(data=bgr)
    stack = open_stack(tmp_path / "a.czi")
    assert stack.axes == ()
    assert stack.pixel_size is None
    assert np.array_equal(stack.plane(), bgr[..., ::-1])


def test_scenes_are_chosen_and_mosaics_put_together(tmp_path):
    path = tmp_path / "a.czi"
    left, right = TZC[0, 0, 0], TZC[0, 0, 1]
    with czi.create_czi(str(path)) as file:
        file.write(data=left[..., None], scene=0, location=(0, 0))
        file.write(data=right[..., None], scene=0, location=(36, 0))
        file.write(data=TZC[0, 1, 0][..., None], scene=1, location=(500, 90))
    with pytest.raises(ImageFileError, match="holds 2 images: 0 'scene 0', 1 'scene 1'"):
        open_stack(path)
    mosaic = open_stack(path, scene=0)
    assert np.array_equal(mosaic.plane(), np.hstack([left, right]))
    assert np.array_equal(mosaic.data[5:9, 30:50].compute(), np.hstack([left, right])[5:9, 30:50])
    assert np.array_equal(open_stack(path, scene="scene 1").plane(), TZC[0, 1, 0])


def test_large_planes_are_read_in_parts(tmp_path, monkeypatch, everything):
    monkeypatch.setattr("vrpsam_app.stacks.lazy_planes.PLANE_VALUES", 200)
    stack = open_stack(write(tmp_path / "a.czi"), channels=[0])
    assert stack.data.chunksize == (1, 1, 5, 36)
    assert np.array_equal(everything(stack), TZC[:, :, 0])


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_truncated_files_are_refused(tmp_path, share, everything):
    path = write(tmp_path / "a.czi")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=r"a\.czi"):
        everything(open_stack(path, channels=[0]))


def test_a_file_can_be_sent_to_another_process(tmp_path):
    stack = open_stack(write(tmp_path / "a.czi"), channels=[0])
    stack.plane((0, 0))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((1, 2)), TZC[1, 2, 0])


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = write(tmp_path / "a.czi")
    monkeypatch.setitem(sys.modules, "pylibCZIrw", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[formats\]"'):
        open_stack(path)
