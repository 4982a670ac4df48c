"""TIFF stacks as their own library, tifffile, writes them."""

from __future__ import annotations

import pickle
import re
from dataclasses import astuple

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import ImageError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TZ = RNG.integers(0, 60_000, (3, 4, 24, 36)).astype(np.uint16)
RGB = RNG.integers(0, 256, (5, 24, 36, 3)).astype(np.uint8)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_imagej_hyperstacks(path, byteorder, dtype, everything):
    array = TZ[:, :, None].astype(dtype)
    metadata = {"axes": "TZCYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(
        path,
        array,
        imagej=True,
        byteorder=byteorder,
        resolution=(1 / 0.65, 1 / 0.5),
        metadata=metadata,
    )
    stack = open_stack(path)
    assert stack.axes == ("t", "z")
    assert astuple(stack.pixel_size) == (0.5, pytest.approx(0.65), 2.0, "um")
    assert stack.dtype == dtype
    assert np.array_equal(everything(stack), array[:, :, 0])
    assert stack.data.chunksize == (1, 1, 24, 36)


def test_imagej_channels_are_composed_chosen_and_refused(path):
    array = RNG.integers(0, 60_000, (4, 5, 24, 36)).astype(np.uint16)
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(ImageError, match=r"has 5 channels: 0, 1, 2, 3, 4\. Choose one"):
        open_stack(path)
    assert np.array_equal(open_stack(path, channels=[3]).plane((1,)), array[1, 3])
    two = open_stack(path, channels=[4, 0])
    assert two.color
    assert np.array_equal(two.plane((2,)), np.stack([array[2, c] for c in (4, 0, 4)], -1))
    three = open_stack(path, channels=[2, 1, 0])
    assert np.array_equal(three.plane((2,)), np.stack([array[2, c] for c in (2, 1, 0)], -1))


@pytest.mark.parametrize(
    ("size", "unit", "expected"), [(0.65, "µm", 0.65), (650, "nm", 650), (0.01, "mm", 0.01)]
)
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}], ids=str)
def test_ome_tiff(path, size, unit, expected, options, everything):
    metadata = {
        "axes": "TCZYX",
        "PhysicalSizeX": size,
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": size * 2,
        "PhysicalSizeYUnit": unit,
        "PhysicalSizeZ": 2000 * (1e-3 if unit == "µm" else 1e-6 if unit == "mm" else 1),
        "PhysicalSizeZUnit": unit,
        "Channel": {"Name": ["DAPI"]},
    }
    tifffile.imwrite(path, TZ[:, None], ome=True, metadata=metadata, **options)
    stack = open_stack(path)
    assert stack.axes == ("t", "z")
    sizes = (expected * 2, expected, pytest.approx(metadata["PhysicalSizeZ"]))
    assert astuple(stack.pixel_size) == (*sizes, "um" if unit == "µm" else unit)
    assert stack.pixel_size.to("um").plane == pytest.approx(2)
    assert np.array_equal(everything(stack), TZ)


def test_ome_channels_are_chosen_by_name(path, everything):
    array = RNG.integers(0, 255, (4, 2, 24, 36)).astype(np.uint8)
    names = {"Name": ["DAPI", "GFP", "RFP", "Cy5"]}
    tifffile.imwrite(path, array, ome=True, metadata={"axes": "CZYX", "Channel": names})
    with pytest.raises(ImageError, match=r"0 'DAPI', 1 'GFP', 2 'RFP', 3 'Cy5'"):
        open_stack(path)
    assert np.array_equal(everything(open_stack(path, channels=["gfp"])), array[1])
    with pytest.raises(ImageError, match="no channel 'YFP'"):
        open_stack(path, channels=["YFP"])


