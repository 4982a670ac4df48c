"""Faces in the layout of the data set as it is unpacked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.celebamask_hq import CLASSES, EXPECTED, CelebAMaskHQ, is_covered
from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.published_counts import compare_with_published
from vrpsam_app.errors import ConfigError, ImageFileError

SIDE = 16
PLACES = {
    "skin": (0, 0, 16, 16), "nose": (7, 7, 9, 9), "l_eye": (4, 9, 6, 12), "r_eye": (4, 4, 6, 7),
    "l_brow": (2, 9, 3, 12), "r_brow": (2, 4, 3, 7), "u_lip": (11, 6, 12, 10),
    "l_lip": (12, 6, 13, 10), "hair": (0, 0, 2, 16), "eye_g": (4, 4, 6, 12), "hat": (0, 0, 2, 16),
}  # fmt: skip


def face(root: Path, number: int, parts: tuple[str, ...]) -> None:
    folder = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
    folder.mkdir(parents=True, exist_ok=True)
    (root / "CelebA-HQ-img").mkdir(exist_ok=True)
    picture = np.full((2 * SIDE, 2 * SIDE, 3), number % 200, np.uint8)
    Image.fromarray(picture).save(root / "CelebA-HQ-img" / f"{number}.jpg")
    for part in parts:
        mask = np.zeros((SIDE, SIDE, 3), np.uint8)
        top, left, bottom, right = PLACES[part]
        mask[top:bottom, left:right] = 255
        Image.fromarray(mask).save(folder / f"{number:05d}_{part}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five faces: two clear ones, one with glasses, one with a hat, one without a brow."""
    face(tmp_path, 0, (*EXPECTED, "hair"))
    face(tmp_path, 1, (*EXPECTED, "eye_g"))
    face(tmp_path, 2, (*EXPECTED, "hat"))
    face(tmp_path, 3, tuple(p for p in EXPECTED if p != "r_brow"))
    face(tmp_path, 2001, EXPECTED)
    (tmp_path / "CelebAMask-HQ-mask-anno" / "0" / "notes.txt").write_text("x")
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text(
        "idx\torig_idx\torig_file\n"
        "0           119613      119614.jpg\n"
        "1           99094       099095.jpg\n"
        "2           200121      200122.jpg\n"
        "3           162770      162771.jpg\n"
        "2001        182638      182639.jpg\n"
    )
    return tmp_path


def test_covered_faces_are_left_out(root: Path):
    assert CelebAMaskHQ.open(root).names == ("0", "2001")
    assert CelebAMaskHQ.open(root, leave_out_covered=False).names == ("0", "1", "2", "3", "2001")
    assert CelebAMaskHQ.open(root, most=1).names == ("0",)
    assert not is_covered(EXPECTED)
    assert is_covered((*EXPECTED, "hat"))
    assert is_covered(EXPECTED[1:])


def test_the_split_is_celebas(root: Path):
    train = CelebAMaskHQ.open(root, "train", leave_out_covered=False)
    val = CelebAMaskHQ.open(root, "val", leave_out_covered=False)
    assert train.names == ("0", "1", "3")
    assert val.names == ("2", "2001")
    assert CelebAMaskHQ.open(root, "val").names == ("2001",)


def test_pictures_are_brought_to_the_size_of_the_masks(root: Path):
    dataset = CelebAMaskHQ.open(root)
    picture = dataset.load(0)
    assert picture.image.shape == (SIDE, SIDE, 3)
    assert picture.classes.shape == picture.instances.shape == (SIDE, SIDE)
    assert picture.class_names == CLASSES


def test_left_and_right_are_two_objects_of_a_class(root: Path):
    picture = CelebAMaskHQ.open(root).load(0)
    eyes = picture.classes == CLASSES.index("eye") + 1
    assert eyes.sum() == 12
    assert len(np.unique(picture.instances[eyes])) == 2
    assert picture.instances[5, 5] != picture.instances[5, 10]
    lips = {CLASSES[c - 1] for c in np.unique(picture.classes[11:13, 6:10])}
    assert lips == {"upper lip", "lower lip"}


def test_later_parts_cover_earlier_ones(root: Path):
    picture = CelebAMaskHQ.open(root).load(0)
    assert CLASSES[picture.classes[1, 5] - 1] == "hair"  # over the skin
    assert CLASSES[picture.classes[8, 8] - 1] == "nose"
    assert CLASSES[picture.classes[15, 15] - 1] == "skin"
    shown = CelebAMaskHQ.open(root).shown(0)
    assert shown[CLASSES.index("hair") + 1] == 32
    assert CLASSES.index("hat") + 1 not in shown


def test_counts_stand_beside_the_published_ones(root: Path):
    (check,) = compare_with_published(CelebAMaskHQ.open(root, "train", leave_out_covered=False))
    assert (check.read, check.published, check.agrees) == (3, 24_183, False)
    (part,) = compare_with_published(CelebAMaskHQ.open(root))
    assert part.published is None


def test_it_has_a_word_on_the_command_line(root: Path):
    words = DataWords.parse(f"{root},celebamask")
    (dataset,) = words.open()
    assert dataset.names == ("2001",)
    assert words.open_part("train").names == ("0",)


def test_what_is_not_there_is_named(root: Path, tmp_path: Path):
    with pytest.raises(ImageFileError, match="as it is unpacked"):
        CelebAMaskHQ.open(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="'train' or 'val'"):
        CelebAMaskHQ.open(root, "test")
    (root / "CelebA-HQ-img" / "2001.jpg").unlink()
    with pytest.raises(ImageFileError, match=r"2001\.jpg is missing"):
        CelebAMaskHQ.open(root)


@pytest.mark.parametrize("text", [None, "idx orig_idx\n0 what\n", "header\n5\n"])
def test_a_mapping_that_cannot_be_read_is_named(root: Path, text: str | None):
    path = root / "CelebA-HQ-to-CelebA-mapping.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ImageFileError, match="orig_idx, orig_file"):
        CelebAMaskHQ.open(root, "train")
    assert CelebAMaskHQ.open(root).names == ("0", "2001")


def test_a_mask_in_the_wrong_folder_or_of_another_size_is_named(root: Path):
    folder = root / "CelebAMask-HQ-mask-anno"
    Image.new("L", (9, 9)).save(folder / "0" / "00000_neck.png")
    with pytest.raises(ImageFileError, match="expected one size"):
        CelebAMaskHQ.open(root).load(0)
    Image.new("L", (SIDE, SIDE)).save(folder / "1" / "00004_skin.png")
    with pytest.raises(ImageFileError, match="wrong folder"):
        CelebAMaskHQ.open(root)


def test_no_face_left_is_said(tmp_path: Path):
    face(tmp_path, 7, (*EXPECTED, "hat"))
    with pytest.raises(ImageFileError, match="no picture left of 1"):
        CelebAMaskHQ.open(tmp_path)
