from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.picture_classes import PictureClasses
from vrpsam_app.errors import ConfigError

META = {
    "kind": "semantic",
    "classes": {"1": "cytoplasm", "2": "nucleus"},
    "image_classes": {"5": "basophil", "1": "neutrophil"},
}


def write(tmp_path, write_folder, picture, meta=META, numbers=None):
    documents = {"meta": meta, "per_image_class": numbers or {"001": 1, "002": 5, "unused": 9}}
    return write_folder(tmp_path / "blood", {"001": picture(), "002": picture()}, **documents)


def test_whatever_is_labelled_is_one_object_of_the_picture_s_class(tmp_path, write_folder, picture):
    dataset = PictureClasses.open(write(tmp_path, write_folder, picture))
    assert dataset.class_names == ("neutrophil", "basophil")
    assert dataset.has_instances
    assert [set(dataset.shown(index)) for index in (0, 1)] == [{1}, {2}]
    loaded = dataset.load(1)
    assert set(np.unique(loaded.instances)) == {0, 1}
    assert dataset.shown(1)[2] == 150 + 240


def test_numbers_need_names(tmp_path, write_folder, picture):
    folder = write(tmp_path, write_folder, picture, numbers={"001": 1, "002": 3})
    with pytest.raises(ConfigError, match=r"class of '002' is 3, expected one of 1, 5"):
        PictureClasses.open(folder)


@pytest.mark.parametrize("named", [None, {}, ["a"], {"one": "a"}])
def test_names_need_numbers(tmp_path, write_folder, picture, named):
    folder = write(tmp_path, write_folder, picture, meta=META | {"image_classes": named})
    with pytest.raises(ConfigError, match=r"meta\.json: image_classes is"):
        PictureClasses.open(folder)