def write_ome_set(folder, names, declare=None):
    """Write an OME-TIFF of one file per time, each holding the same OME-XML."""
    declare = declare or names
    data = "".join(
        f'<TiffData FirstT="{t}" FirstC="0" FirstZ="0" IFD="0" PlaneCount="4">'
        f'<UUID FileName="{name}">urn:uuid:{t:08d}-0000-0000-0000-000000000000</UUID></TiffData>'
        for t, name in enumerate(declare)
    )
    for t, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{t:08d}-0000-0000-0000-000000000000">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            f'SizeX="36" SizeY="24" SizeC="1" SizeZ="4" SizeT="{len(declare)}" '
            'PhysicalSizeX="0.2" PhysicalSizeY="0.2" PhysicalSizeZ="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / name, TZ[t], photometric="minisblack", description=xml, metadata=None
        )


def test_ome_tiff_in_several_files(tmp_path, everything):
    names = ["t0.ome.tif", "t1.ome.tif", "t2.ome.tif"]
    write_ome_set(tmp_path, names)
    for name in names:
        stack = open_stack(tmp_path / name)
        assert stack.axes == ("t", "z")
        assert stack.pixel_size == PixelSize(0.2, 0.2, 1.0)
        assert np.array_equal(everything(stack), TZ)


def test_a_missing_file_of_a_set_is_named(tmp_path):
    names = ["t0.ome.tif", "t1.ome.tif", "t2.ome.tif"]
    write_ome_set(tmp_path, names)
    (tmp_path / names[1]).unlink()
    with pytest.raises(ImageFileError, match=r"t1\.ome\.tif is not beside it"):
        open_stack(tmp_path / names[0])


@pytest.mark.parametrize("name", ["../secret.tif", "/etc/secret.tif", "C:\\\\secret.tif"])
def test_no_file_elsewhere_is_opened(tmp_path, name):
    write_ome_set(tmp_path, ["t0.ome.tif"], ["t0.ome.tif", name])
    with pytest.raises(ImageFileError, match="expected files in the same folder"):
        open_stack(tmp_path / "t0.ome.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_stacks_in_either_planar_configuration(path, planar, everything):
    array = RGB if planar == "contig" else np.moveaxis(RGB, -1, 1)
    tifffile.imwrite(path, array, photometric="rgb", planarconfig=planar)
    stack = open_stack(path)
    assert stack.color
    assert stack.axes == ("z",)
    assert np.array_equal(everything(stack), RGB)
    assert np.array_equal(open_stack(path, channels=[1]).plane((2,)), RGB[2, ..., 1])


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
def test_plain_pages_of_other_programs(path, compression, everything):
    smooth = np.repeat(np.repeat(RGB[:, ::8, ::8], 8, axis=1), 8, axis=2)
    pages = [Image.fromarray(page) for page in smooth]
    pages[0].save(path, save_all=True, append_images=pages[1:], compression=compression)
    stack = open_stack(path)
    assert stack.axes == ("z",)
    assert stack.color
    assert np.allclose(everything(stack), smooth, atol=8 if compression == "jpeg" else 0)


def test_pages_without_names_are_named_by_the_caller(path):
    tifffile.imwrite(path, TZ.reshape(12, 24, 36), photometric="minisblack", metadata=None)
    assert open_stack(path).axes == ("z",)
    assert open_stack(path, axes="tyx").axes == ("t",)
    with pytest.raises(ImageError, match=r"Axes 'tzyx' .*expected 3 names, such as 'zyx'"):
        open_stack(path, axes="tzyx")
    tifffile.imwrite(path, TZ, photometric="minisblack", metadata={"axes": "QQYX"})
    assert open_stack(path).axes == ("t", "z")


def test_label_stacks_keep_their_numbers(path, everything):
    labels = RNG.integers(0, 2**31 - 1, (3, 24, 36)).astype(np.int32)
    tifffile.imwrite(path, labels, photometric="minisblack", compression="zlib")
    stack = open_stack(path)
    assert stack.dtype == np.int32
    assert np.array_equal(everything(stack), labels)


def test_a_palette_of_imagej_tints_a_stack(path, everything):
    labels = RNG.integers(0, 255, (3, 24, 36)).astype(np.uint8)
    tifffile.imwrite(
        path,
        labels,
        imagej=True,
        photometric="palette",
        colormap=RNG.integers(0, 65535, (3, 256)).astype(np.uint16),
        metadata={"axes": "ZYX"},
    )
    stack = open_stack(path)
    assert not stack.color
    assert np.array_equal(everything(stack), labels)


def test_a_single_picture_is_what_read_image_gives(path):
    for array, options in (
        (TZ[0, 0], {"imagej": True}),
        (RGB[0], {"photometric": "rgb"}),
        (TZ[0, 0], {"photometric": "miniswhite", "extratags": [(274, "H", 1, 6, True)]}),
        (RGB[0, ..., 0] > 99, {}),
    ):
        tifffile.imwrite(path, array, **options)
        stack = open_stack(path)
        assert stack.axes == ()
        assert np.array_equal(stack.plane(), read_image(path))


def test_several_images_are_chosen_from(path, everything):
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(TZ[0], metadata={"axes": "ZYX", "Name": "left"}, photometric="minisblack")
        file.write(TZ[0, :, :20], metadata={"axes": "ZYX", "Name": "right", "PhysicalSizeX": 3.0})
    with pytest.raises(ImageFileError, match=r"holds 2 images: 0 'left', 1 'right'\. Choose one"):
        open_stack(path)
    for scene in (1, "right"):
        stack = open_stack(path, scene=scene)
        assert stack.name == "a.tif: right"
        assert stack.pixel_size == PixelSize(3, 3)
        assert np.array_equal(everything(stack), TZ[0, :, :20])
    with pytest.raises(ImageFileError, match="has no image 2"):
        open_stack(path, scene=2)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}, {}, {"metadata": None}])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.995])
