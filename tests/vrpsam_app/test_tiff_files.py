import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from vrpsam_app import tiff_files
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import read_image, read_mask
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 36, 3)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (24, 36)).astype(np.uint16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tif"


def set_tags(path, values):
    """Overwrite the values of tags, which all fit in their entries."""
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for code, value in values.items():
            tag = file.pages[0].tags[code]
            struct.pack_into("<I" if tag.dtype == 4 else "<H", data, tag.valueoffset, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "array",
    [DEEP, DEEP / np.float32(7), DEEP.astype(np.int32) - 9, RGB, RGB.astype(np.uint16), DEEP[:1]],
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"ome": True},
    ],
    ids=str,
)
def test_numbers_are_kept(path, array, options):
    tifffile.imwrite(path, array, **options)
    read = read_image(path)
    assert np.array_equal(read, array)
    assert read.dtype == array.dtype


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("array", [RGB, RGB[..., 0], DEEP, DEEP.astype(np.float32)])
def test_other_compressions_are_read(path, array, compression):
    Image.fromarray(array).save(path, compression=compression)
    assert np.array_equal(read_image(path), array)


@pytest.fixture(params=[True, False], ids=["imagecodecs", "Pillow"])
def imagecodecs(request, monkeypatch):
    """Whether imagecodecs, which writes the files, is there to read them, or only Pillow."""
    if not request.param:
        monkeypatch.setattr(tiff_files, "find_spec", lambda name: None)
    return request.param


