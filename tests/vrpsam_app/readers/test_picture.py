"""Pictures, alone and as a folder."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app import image_files
from vrpsam_app.errors import ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.readers import picture
from vrpsam_app.readers.picture import natural_key
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 24, 36, 3)).astype(np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "jpg", "gif"])
def test_a_picture_is_a_plane(tmp_path, suffix):
    for array in (RGB[0], RGB[0, ..., 0]):
        path = save(tmp_path / f"a.{suffix}", array)
        stack = open_stack(path)
        assert stack.axes == ()
        assert stack.pixel_size is None
        assert stack.name == f"a.{suffix}"
        assert np.array_equal(stack.plane(), read_image(path))


def test_a_folder_is_a_stack_in_natural_order(tmp_path, everything):
    for i, pixels in enumerate(RGB):
        save(tmp_path / f"Slice {i}.png", pixels)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture")
    stack = open_stack(tmp_path)
    assert stack.axes == ("z",)
    assert stack.name == tmp_path.name
    assert np.array_equal(everything(stack), RGB)
    assert open_stack(tmp_path, axes="tyxs").axes == ("t",)


def test_natural_order():
    names = ["img10.png", "img2.png", "Img1.png", "img2b.png", "1.png", "a.png"]
    ordered = sorted(map(Path, names), key=natural_key)
    assert [path.name for path in ordered] == [
        "1.png", "a.png", "Img1.png", "img2.png", "img2b.png", "img10.png",
    ]  # fmt: skip


def test_sixteen_bits_and_tiff_in_a_folder(tmp_path, everything):
    deep = RNG.integers(0, 60_000, (3, 24, 36)).astype(np.uint16)
    save(tmp_path / "0.png", deep[0])
    tifffile.imwrite(tmp_path / "1.tif", deep[1])
    tifffile.imwrite(tmp_path / "2.tif", deep[2], compression="zlib")
    stack = open_stack(tmp_path)
    assert stack.dtype == np.uint16
    assert np.array_equal(everything(stack), deep)


def test_grey_among_colours_becomes_a_colour(tmp_path):
    save(tmp_path / "0.png", RGB[0])
    grey = save(tmp_path / "1.jpg", RGB[1, ..., 0])
    stack = open_stack(tmp_path)
    assert stack.color
    assert np.array_equal(stack.plane((0,)), RGB[0])
    assert np.array_equal(stack.plane((1,)), np.repeat(read_image(grey)[..., None], 3, axis=2))


def test_opaque_among_transparent_becomes_opaque(tmp_path):
    rgba = np.dstack([RGB[0], RGB[1, ..., 0]])
    save(tmp_path / "0.png", rgba)
    save(tmp_path / "1.png", RGB[1])
    stack = open_stack(tmp_path)
    assert np.array_equal(stack.plane((0,)), rgba)
    assert np.array_equal(stack.plane((1,))[..., :3], RGB[1])
    assert np.all(stack.plane((1,))[..., 3] == 255)


def test_mixed_sizes_and_types_are_refused_by_name(tmp_path):
    save(tmp_path / "0.png", RGB[0])
    save(tmp_path / "1.png", RGB[0, :20])
    with pytest.raises(ImageFileError, match=r"1\.png has 20 x 36 pixels .* 0\.png has 24 x 36"):
        open_stack(tmp_path)
    save(tmp_path / "1.png", RGB[0, ..., 0].astype(np.uint16))
    with pytest.raises(ImageFileError, match=r"1\.png has .* type uint16.*alike"):
        open_stack(tmp_path)


def test_a_lying_picture_has_the_size_it_is_seen_in(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    for name in ("0.jpg", "0.png", "0.webp"):
        path = save(tmp_path / name, RGB[0], exif=exif)
        assert open_stack(path).plane_hw == (36, 24)
        assert np.array_equal(open_stack(path).plane(), read_image(path))


def test_exif_behind_the_pixels_of_a_png_counts_too(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    data = save(tmp_path / "a.png", RGB[0], exif=exif).read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    (tmp_path / "a.png").write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    stack = open_stack(tmp_path / "a.png")
    assert stack.plane_hw == (36, 24)
    assert np.array_equal(stack.plane(), read_image(tmp_path / "a.png"))


def test_a_damaged_picture_in_the_middle_is_named_when_it_is_read(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", RGB[i])
    broken = tmp_path / "1.png"
    broken.write_bytes(broken.read_bytes()[:300])
    stack = open_stack(tmp_path)
    assert np.array_equal(stack.plane((2,)), RGB[2])
    with pytest.raises(ImageFileError, match=r"1\.png is damaged"):
        stack.plane((1,))


def test_a_picture_that_changed_is_refused(tmp_path):
    path = save(tmp_path / "a.png", RGB[0])
    stack = open_stack(path)
    save(path, RGB[0, :20])
    with pytest.raises(ImageFileError, match="was changed while it was open"):
        stack.plane()


def test_no_picture_is_decoded_at_opening(tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / f"{i}.png", RGB[i])
    decoded = []
    original = image_files.decode_picture
    monkeypatch.setattr(
        image_files, "decode_picture", lambda *a, **k: decoded.append(a[2]) or original(*a, **k)
    )
    stack = open_stack(tmp_path)
    assert decoded == []
    stack.plane((1,))
    assert decoded == [str(tmp_path / "1.png")]


def test_sizes_are_checked_before_decoding(tmp_path):
    save(tmp_path / "a.png", RGB[0])
    for path in (tmp_path, tmp_path / "a.png"):
        with pytest.raises(ImageFileError, match=r"a\.png has 24 x 36 pixels: at most 800"):
            open_stack(path, max_pixels=800)


def test_a_folder_can_be_sent_to_another_process(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", RGB[i])
    assert np.array_equal(pickle.loads(pickle.dumps(open_stack(tmp_path))).plane((1,)), RGB[1])
    assert picture.pictures_in(tmp_path)[0].name == "0.png"


def test_a_stack_among_the_pictures_is_refused_by_name(tmp_path):
    save(tmp_path / "0.png", RGB[0])
    tifffile.imwrite(tmp_path / "a.tif", RGB[..., 0], photometric="minisblack")
    with pytest.raises(ImageFileError, match=r"a\.tif holds a stack"):
        open_stack(tmp_path)
