"""What kind of file a path is; the formats themselves are tested beside their readers."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.errors import ImageFileError
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

ZYX = np.arange(3 * 24 * 36, dtype=np.uint16).reshape(3, 24, 36)


def test_a_format_is_recognised_by_content(tmp_path):
    tifffile.imwrite(tmp_path / "a.png", ZYX, photometric="minisblack")
    assert np.array_equal(open_stack(tmp_path / "a.png").plane((1,)), ZYX[1])
    Image.fromarray(ZYX[0]).save(tmp_path / "b.tif", format="PNG")
    assert np.array_equal(open_stack(tmp_path / "b.tif").plane(), ZYX[0])


def test_the_pixel_size_can_be_given(tmp_path):
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 3}
    tifffile.imwrite(tmp_path / "a.tif", ZYX, imagej=True, metadata=metadata, resolution=(1, 1))
    assert open_stack(tmp_path / "a.tif").unit == "um"
    stack = open_stack(str(tmp_path / "a.tif"), pixel_size=PixelSize(0.1, 0.1, 0.3, "mm"))
    assert stack.pixel_size == PixelSize(0.1, 0.1, 0.3, "mm")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a picture at all", "is no image, whatever its name says"),
        (b"", "is empty"),
        (b"\0" * 400, "is no image"),
        (b"II*\0", r"a\.tif"),
        (b"RIFFxxxxWAVE", "is no image"),
        (b"PK\x03\x04", "is no image"),
    ],
)
def test_files_that_are_no_image(tmp_path, content, message):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match=message) as raised:
        open_stack(path)
    assert str(path) in str(raised.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ImageFileError, match=r"gone\.tif does not exist"):
        open_stack(tmp_path / "gone.tif")
    with pytest.raises(ImageFileError, match="folder without pictures"):
        open_stack(tmp_path)
    (tmp_path / "inner").mkdir()
    Image.fromarray(ZYX[0]).save(tmp_path / "inner" / "a.png")
    with pytest.raises(ImageFileError, match="give one of its folders"):
        open_stack(tmp_path)


def test_a_folder_of_two_kinds_is_refused(tmp_path):
    Image.fromarray(ZYX[0]).save(tmp_path / "a.png")
    (tmp_path / "b").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 300)
    with pytest.raises(ImageFileError, match="holds 1 pictures and 1 DICOM files"):
        open_stack(tmp_path)
