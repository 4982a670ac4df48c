from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.errors import ImageFileError
from vrpsam_app.web.pictures import (
    PREVIEW_SIDE,
    DecodedPictures,
    keep_file,
    new_folder,
    open_picture,
    without_folders,
)


def test_large_picture_is_sent_small_and_kept_whole(tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (3000, 1500), (200, 10, 10)).save(path)
    picture = open_picture(path)
    sent = Image.open(io.BytesIO(picture.jpeg))
    assert picture.hw == (1500, 3000)
    assert sent.size == (PREVIEW_SIDE, PREVIEW_SIDE // 2)
    assert np.abs(np.asarray(sent).astype(int) - (200, 10, 10)).max() <= 6


def test_small_picture_is_not_enlarged(tmp_path):
    path = tmp_path / "small.png"
    Image.new("L", (30, 20), 77).save(path)
    assert Image.open(io.BytesIO(open_picture(path).jpeg)).size == (30, 20)


def test_rotation_of_the_camera_is_applied(tmp_path):
    path = tmp_path / "upright.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), "red").save(path, exif=exif)
    picture = open_picture(path)
    assert picture.hw == (60, 40)
    assert Image.open(io.BytesIO(picture.jpeg)).size == (40, 60)


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (300, 300)).save(path)
    with pytest.raises(ImageFileError, match=r"large\.png"):
        open_picture(path, max_pixels=80_000)


def test_id_is_of_the_content(tmp_path):
    for name, shade in (("a", 1), ("b", 1), ("c", 2)):
        Image.new("L", (9, 9), shade).save(tmp_path / f"{name}.png")
    a, b, c = (open_picture(tmp_path / f"{name}.png").id for name in "abc")
    assert a == b != c


def test_decoded_pictures_keep_to_their_budget(tmp_path):
    pictures = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("L", (100, 100), number).save(path)
        pictures.append(open_picture(path))
    cache = DecodedPictures(budget=25_000)
    first = cache.read(pictures[0])
    assert cache.read(pictures[0]) is first
    assert not first.flags.writeable
    for picture in pictures[1:]:
        assert cache.read(picture).shape == (100, 100)
    assert cache.read(pictures[0]) is not first


def test_vanished_file_is_a_sentence(tmp_path):
    path = tmp_path / "gone.png"
    Image.new("L", (9, 9)).save(path)
    picture = open_picture(path)
    path.unlink()
    with pytest.raises(ImageFileError, match="Reload the page"):
        DecodedPictures().read(picture)


def test_kept_files_never_replace_each_other(tmp_path):
    source = tmp_path / "x.png"
    source.write_bytes(b"1")
    folder = tmp_path / "kept"
    folder.mkdir()
    assert [keep_file(source, folder).name for _ in range(3)] == ["x.png", "x-2.png", "x-3.png"]


def test_sentences_do_not_tell_where_files_lie(tmp_path):
    folder = new_folder()
    sentence = f"{folder}/in it/my photo.png is damaged; {tmp_path}/x.png too."
    assert without_folders(f"{folder}/a/my photo.png is damaged") == "my photo.png is damaged"
    assert str(folder) not in without_folders(sentence)
    assert without_folders(sentence, str(tmp_path)).endswith("; x.png too.")
