import numpy as np
import pytest
from PIL import Image

from vrpsam_app.errors import ImageError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.label_files import read_labels

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
