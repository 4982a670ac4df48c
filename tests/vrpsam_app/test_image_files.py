import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from vrpsam_app.errors import ImageError, ImageFileError, OutputError
from vrpsam_app.image_files import (
    decode_png,
    encode_png,
    find_files,
    find_images,
    passed_over,
    read_image,
    read_mask,
    write_image,
    write_mask,
)

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 36, 3)).astype(np.uint8)
MASK = RGB[..., 0] > 127


def png_that_claims(width, height, rows=b"\0" * 100):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "jpg", "gif"])
def test_common_formats_are_read(tmp_path, suffix):
    smooth = np.kron(RGB[::6, ::6], np.ones((6, 6, 1), np.uint8))
    path = save(
        tmp_path / f"a.{suffix}", smooth, **({"lossless": True} if suffix == "webp" else {})
    )
    read = read_image(path)
    assert read.shape == smooth.shape
    assert read.dtype == np.uint8
    if suffix in ("png", "bmp", "tif", "webp"):
        assert np.array_equal(read, smooth)


def test_a_format_is_recognised_by_content(tmp_path):
    path = save(tmp_path / "a.png", RGB)
    assert np.array_equal(read_image(path.rename(tmp_path / "a.jpg")), RGB)


def test_a_small_file_that_claims_a_huge_image_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(60_000, 60_000))
    with pytest.raises(ImageFileError, match="60000 x 60000 pixels: at most 100000000"):
        read_image(path)


def test_the_limit_can_be_changed(tmp_path):
    path = save(tmp_path / "a.png", RGB)
    assert read_image(path, max_pixels=24 * 36).shape == (24, 36, 3)
    for read in (read_image, read_mask):
        with pytest.raises(ImageFileError, match="24 x 36 pixels: at most 863"):
            read(path, max_pixels=24 * 36 - 1)


def test_a_limit_above_pillows_own_is_respected(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_that_claims(20_000, 20_000))
    with pytest.raises(ImageFileError, match="damaged or incomplete"):  # not: too large
        read_image(path, max_pixels=10**9)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tif"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, suffix, share):
    path = save(tmp_path / f"a.{suffix}", RGB)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=rf"a\.{suffix} (is|cannot)"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_damaged_files_are_read_or_refused_in_words(tmp_path, suffix):
    data = save(tmp_path / f"a.{suffix}", RGB).read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(40):
        broken = bytearray(data)
        for position in rng.integers(0, min(len(data), 200), 4):
            broken[position] = rng.integers(256)
        (tmp_path / "broken").write_bytes(broken)
        try:
            outcomes.add(read_image(tmp_path / "broken").ndim)
        except ImageFileError as error:
            outcomes.add(str(tmp_path / "broken") in str(error))
    assert True in outcomes
    assert False not in outcomes


