from __future__ import annotations

import pytest

from vrpsam_app.data.picture_lists import read_lines, read_names
from vrpsam_app.errors import ImageFileError


def test_lines_may_be_names_paths_or_pairs(tmp_path):
    (tmp_path / "a.txt").write_text(
        "2007_000032\n\n/voc/JPEGImages/2007_000033.jpg /voc/Labels/2007_000033.png\nx/a.b.jpg\n"
    )
    assert read_names(tmp_path / "a.txt") == ["2007_000032", "2007_000033", "a.b"]
    assert read_lines(tmp_path / "a.txt")[2] == "x/a.b.jpg"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), (b"\n \n", "is empty"), (b"\xff\xfe", "no text")],
)
def test_lists_that_cannot_be_used_are_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ImageFileError, match=rf"a\.txt.*{words}"):
        read_lines(tmp_path / "a.txt")