def test_truncated_stacks_are_refused(path, options, compression, share, everything):
    if compression and "imagej" in options:
        compression = None  # ImageJ has no other
    tifffile.imwrite(path, TZ[0], photometric="minisblack", compression=compression, **options)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=re.escape(str(path))):
        everything(open_stack(path))


def test_header_sizes_are_checked_before_decoding(path):
    tifffile.imwrite(path, TZ[0], photometric="minisblack", compression="zlib")
    with pytest.raises(ImageFileError, match="24 x 36 pixels: at most 800"):
        open_stack(path, max_pixels=800)


def test_a_file_without_its_description_names_the_one_that_has_it(path):
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:1"/></OME>'
    )
    tifffile.imwrite(path, TZ[0], photometric="minisblack", description=xml, metadata=None)
    with pytest.raises(ImageFileError, match=r"set\.companion\.ome describes: open that file"):
        open_stack(path)


@pytest.mark.parametrize("options", [{"imagej": True}, {"compression": "zlib"}, {"ome": True}])
def test_a_folder_of_stacks_is_a_stack_of_stacks(tmp_path, options, everything):
    for t in range(3):
        size = {"unit": "um", "spacing": 2.0} if "imagej" in options else {}
        tifffile.imwrite(
            tmp_path / f"time{t + 8}.tif",
            TZ[t],
            photometric="minisblack",
            metadata={"axes": "ZYX", **size},
            resolution=(2, 2),
            **options,
        )
    stack = open_stack(tmp_path)
    assert stack.axes == ("t", "z")
    assert stack.pixel_size == (PixelSize(0.5, 0.5, 2.0) if "imagej" in options else None)
    assert np.array_equal(everything(stack), TZ)
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((2, 1)), TZ[2, 1])
    odd = tmp_path / "time11.tif"
    tifffile.imwrite(odd, TZ[0, :2], photometric="minisblack")
    with pytest.raises(
        ImageFileError, match=r"time11\.tif has shape \(2, 24, 36\).*time8\.tif has"
    ):
        open_stack(tmp_path)
    tifffile.imwrite(odd, TZ[0], photometric="minisblack")
    odd.write_bytes(odd.read_bytes()[:5000])
    with pytest.raises(ImageFileError, match=r"time11\.tif is truncated"):
        open_stack(tmp_path)
