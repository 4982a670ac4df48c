import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.png_files import png_bytes
from vrpsam_app.errors import ImageError, ImageFileError, OutputError
from vrpsam_app.image_files import read_image
from vrpsam_app.label_files import (
    holds_masks,
    open_labels,
    read_labels,
    write_labels,
)
from vrpsam_app.stacks.stack import PixelSize, Stack

LABELS = np.array([[0, 1, 2], [15, 21, 255]], np.uint8)
# As in PASCAL VOC: index 1 is dark red; two indices share one colour here.
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [7, 7, 7] * 253


def palette_picture(labels=LABELS):
    picture = Image.fromarray(labels)
    picture.putpalette(PALETTE)
    return picture


def test_palettes_give_indices_not_colours(tmp_path):
    palette_picture().save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png"), LABELS)
    assert read_image(tmp_path / "a.png").shape == (2, 3, 3)


def test_transparent_palettes_give_indices_too(tmp_path):
    palette_picture().save(tmp_path / "a.png", transparency=0)
    assert np.array_equal(read_labels(tmp_path / "a.png"), LABELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_labels_are_read_as_they_are(tmp_path, dtype):
    labels = LABELS.astype(dtype) * dtype(1 if dtype is np.uint8 else 200)
    Image.fromarray(labels).save(tmp_path / "a.png")
    read = read_labels(tmp_path / "a.png")
    assert read.dtype == dtype
    assert np.array_equal(read, labels)


def test_masks_of_one_bit_become_numbers(tmp_path):
    Image.fromarray(LABELS > 1).save(tmp_path / "a.png")
    read = read_labels(tmp_path / "a.png")
    assert read.dtype == np.uint8
    assert np.array_equal(read, LABELS > 1)


@pytest.mark.parametrize("depth", [2, 4])
def test_grey_of_few_bits_gives_numbers_not_brightness(tmp_path, depth):
    labels = np.arange(28, dtype=np.uint8).reshape(4, 7) % 2**depth
    (tmp_path / "a.png").write_bytes(png_bytes(labels, depth))
    assert np.array_equal(read_labels(tmp_path / "a.png"), labels)
    assert np.array_equal(open_labels(tmp_path / "a.png").plane(), labels)
    assert read_image(tmp_path / "a.png").max() == 255


def test_colours_are_refused(tmp_path):
    palette_picture().convert("RGB").save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png has shape \(2, 3, 3\).*one channel.*PNG"):
        read_labels(tmp_path / "a.png")


def test_jpegs_are_refused(tmp_path):
    Image.fromarray(LABELS).save(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="changes label numbers"):
        read_labels(tmp_path / "a.jpg")


def test_files_that_are_no_pictures_are_named(tmp_path):
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(ImageFileError, match=r"a\.png"):
        read_labels(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match=r"b\.png"):
        read_labels(tmp_path / "b.png")


def test_pictures_and_stacks_are_opened_alike(tmp_path):
    palette_picture().save(tmp_path / "a.png")
    plane = open_labels(tmp_path / "a.png", pixel_size=PixelSize(1, 1))
    assert (plane.axes, plane.pixel_size) == ((), PixelSize(1, 1))
    assert np.array_equal(plane.plane(), LABELS)
    stack = np.stack([LABELS, LABELS * 0, LABELS]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    opened = open_labels(tmp_path / "a.tif")
    assert opened.axes == ("z",)
    assert np.array_equal(opened.plane((2,)), LABELS)


def test_stacks_of_fractions_and_colours_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 5), np.float32))
    with pytest.raises(ImageError, match=r"a\.tif holds float32"):
        open_labels(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(ImageError, match=r"b\.tif holds colours"):
        open_labels(tmp_path / "b.tif")


@pytest.mark.parametrize(
    ("planes", "expected"),
    [
        ([[0, 255], [255, 0]], True),
        ([[0, 1], [0, 0]], True),
        ([[7, 7], [7, 7]], True),
        ([[0, 0], [0, 0]], True),
        ([[1, 2], [0, 0]], False),
        ([[0, 1], [0, 2]], False),
    ],
)
def test_masks_have_one_number_beside_zero(planes, expected):
    stack = Stack.from_array(np.array(planes, np.uint8)[:, None])
    assert holds_masks(stack) is expected


def test_no_more_planes_are_read_than_tell_masks_from_labels():
    class Planes(Stack):
        asked = 0

        def plane(self, index=()):
            type(self).asked += 1
            return super().plane(index)

    assert not holds_masks(Planes.from_array(np.array([[[1, 2]]] * 50)))
    assert Planes.asked == 1


@pytest.mark.parametrize(("highest", "dtype"), [(200, np.uint8), (40000, np.uint16)])
def test_label_pictures_are_written_as_small_as_they_fit(tmp_path, highest, dtype):
    labels = np.array([[0, 3], [highest, 0]], np.int32)
    read = read_labels(write_labels(tmp_path / "a.png", labels))
    assert read.dtype == dtype
    assert np.array_equal(read, labels)
    with pytest.raises(OutputError, match="exists"):
        write_labels(tmp_path / "a.png", labels)


def test_label_pictures_have_a_highest_number(tmp_path):
    with pytest.raises(OutputError, match="object 70000: a PNG numbers up to 65535"):
        write_labels(tmp_path / "a.png", np.array([[70000]]))
