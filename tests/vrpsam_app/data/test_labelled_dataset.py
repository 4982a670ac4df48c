from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.labelled_dataset import (
    LabelledFiles,
    LabelledImage,
    Labels,
    class_areas,
    own_fields,
    ungrouped,
)
from vrpsam_app.errors import ImageError


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OnePicture(LabelledFiles):
    folder: Path
    read: list[int]

    def image_path(self, index):
        return self.folder / "a.jpg"

    def label_path(self, index):
        return self.folder / "a.png"

    def labels(self, index):
        self.read.append(index)
        classes = np.zeros((40, 60), np.int32)
        classes[:10] = 2
        return Labels(np.zeros_like(classes), classes)


@pytest.fixture
def one_picture(tmp_path) -> OnePicture:
    return OnePicture(
        name="one",
        names=("a",),
        class_names=("sky", "sea"),
        groups=ungrouped(("a",)),
        fields=own_fields(("a",)),
        has_instances=False,
        folder=tmp_path,
        read=[],
    )


def test_pictures_stay_as_they_are_in_their_files(one_picture, write_jpeg):
    write_jpeg(one_picture.image_path(0), grey=True)
    loaded = one_picture.load(0)
    assert loaded.image.shape == (40, 60)
    assert loaded.class_names == ("sky", "sea")
    assert len(one_picture) == 1


def test_16_bits_are_kept(one_picture):
    image = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)
    Image.fromarray(image).save(one_picture.image_path(0), format="PNG")
    assert np.array_equal(one_picture.load(0).image, image)
    assert one_picture.load(0).image.dtype == np.uint16


def test_labels_of_another_size_name_both_files(one_picture, write_jpeg):
    write_jpeg(one_picture.image_path(0), (30, 60))
    with pytest.raises(ImageError, match=r"a\.png has shape \(40, 60\).*a\.jpg \(30, 60\)"):
        one_picture.load(0)


def test_what_is_shown_is_read_once(one_picture):
    assert one_picture.shown(0) == one_picture.shown(0) == {2: 600}
    assert one_picture.read == [0]


def test_class_areas_leave_out_background_and_absent_classes():
    assert class_areas(np.array([[0, 3], [3, 1]], np.int32)) == {1: 1, 3: 2}


def test_unknown_pixels_depend_on_the_class_asked():
    classes = np.array([[1, 2, 0, 0, 1, 1]], np.int32)
    ignored = np.array([[0, 1, 1, -1, 1, -1]], np.int32)
    picture = LabelledImage("a", np.zeros((1, 6, 3), np.uint8), classes, classes, ("a", "b"))
    assert not picture.ignored_for(1).any()
    crowd = LabelledImage("a", picture.image, classes, classes, ("a", "b"), ignored)
    assert crowd.ignored_for(1).tolist() == [[False, True, True, True, False, False]]
    assert crowd.ignored_for(2).tolist() == [[False, False, False, True, False, True]]