def test_text_named_png_is_refused(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not a picture")
    with pytest.raises(ImageFileError, match=r"notes\.png is no image, whatever its name says"):
        read_image(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match=r"gone\.png does not exist"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageFileError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageFileError, match="cannot be read"):
        read_image(tmp_path / ("x" * 300))
    with pytest.raises(ImageFileError, match="null"):
        read_image("a\0b.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageFileError, match="is empty"):
        read_image(tmp_path / "empty.png")


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_one_pixel_wide_images_are_read(tmp_path, shape):
    array = RNG.integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(read_image(save(tmp_path / "a.png", array)), array)


def test_sixteen_bits_are_kept(tmp_path):
    array = RNG.integers(0, 65536, (9, 11)).astype(np.uint16)
    read = read_image(save(tmp_path / "a.png", array))
    assert read.dtype == np.uint16
    assert np.array_equal(read, array)


def test_transparency_is_kept(tmp_path):
    rgba = np.dstack([RGB, RGB[..., 0]])
    assert np.array_equal(read_image(save(tmp_path / "a.png", rgba)), rgba)
    grey = Image.fromarray(RGB[..., 0])
    grey.putalpha(Image.fromarray(RGB[..., 1]))
    grey.save(tmp_path / "la.png")
    read = read_image(tmp_path / "la.png")
    assert np.array_equal(read[..., 0], RGB[..., 0])
    assert np.array_equal(read[..., 3], RGB[..., 1])


def test_palettes_become_colours(tmp_path):
    image = Image.fromarray(RGB).quantize(8)
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.asarray(image.convert("RGB")))
    image.save(tmp_path / "b.png", transparency=0)
    assert np.array_equal(read_image(tmp_path / "b.png")[..., 3] == 0, np.asarray(image) == 0)


def test_cmyk_becomes_rgb(tmp_path):
    smooth = np.kron(RGB[::8, ::12], np.ones((8, 12, 1), np.uint8))
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    read = read_image(tmp_path / "a.jpg")
    assert read.shape == smooth.shape
    assert np.abs(read.astype(int) - smooth).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_pictures_are_turned_upright(tmp_path, orientation, suffix):
    stored = np.kron(
        np.array([[0, 80, 160], [200, 120, 40]], np.uint8), np.ones((16, 16), np.uint8)
    )
    image = Image.fromarray(stored).convert("RGB")
    exif = image.getexif()
    exif[274] = orientation
    image.save(tmp_path / f"a.{suffix}", exif=exif, **({"quality": 95} if suffix != "tif" else {}))
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    read = read_image(tmp_path / f"a.{suffix}").astype(int)
    assert read.shape == expected.shape
    assert np.abs(read - expected).mean() < 3


def test_damaged_exif_does_not_hide_a_sound_picture(tmp_path):
    save(tmp_path / "a.png", RGB, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert np.array_equal(read_image(tmp_path / "a.png"), RGB)


@pytest.mark.parametrize("value", [1, 255, True])
def test_a_mask_counts_where_it_is_not_zero(tmp_path, value):
    array = MASK if value is True else MASK.astype(np.uint8) * value
    mask = read_mask(save(tmp_path / "m.png", array))
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, MASK)


def test_a_coloured_mask_counts_where_it_is_not_black(tmp_path):
    rgba = np.zeros((24, 36, 4), np.uint8)
    rgba[..., 2] = MASK
    rgba[..., 3] = 255
    assert np.array_equal(read_mask(save(tmp_path / "rgba.png", rgba)), MASK)
    palette = Image.fromarray(MASK.astype(np.uint8))
    palette.putpalette([0, 0, 0, 0, 90, 0])
    palette.save(tmp_path / "p.png")
    assert np.array_equal(read_mask(tmp_path / "p.png"), MASK)


def test_a_jpeg_mask_is_cut_at_half(tmp_path):
    mask = np.zeros((40, 40), bool)
    mask[8:32, 8:32] = True
    path = save(tmp_path / "m.jpg", mask.astype(np.uint8) * 255, quality=60)
    assert np.array_equal(read_mask(path), mask)


def test_a_written_mask_is_read_back(tmp_path):
    path = write_mask(tmp_path / "m.png", MASK.astype(int) * 7)
    assert np.array_equal(read_mask(path), MASK)
    assert np.unique(read_image(path)).tolist() == [0, 255]
    assert [p.name for p in tmp_path.iterdir()] == ["m.png"]


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    path = write_mask(tmp_path / "m.png", MASK)
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_mask_must_be_a_plane(tmp_path):
    with pytest.raises(ImageError, match="The mask has shape"):
        write_mask(tmp_path / "m.png", RGB)


def test_an_existing_file_is_replaced_only_on_request(tmp_path):
    path = write_image(tmp_path / "a.png", RGB)
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"a\.png exists"):
        write_image(path, RGB[:5])
    assert path.read_bytes() == before
    assert read_image(write_image(path, RGB[:5], overwrite=True)).shape == (5, 36, 3)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch, step):
    def disk_full(*_):
        raise OSError(28, "No space left on device")

    old = write_image(tmp_path / "old.png", RGB)
    before = old.read_bytes()
    monkeypatch.setattr(os, step, disk_full)
    for path in (old, tmp_path / "new.png"):
        with pytest.raises(OutputError, match=r"cannot be written \(No space left on device"):
            write_image(path, RGB[:5], overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]
    assert old.read_bytes() == before


