from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.perseg import PerSeg
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ImageFileError


@pytest.fixture
def perseg(tmp_path, write_jpeg):
    """Write two objects; the masks are painted in dark red."""
    for label in ("backpack", "cat"):
        for number in ("00", "01"):
            write_jpeg(tmp_path / "Images" / label / f"{number}.jpg")
            mask = np.zeros((40, 60, 3), np.uint8)
            mask[5:15, 5:25, 0] = 128
            path = tmp_path / "Annotations" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
    return tmp_path


def test_each_object_is_a_class(perseg):
    dataset = PerSeg.open(perseg)
    assert dataset.names == ("backpack/00", "backpack/01", "cat/00", "cat/01")
    assert dataset.class_names == ("backpack", "cat")
    assert dataset.shown(2) == {2: 200}
    loaded = dataset.load(2)
    assert loaded.image.shape == (40, 60, 3)
    assert (loaded.instances == (loaded.classes > 0)).all()


def test_other_files_beside_the_pictures_do_no_harm(perseg):
    (perseg / "Images" / "cat" / "Thumbs.db").write_bytes(b"0")
    assert len(PerSeg.open(perseg)) == 4


def test_counts(perseg):
    _, classes = compare_with_published(PerSeg.open(perseg))
    assert (classes.read, classes.published) == (2, 40)


def test_broken_copies_are_named(perseg, tmp_path):
    (perseg / "Annotations" / "cat" / "01.png").unlink()
    with pytest.raises(ImageFileError, match=r"Annotations/cat/01\.png is missing.*01\.jpg"):
        PerSeg.open(perseg)
    with pytest.raises(ImageFileError, match="lacks Images/ or Annotations/"):
        PerSeg.open(tmp_path / "Images")
    for part in ("Images", "Annotations"):
        (tmp_path / "empty" / part).mkdir(parents=True)
    with pytest.raises(ImageFileError, match="holds no pictures"):
        PerSeg.open(tmp_path / "empty")
