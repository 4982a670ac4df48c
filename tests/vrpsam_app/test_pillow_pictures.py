"""The header says what decoding gives; the decoding itself is tested with image_files."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.png_files import png_bytes, png_chunk
from vrpsam_app.image_files import read_header, read_image, read_mask

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 36, 3)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (24, 36)).astype(np.uint16)


def turned():
    exif = Image.Exif()
    exif[274] = 8
    return exif


def transparent_palette():
    image = Image.fromarray(RGB).quantize(16)
    image.info["transparency"] = 3
    return image


PICTURES = {
    "rgb.png": Image.fromarray(RGB),
    "grey.png": Image.fromarray(RGB[..., 0]),
    "deep.png": Image.fromarray(DEEP),
    "bits.png": Image.fromarray(RGB[..., 0] > 99),
    "palette.png": Image.fromarray(RGB).quantize(16),
    "transparent.png": transparent_palette(),
    "rgba.png": Image.fromarray(RGB).convert("RGBA"),
    "la.png": Image.fromarray(RGB).convert("LA"),
    "rgb.jpg": Image.fromarray(RGB),
    "cmyk.jpg": Image.fromarray(RGB).convert("CMYK"),
    "rgb.bmp": Image.fromarray(RGB),
    "rgb.gif": Image.fromarray(RGB),
    "rgba.webp": Image.fromarray(RGB).convert("RGBA"),
    "lzw.tif": Image.fromarray(RGB),
}


def agree(path):
    header, pixels = read_header(path), read_image(path)
    assert header.hw == pixels.shape[:2]
    assert header.samples == (1 if pixels.ndim == 2 else pixels.shape[2])
    assert header.dtype == pixels.dtype


@pytest.mark.parametrize("name", PICTURES)
def test_the_header_says_what_will_come(tmp_path, name):
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {}
    PICTURES[name].save(tmp_path / name, **options)
    agree(tmp_path / name)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_turned_pictures(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    options = {"tiffinfo": {274: 8}} if suffix == "tif" else {"exif": turned()}
    Image.fromarray(RGB).save(path, **options)
    assert read_header(path).hw == (36, 24)
    agree(path)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (DEEP, {}),
        (DEEP.astype(np.float32), {"byteorder": ">"}),
        (DEEP > 99, {}),
        (RGB, {"photometric": "rgb", "planarconfig": "contig"}),
        (np.moveaxis(RGB, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        (np.dstack([RGB, DEEP.astype(np.uint8)]), {"extrasamples": ["unspecified"]}),
        (np.dstack([RGB, DEEP.astype(np.uint8)]), {"extrasamples": ["unassalpha"]}),
        (DEEP, {"photometric": "miniswhite", "extratags": [(274, "H", 1, 5, True)]}),
        (
            RGB[..., 0],
            {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
        ),
        (RGB[..., :2].copy(), {"planarconfig": "contig", "extrasamples": ["unassalpha"]}),
    ],
)
def test_tiff_pages(tmp_path, array, options):
    photometric = options.pop("photometric", "rgb" if array.shape[-1] == 4 else "minisblack")
    tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric, metadata=None, **options)
    agree(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_frames_behind_the_first_are_told(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(path)
    assert not read_header(path).animated
    Image.fromarray(RGB).save(path, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    assert read_header(path).animated
    agree(path)


def test_a_damaged_second_frame_leaves_the_first(tmp_path):
    whole, path = tmp_path / "whole.gif", tmp_path / "a.gif"
    Image.fromarray(RGB).save(tmp_path / "one.gif")
    first = (tmp_path / "one.gif").stat().st_size
    Image.fromarray(RGB).save(whole, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    for size in range(first, first + 40):
        path.write_bytes(whole.read_bytes()[:size])
        agree(path)


@pytest.mark.parametrize("samples", [2, 3, 4])
@pytest.mark.parametrize("highest", [200, 4000, 65536])
def test_several_channels_of_sixteen_bits_are_kept(tmp_path, samples, highest):
    deep = RNG.integers(0, highest, (24, 36, samples)).astype(np.uint16)
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(deep, 16))
    expected = deep[..., [0, 0, 0, 1]] if samples == 2 else deep
    assert np.array_equal(read_image(path), expected)
    assert np.array_equal(read_mask(path), expected[..., :3].any(axis=2))
    agree(path)


def test_sixteen_bits_turned_and_partly_transparent(tmp_path):
    deep = RNG.integers(0, 65536, (24, 36, 3)).astype(np.uint16)
    path = tmp_path / "a.png"
    exif = png_chunk(b"eXIf", turned().tobytes().removeprefix(b"Exif\0\0"))
    hidden = png_chunk(b"tRNS", deep[3, 5].astype(">u2").tobytes())
    path.write_bytes(png_bytes(deep, 16, chunks=exif + hidden))
    read = read_image(path)
    assert np.array_equal(read[..., :3], np.rot90(deep))
    assert np.argwhere(np.rot90(read, -1)[..., 3] == 0).tolist() == [[3, 5]]
    assert read[..., 3].max() == 65535
    agree(path)
