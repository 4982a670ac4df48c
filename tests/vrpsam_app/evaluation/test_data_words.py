from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.picture_classes import PictureClasses
from vrpsam_app.errors import ConfigError, ImageFileError
from vrpsam_app.evaluation.data_words import DataWords


def test_words_are_read():
    words = DataWords.parse("some/folder,one-image,components,kinds")
    assert words == DataWords(Path("some/folder"), one_image=True, components=True, kinds=True)
    assert DataWords.parse("VOC2012,pascal5i,fold=3").benchmark == "pascal5i"
    assert DataWords.parse("VOC2012,pascal5i,fold=3").fold == 3


def test_words_of_training_change_nothing():
    assert DataWords.parse("cells,upright,weight=2") == DataWords(Path("cells"))


@pytest.mark.parametrize("text", ["cells,two-images", "cells,fold=x", "cells,", ",upright"])
def test_unknown_words_are_named(text: str):
    with pytest.raises(ConfigError, match="--data"):
        DataWords.parse(text)


def test_a_folder_without_splits_is_taken_whole(pets_folder: Path):
    (dataset,) = DataWords(pets_folder).open()
    assert isinstance(dataset, FolderDataset)
    assert len(dataset) == 8


def test_of_a_folder_with_splits_the_validation_part_is_taken(pets_folder: Path):
    (pets_folder / "splits.json").write_text('{"train": ["p0"], "val": ["p1", "p2"]}')
    (dataset,) = DataWords(pets_folder).open()
    assert dataset.names == ("p1", "p2")


def test_a_folder_of_folders_gives_each_that_has_a_validation_part(pets_folder: Path):
    twin = pets_folder.parent / "only-training"
    shutil.copytree(pets_folder, twin)
    (twin / "splits.json").write_text('{"train": ["p0", "p1"], "val": []}')
    (pets_folder.parent / "notes").mkdir()
    datasets = DataWords(pets_folder.parent).open()
    assert [d.name for d in datasets] == ["pets"]


def test_a_folder_of_folders_for_training_alone_is_refused(pets_folder: Path):
    (pets_folder / "splits.json").write_text('{"train": ["p0", "p1"]}')
    with pytest.raises(ImageFileError, match="for validation"):
        DataWords(pets_folder.parent).open()


def test_kinds_are_read_from_their_document(pets_folder: Path):
    (pets_folder / "meta.json").write_text('{"image_classes": {"1": "odd", "2": "even"}}')
    numbers = ", ".join(f'"p{i}": {1 + i % 2}' for i in range(8))
    (pets_folder / "per_image.json").unlink()
    (pets_folder / "per_image_class.json").write_text(f"{{{numbers}}}")
    (dataset,) = DataWords(pets_folder, kinds=True).open()
    assert isinstance(dataset, PictureClasses)
    assert dataset.class_names == ("odd", "even")


def test_scenes_need_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from vrpsam_app.data.synthetic_dataset import SyntheticDataset

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SyntheticDataset, "draw", classmethod(lambda cls: "scenes"))
    assert DataWords.parse("synthetic").open() == ["scenes"]


@pytest.mark.parametrize("benchmark", ["fss1000", "perseg", "davis2017", "isic", "kvasir"])
def test_benchmarks_are_opened_by_their_readers(benchmark: str, tmp_path: Path):
    with pytest.raises(ImageFileError):
        DataWords.parse(f"{tmp_path},{benchmark}").open()


@pytest.mark.parametrize("benchmark", ["pascal5i", "coco20i"])
def test_folds_are_handed_on(benchmark: str, tmp_path: Path):
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(ConfigError, match="7"):
        DataWords.parse(f"{tmp_path},{benchmark},fold=7").open()


def test_what_is_no_folder_is_named(tmp_path: Path):
    with pytest.raises(ImageFileError, match="nothing-here is not a folder"):
        DataWords(tmp_path / "nothing-here").open()
    with pytest.raises(ImageFileError, match="has no folder images/"):
        DataWords(tmp_path).open()
