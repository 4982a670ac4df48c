from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.kvasir import Kvasir
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ImageFileError


@pytest.fixture
def kvasir(tmp_path, write_jpeg, block):
    """Write one picture with two polyps; its mask is a JPEG with a speck of compression."""
    write_jpeg(tmp_path / "images" / "cju0.jpg", (96, 96))
    mask = block(8, 8, 40, 40, hw=(96, 96), value=255)
    mask[56:88, 48:80] = 255
    mask[90:93, 3:6] = 200
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.stack([mask] * 3, 2)).save(tmp_path / "masks" / "cju0.jpg", quality=85)
    (tmp_path / "kavsir_bboxes.json").write_text("{}")
    return tmp_path


def test_masks_are_jpegs_and_their_parts_polyps(kvasir):
    dataset = Kvasir.open(kvasir)
    loaded = dataset.load(0)
    assert dataset.class_names == ("polyp",)
    assert set(np.unique(loaded.classes)) == {0, 1}
    numbers, areas = np.unique(loaded.instances[loaded.instances > 0], return_counts=True)
    assert len(numbers) == 2
    assert (np.abs(areas - 1024) < 100).all()
    (check,) = compare_with_published(dataset)
    assert (check.read, check.published) == (1, 1000)


def test_broken_copies_are_named(kvasir, tmp_path):
    (kvasir / "masks" / "cju0.jpg").unlink()
    with pytest.raises(ImageFileError, match=r"masks/cju0\.jpg is missing"):
        Kvasir.open(kvasir)
    (kvasir / "images" / "cju0.jpg").unlink()
    with pytest.raises(ImageFileError, match=r"holds no \*\.jpg"):
        Kvasir.open(kvasir)
    with pytest.raises(ImageFileError, match="no images/"):
        Kvasir.open(tmp_path / "masks")