@pytest.mark.parametrize("compression", ["lzw", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize(
    ("array", "options"),
    [
        (DEEP.astype(np.int16), {}),
        (DEEP.astype(np.uint32) * 65537, {}),
        (DEEP.astype(np.int8), {}),
        (DEEP, {"byteorder": ">"}),
    ],
)
@pytest.mark.usefixtures("imagecodecs")
def test_compressed_numbers_keep_their_type(path, array, options, compression):
    tifffile.imwrite(path, array, compression=compression, **options)
    for read in (read_image(path), open_stack(path).plane()):
        assert np.array_equal(read, array)
        assert read.dtype == array.dtype
        assert read.dtype.isnative


@pytest.mark.parametrize("compression", ["lzw", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("planes", [1, 2])
def test_compressed_colours_of_16_bits_are_whole_or_refused(path, planes, compression, imagecodecs):
    colours = np.stack([DEEP, DEEP >> 2, DEEP >> 4], axis=-1)
    stack = np.stack([colours] * planes)
    tifffile.imwrite(path, stack, photometric="rgb", compression=compression)
    plane = open_stack(path).plane
    if imagecodecs:
        assert np.array_equal(plane((0,) * (planes > 1)), colours)
        return
    with pytest.raises(ImageFileError, match=r'16 bits.*pip install "vrpsam-app\[formats\]"'):
        plane((0,) * (planes > 1))


def test_fax_compression_is_read(path):
    Image.fromarray(RGB[..., 0] > 99).save(path, compression="group4")
    assert np.array_equal(read_image(path), RGB[..., 0] > 99)


def test_imagej_files_are_read(path):
    tifffile.imwrite(path, DEEP[None, None], imagej=True)
    assert np.array_equal(read_image(path), DEEP)


def test_colours_stored_first_are_moved_last(path):
    tifffile.imwrite(path, np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_image(path), RGB)


@pytest.mark.parametrize(
    ("stack", "options"),
    [
        (np.zeros((3, 20, 30), np.uint8), {"photometric": "minisblack"}),
        (np.zeros((5, 20, 30), np.uint16), {"imagej": True, "metadata": {"axes": "ZYX"}}),
        (np.zeros((2, 20, 30), np.uint16), {"ome": True, "metadata": {"axes": "TYX"}}),
    ],
)
def test_stacks_are_refused_with_a_hint(path, stack, options):
    tifffile.imwrite(path, stack, **options)
    with pytest.raises(ImageFileError, match=r"holds a stack.*Save the plane"):
        read_image(path)


def test_reduced_copies_are_passed_over(path):
    with tifffile.TiffWriter(path) as file:
        file.write(DEEP[::2, ::2], subfiletype=1)
        file.write(DEEP)
    assert np.array_equal(read_image(path), DEEP)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_palettes_become_colours(path, compression):
    image = Image.fromarray(RGB).quantize(8)
    image.save(path, compression=compression)
    assert np.array_equal(read_image(path), np.asarray(image.convert("RGB")))


def test_cmyk_becomes_rgb(path):
    Image.fromarray(RGB).convert("CMYK").save(path)
    assert np.array_equal(read_image(path), RGB)


def test_a_fourth_channel_counts_only_as_opacity(path):
    four = np.dstack([RGB, RGB[..., 0]])
    tifffile.imwrite(path, four, photometric="rgb", extrasamples=["unassalpha"])
    assert np.array_equal(read_image(path), four)
    tifffile.imwrite(path, four, photometric="rgb", extrasamples=["unspecified"])
    assert np.array_equal(read_image(path), RGB)


def test_grey_with_opacity_becomes_rgba(path):
    two = RGB[..., :2].copy()
    tifffile.imwrite(
        path, two, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    assert np.array_equal(read_image(path), two[..., [0, 0, 0, 1]])


@pytest.mark.parametrize("channels", [2, 7])
def test_channels_that_are_no_colours_are_refused(path, channels):
    array = np.zeros((20, 30, channels), np.uint8)
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig="contig")
    with pytest.raises(ImageFileError, match=f"has {channels} channels"):
        read_image(path)


def test_white_is_zero_is_shown_inverted_but_counts_as_stored(path):
    tifffile.imwrite(path, RGB[..., 0], photometric="miniswhite")
    assert np.array_equal(read_image(path), 255 - RGB[..., 0])
    mask = RGB[..., 0] > 99
    tifffile.imwrite(path, mask)  # tifffile marks booleans as white-is-zero
    assert np.array_equal(read_mask(path), mask)
    Image.fromarray(~mask).save(path, compression="group4", tiffinfo={262: 0})
    stored_as_zero = read_mask(path)
    assert np.array_equal(stored_as_zero, ~read_image(path))


def test_nan_in_a_mask_is_not_marked(path):
    tifffile.imwrite(path, np.array([[np.nan, 0, 0.5]], np.float32))
    assert read_mask(path).tolist() == [[False, False, True]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_grey_files_are_turned_upright(path, orientation):
    image = Image.fromarray(DEEP)
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    tifffile.imwrite(path, DEEP, extratags=[(274, "H", 1, orientation, True)])
    assert np.array_equal(read_image(path), expected)
    Image.fromarray(DEEP).save(path, compression="tiff_lzw", tiffinfo={274: orientation})
    assert np.array_equal(read_image(path), expected)


def test_complex_numbers_are_refused(path):
    tifffile.imwrite(path, DEEP.astype(np.complex64))
    with pytest.raises(ImageFileError, match="complex64"):
        read_image(path)


def test_a_small_file_that_claims_a_huge_image_is_refused(path):
    tifffile.imwrite(path, DEEP)
    set_tags(path, {256: 60_000, 257: 60_000})
    with pytest.raises(ImageFileError, match="60000 x 60000 pixels: at most 100000000"):
        read_image(path)
    with pytest.raises(ImageFileError, match="is truncated"):
        read_image(path, max_pixels=10**10)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_truncated_files_are_refused(path, options):
    tifffile.imwrite(path, DEEP, **options)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageFileError, match="is truncated"):
        read_image(path)


def test_data_that_unpack_to_too_much_are_refused(path):
    tifffile.imwrite(path, np.zeros((20, 20), np.uint8), compression="zlib")
    bomb = zlib.compress(bytes(20_000_000))
    end = path.stat().st_size
    set_tags(path, {273: end, 279: len(bomb)})
    path.write_bytes(path.read_bytes() + bomb)
    with pytest.raises(ImageFileError, match="unpacks to more than its size allows"):
        read_image(path)


def test_huge_tiles_are_refused(path):
    tifffile.imwrite(path, DEEP, tile=(16, 16), compression="zlib")
    set_tags(path, {322: 60_000, 323: 60_000})
    with pytest.raises(ImageFileError, match="tiles of"):
        read_image(path)


def test_an_unknown_compression_is_named(path):
    tifffile.imwrite(path, DEEP)
    set_tags(path, {259: 34661})  # JBIG, which no library reads
    with pytest.raises(ImageFileError, match=r'JBIG.*pip install "vrpsam-app\[formats\]"'):
        read_image(path)
