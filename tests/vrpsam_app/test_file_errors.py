from __future__ import annotations

import pytest

from vrpsam_app.errors import ImageError, ImageFileError, MissingExtraError
from vrpsam_app.file_errors import needs_formats, reading


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "No such file"), "a.tif does not exist"),
        (IsADirectoryError(21, "Is a directory"), "a.tif is a folder"),
        (PermissionError(13, "Permission denied"), r"cannot be read \(Permission denied\)"),
        (MemoryError(), "does not fit in memory"),
        (ValueError("bad block."), r"is damaged or incomplete \(bad block\)\. Copy"),
        (KeyError(), r"is damaged or incomplete \(KeyError\)"),
        (OSError("cannot identify"), r"damaged or incomplete \(cannot identify\)"),
    ],
)
def test_whatever_goes_wrong_is_said_of_the_file(error, message):
    with pytest.raises(ImageFileError, match=message) as raised, reading("a.tif"):
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [ImageError("as it is"), needs_formats("a.czi", "some library")])
def test_our_own_errors_pass(error):
    with pytest.raises(type(error)) as raised, reading("a.tif"):
        raise error
    assert raised.value is error


def test_the_extra_is_named():
    error = needs_formats("a.czi", "some library")
    assert isinstance(error, MissingExtraError)
    assert str(error) == (
        "a.czi is read by some library, which is not installed. Run: "
        'pip install "vrpsam-app[formats]".'
    )
