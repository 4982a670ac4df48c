from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.isic import Isic
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ImageFileError

PICTURES = "ISIC2018_Task1-2_Training_Input"
MASKS = "ISIC2018_Task1_Training_GroundTruth"


@pytest.fixture
def isic(tmp_path, write_jpeg, block):
    """Write two pictures, with the files that ISIC's archive holds beside them."""
    (tmp_path / MASKS).mkdir()
    for name in ("ISIC_0000000", "ISIC_0000001"):
        write_jpeg(tmp_path / PICTURES / f"{name}.jpg")
        mask = block(5, 5, 15, 25, value=255)
        Image.fromarray(mask).save(tmp_path / MASKS / f"{name}_segmentation.png")
    for extra in ("LICENSE.txt", "ISIC_0000000_superpixels.png"):
        (tmp_path / PICTURES / extra).write_text("beside")
    return tmp_path


def test_one_lesion_a_picture(isic):
    dataset = Isic.open(isic)
    assert dataset.names == ("ISIC_0000000", "ISIC_0000001")
    loaded = dataset.load(0)
    assert set(np.unique(loaded.classes)) == set(np.unique(loaded.instances)) == {0, 1}
    assert dataset.shown(0) == {1: 200}
    assert len(set(dataset.groups.values())) == 1
    (check,) = compare_with_published(dataset)
    assert (check.read, check.published) == (2, 2594)


def test_folders_by_diagnosis_are_groups(isic):
    for folder, name in (("1", "ISIC_0000000"), ("3", "ISIC_0000001")):
        (isic / PICTURES / folder).mkdir()
        path = isic / PICTURES / f"{name}.jpg"
        path.rename(isic / PICTURES / folder / path.name)
    dataset = Isic.open(isic)
    assert dataset.groups == {"ISIC_0000000": "1", "ISIC_0000001": "3"}
    assert dataset.load(1).image.shape == (40, 60, 3)


def test_broken_copies_are_named(isic, tmp_path):
    (isic / MASKS / "ISIC_0000001_segmentation.png").unlink()
    with pytest.raises(ImageFileError, match=r"ISIC_0000001_segmentation\.png is missing"):
        Isic.open(isic)
    with pytest.raises(ImageFileError, match=f"no {PICTURES}/"):
        Isic.open(tmp_path / MASKS)
    for part in (PICTURES, MASKS):
        (tmp_path / "empty" / part).mkdir(parents=True)
    with pytest.raises(ImageFileError, match=r"holds no ISIC_\*\.jpg"):
        Isic.open(tmp_path / "empty")
