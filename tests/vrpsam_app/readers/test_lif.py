"""LIF files, written here after Leica's description of the format: no library writes them."""

from __future__ import annotations

import pickle
import struct
import sys

import numpy as np
import pytest

from vrpsam_app.errors import ImageFileError, MissingExtraError
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TZCYX = RNG.integers(0, 60_000, (2, 3, 2, 24, 36)).astype(np.uint16)
# Numbers of Leica's dimensions, and the distance of pixels along them.
DIMENSIONS = {
    "T": (4, 5.0, "s"),
    "Z": (3, 2e-6, "m"),
    "Y": (2, 0.65e-6, "m"),
    "X": (1, 0.5e-6, "m"),
}


def element(name, array, axes, block):
    """Describe an image of a LIF file."""
    strides = dict(zip(axes, array.strides, strict=True))
    sizes = dict(zip(axes, array.shape, strict=True))
    bits = array.dtype.itemsize * 8
    channels = [("S", 3)] if "S" in axes else [("C", sizes.get("C", 1))]
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="{c + 1 if axis == "S" else 0}" '
        f'Resolution="{bits}" NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="Gray" '
        f'IsLUTInverted="0" BytesInc="{c * strides.get(axis, 0)}" BitInc="0"/>'
        for axis, count in channels
        for c in range(count)
    )
    dimensions = "".join(
        f'<DimensionDescription DimID="{DIMENSIONS[axis][0]}" NumberOfElements="{sizes[axis]}" '
        f'Origin="0" Length="{DIMENSIONS[axis][1] * (sizes[axis] - 1)}" '
        f'Unit="{DIMENSIONS[axis][2]}" BytesInc="{strides[axis]}" BitInc="0"/>'
        for axis in reversed(axes)
        if axis in DIMENSIONS
    )
    return (
        f'<Element Name="{name}"><Data><Image><ImageDescription>'
        f"<Channels>{described}</Channels><Dimensions>{dimensions}</Dimensions>"
        f'</ImageDescription></Image></Data><Memory Size="{array.nbytes}" '
        f'MemoryBlockID="{block}"/></Element>'
    )


def write(path, images):
    """Write a LIF file of arrays with their axes by name."""
    elements = "".join(
        element(name, array, axes, f"MemBlock_{i}")
        for i, (name, (array, axes)) in enumerate(images.items())
    )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="a.lif"><Memory Size="0" '
        f'MemoryBlockID="MemBlock_x"/><Children>{elements}</Children></Element>'
        "</LMSDataContainerHeader>"
    )
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", 0x70, 2 * len(xml) + 5, 0x2A, len(xml)))
        file.write(xml.encode("utf-16-le"))
        for i, (array, _) in enumerate(images.values()):
            block = f"MemBlock_{i}"
            size = 2 * len(block) + 14
            file.write(struct.pack("<IIBQBI", 0x70, size, 0x2A, array.nbytes, 0x2A, len(block)))
            file.write(block.encode("utf-16-le") + array.tobytes())
    return path


def test_planes_axes_channels_and_size(tmp_path, everything):
    stack = open_stack(write(tmp_path / "a.lif", {"one": (TZCYX, "TZCYX")}), channels=[1])
    assert stack.axes == ("t", "z")
    assert stack.dtype == np.uint16
    assert stack.pixel_size == PixelSize(0.65, 0.5, 2.0, "um")
    assert np.array_equal(everything(stack), TZCYX[:, :, 1])


def test_colours(tmp_path, everything):
    rgb = RNG.integers(0, 255, (4, 24, 36, 3)).astype(np.uint8)
    stack = open_stack(write(tmp_path / "a.lif", {"one": (rgb, "ZYXS")}))
    assert stack.color
    assert np.array_equal(everything(stack), rgb)


def test_several_images_are_chosen_from(tmp_path, everything):
    images = {"Series 1": (TZCYX[0, 0, 0], "YX"), "Series 2": (TZCYX[0, :, 0].copy(), "ZYX")}
    path = write(tmp_path / "a.lif", images)
    with pytest.raises(ImageFileError, match="0 'Series 1', 1 'Series 2'"):
        open_stack(path)
    assert np.array_equal(open_stack(path, scene="Series 1").plane(), TZCYX[0, 0, 0])
    stack = open_stack(path, scene=1)
    assert stack.name == "a.lif: Series 2"
    assert np.array_equal(everything(stack), TZCYX[0, :, 0])


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path, share, everything):
    path = write(tmp_path / "a.lif", {"one": (TZCYX, "TZCYX")})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=r"a\.lif"):
        everything(open_stack(path, channels=[0]))


def test_a_file_can_be_sent_to_another_process(tmp_path):
    stack = open_stack(write(tmp_path / "a.lif", {"one": (TZCYX, "TZCYX")}), channels=[0])
    stack.plane((0, 0))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((1, 2)), TZCYX[1, 2, 0])


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = write(tmp_path / "a.lif", {"one": (TZCYX, "TZCYX")})
    monkeypatch.setitem(sys.modules, "liffile", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[formats\]"'):
        open_stack(path)
