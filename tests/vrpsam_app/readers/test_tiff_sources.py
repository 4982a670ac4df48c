"""How the planes of TIFF stacks are read: mapped, by page, by tile."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import ImageFileError, MissingExtraError
from vrpsam_app.image_files import read_image
from vrpsam_app.readers import tiff
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TZ = RNG.integers(0, 60_000, (3, 4, 24, 36)).astype(np.uint16)
RGB = RNG.integers(0, 256, (5, 24, 36, 3)).astype(np.uint8)


def test_pyramids_are_read_at_full_size(path, monkeypatch, everything):
    monkeypatch.setattr(tiff, "PLANE_VALUES", 1000)
    large = RNG.integers(0, 255, (2, 64, 96)).astype(np.uint8)
    with tifffile.TiffWriter(path, ome=True) as file:
        options = {"photometric": "minisblack", "tile": (16, 32), "compression": "zlib"}
        file.write(large, subifds=1, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5}, **options)
        file.write(large[:, ::2, ::2], subfiletype=1, **options)
    stack = open_stack(path)
    assert stack.data.shape == large.shape
    assert stack.pixel_size == PixelSize(0.5, 0.5)
    assert np.array_equal(everything(stack), large)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 32), "compression": "zlib", "photometric": "minisblack"},
        {"tile": (16, 32), "photometric": "miniswhite"},
        {"rowsperstrip": 8, "compression": "zlib", "photometric": "minisblack"},
        {"photometric": "minisblack"},
    ],
    ids=str,
)
def test_large_planes_are_read_in_parts(path, monkeypatch, options, everything):
    monkeypatch.setattr(tiff, "PLANE_VALUES", 1000)
    monkeypatch.setattr("vrpsam_app.stacks.lazy_planes.PLANE_VALUES", 2048)
    large = RNG.integers(0, 60_000, (2, 130, 96)).astype(np.uint16)
    tifffile.imwrite(path, large, metadata=None, **options)
    seen = ~large if options["photometric"] == "miniswhite" else large
    stack = open_stack(path)
    assert stack.data.chunksize[0] == 1
    assert np.prod(stack.data.chunksize) <= 2048
    assert np.array_equal(everything(stack), seen)
    assert np.array_equal(stack.data[1, 40:70, 20:60].compute(), seen[1, 40:70, 20:60])
    assert np.array_equal(stack.data[1, 70:40:-3, ::7].compute(), seen[1, 70:40:-3, ::7])


def test_large_colour_planes_with_opacity_and_turned(path, monkeypatch):
    monkeypatch.setattr(tiff, "PLANE_VALUES", 1000)
    rgba = RNG.integers(0, 255, (64, 96, 4)).astype(np.uint8)
    tifffile.imwrite(
        path,
        rgba,
        photometric="rgb",
        extrasamples=["unspecified"],
        tile=(16, 16),
        extratags=[(274, "H", 1, 6, True)],
    )
    assert np.array_equal(open_stack(path).plane(), read_image(path))
    assert open_stack(path).plane().shape == (96, 64, 3)


def test_large_palette_planes(path, monkeypatch):
    monkeypatch.setattr(tiff, "PLANE_VALUES", 100)
    image = Image.fromarray(RGB[0]).quantize(8)
    image.save(path)
    assert np.array_equal(open_stack(path).plane(), np.asarray(image.convert("RGB")))


def test_a_damaged_plane_is_named_when_it_is_read(path):
    tifffile.imwrite(path, TZ[0], photometric="minisblack", compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[2].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 200] = bytes(200)
    path.write_bytes(data)
    stack = open_stack(path)
    assert np.array_equal(stack.plane((1,)), TZ[0, 1])
    with pytest.raises(ImageFileError, match=r"a\.tif is damaged"):
        stack.plane((2,))


def test_nothing_is_read_at_opening(path, monkeypatch):
    tifffile.imwrite(path, TZ, imagej=True, metadata={"axes": "TZYX"})
    read = []
    original = tifffile.TiffPage.asarray
    monkeypatch.setattr(
        tifffile.TiffPage, "asarray", lambda *a, **k: read.append(a[0].index) or original(*a, **k)
    )
    stack = open_stack(path)
    assert read == []
    stack.plane((1, 2))
    assert read == [6]


@pytest.mark.parametrize("options", [{"imagej": True}, {}], ids=str)
def test_one_page_can_stand_for_all(path, options, everything):
    # As ImageJ writes stacks of more than 4 GB: one header, all planes behind each other.
    metadata = {"axes": "TZYX"}
    tifffile.imwrite(
        path, TZ, photometric="minisblack", metadata=metadata, truncate=True, **options
    )
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    stack = open_stack(path)
    assert stack.axes == ("t", "z")
    assert np.array_equal(everything(stack), TZ)
    path.write_bytes(path.read_bytes()[:-10_000])
    with pytest.raises(ImageFileError, match=r"a\.tif is truncated"):
        open_stack(path)


def test_a_stack_can_be_sent_to_another_process(path):
    tifffile.imwrite(path, TZ, imagej=True, metadata={"axes": "TZYX"})
    stack = open_stack(path)
    stack.plane((0, 0))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((2, 3)), TZ[2, 3])


def test_tiles_that_only_imagecodecs_reads_name_the_extra(path, monkeypatch):
    monkeypatch.setattr(tiff, "PLANE_VALUES", 100)
    monkeypatch.setattr(tiff, "needs_imagecodecs", lambda page: page.compression == 5)
    Image.fromarray(RGB[0]).save(path, compression="tiff_lzw")
    with pytest.raises(MissingExtraError, match=r'imagecodecs.*"vrpsam-app\[formats\]"'):
        open_stack(path)