def test_impossible_places_are_named(tmp_path):
    with pytest.raises(OutputError, match=r"folder .*gone does not exist"):
        write_image(tmp_path / "gone" / "a.png", RGB)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="does not exist"):
        write_image(tmp_path / "file" / "a.png", RGB)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_image(tmp_path / "folder.png", RGB, overwrite=True)
    with pytest.raises(OutputError, match=r"ends in \.png"):
        write_image(tmp_path / "a.jpg", RGB)
    for name in ("x" * 300 + ".png", "a\0b.png"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_image(tmp_path / name, RGB)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.parametrize(
    "array",
    [MASK, RGB, RGB[..., 0], np.dstack([RGB, RGB[..., 0]]), RGB[..., 0].astype(np.uint16) * 257],
)
def test_png_bytes_return_the_same_array(array):
    read = decode_png(encode_png(array))
    assert read.dtype == array.dtype
    assert np.array_equal(read, array)
    assert encode_png(array) == encode_png(array[::-1][::-1])


@pytest.mark.parametrize(
    "array", [RGB.astype(np.uint16), RGB[..., 0] / 255, np.zeros((2, 3, 2), "u1")]
)
def test_what_does_not_fit_in_a_png_is_refused(array):
    with pytest.raises(ImageError):
        encode_png(array)


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff\xe0", encode_png(RGB)[:60]])
def test_bytes_that_are_no_png_are_refused(data):
    with pytest.raises(ImageFileError, match="The PNG data"):
        decode_png(data)


def test_png_bytes_have_a_limit_too():
    with pytest.raises(ImageFileError, match="at most 10"):
        decode_png(encode_png(RGB), max_pixels=10)


def test_images_are_found_in_order_and_once(tmp_path):
    names = ["b.png", "a.TIF", "c.txt", ".hidden.png", "d.png"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "e.jpg").touch()
    found = find_images([tmp_path / "d.png", tmp_path, str(tmp_path / "**" / "*.jpg")])
    assert [p.relative_to(tmp_path).as_posix() for p in found] == [
        "d.png",
        "a.TIF",
        "b.png",
        "sub/e.jpg",
    ]
    assert [p.name for p in find_images([str(tmp_path / "*")])] == ["a.TIF", "b.png", "d.png"]
    assert find_images([tmp_path / "c.txt"]) == [tmp_path / "c.txt"]


def test_a_name_with_brackets_is_a_name(tmp_path):
    path = tmp_path / "plate[1].png"
    path.touch()
    assert find_images([path]) == [path]


def test_nothing_found_is_said(tmp_path):
    with pytest.raises(ImageFileError, match="is a folder without images"):
        find_images([tmp_path])
    with pytest.raises(ImageFileError, match="stands for no image"):
        find_images([tmp_path / "*.png"])


def test_files_of_any_format_are_found_by_name(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "stack.zarr").mkdir()
    named = [tmp_path / "stack.zarr", tmp_path / "a.png", str(tmp_path / "a.png")]
    assert find_files(named) == named[:2]
    assert find_files([tmp_path / "*.txt"]) == [tmp_path / "notes.txt"]
    assert find_files([tmp_path / "*.zarr"]) == [tmp_path / "stack.zarr"]
    with pytest.raises(ImageFileError, match="stands for no image"):
        find_files([tmp_path / "nothing*.png"])


def test_a_folder_stands_for_all_images_in_it(tmp_path):
    names = ["a.png", "b.ome.zarr", "c.nii.gz", "d.nd2"]
    others = [".hidden.zarr", "IM0001", "clip.mp4", "notes.txt", "sub"]
    for name in (*names, *others):
        is_folder = name.endswith(("zarr", "sub"))
        (tmp_path / name).mkdir() if is_folder else (tmp_path / name).touch()
    found = find_files([tmp_path])
    assert found == find_files([tmp_path / "*"]) == [tmp_path / name for name in names]
    assert passed_over([tmp_path, tmp_path / "a.png"], found) == [
        tmp_path / name for name in others[1:]
    ]


def test_a_folder_without_images_stands_for_itself(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    (series / "IM0001").touch()
    assert find_files([series]) == [series]
    assert passed_over([series], [series]) == []
