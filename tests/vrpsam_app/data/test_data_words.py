"""Words on the command line name pictures to learn from and to measure on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.picture_classes import PictureClasses
from vrpsam_app.errors import ConfigError, ImageFileError


@pytest.fixture
def pets_folder(tmp_path: Path, write_folder: Callable[..., Path], picture: Callable) -> Path:
    """Eight pictures with two numbered objects each, all of them dogs."""
    named = {"objects": {"1": "dog", "2": "dog"}, "modality": "day"}
    pictures = {f"p{k}": picture(shade=100 + k) for k in range(8)}
    return write_folder(
        tmp_path / "data" / "pets",
        pictures,
        meta={"kind": "instance", "classes": {"dog": 1}},
        per_image=dict.fromkeys(pictures, named),
    )


def test_words_are_read():
    words = DataWords.parse("some/folder,one-image,components,kinds")
    assert words == DataWords(Path("some/folder"), one_image=True, components=True, kinds=True)
    assert DataWords.parse("VOC2012,pascal5i,fold=3").benchmark == "pascal5i"
    assert DataWords.parse("VOC2012,pascal5i,fold=3").fold == 3


def test_words_of_training_are_read_too():
    words = DataWords.parse("cells,upright,weight=2.5,novel=background")
    expected = DataWords(Path("cells"), upright=True, weight=2.5, novel="background")
    assert words == expected
    assert words.facts() == {
        "name": "cells",
        "weight": 2.5,
        "one_image": False,
        "upright": True,
    }
    assert DataWords.parse("VOC,pascal5i,fold=2").facts()["fold"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "cells,two-images",
        "cells,fold=x",
        "cells,",
        ",upright",
        "cells,weight=x",
        "cells,weight=0",
        "cells,weight=-1",
        "cells,novel=seen",
    ],
)
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


def test_each_part_is_opened_alone(pets_folder: Path):
    (pets_folder / "splits.json").write_text('{"train": ["p0", "p3"], "val": ["p1", "p2"]}')
    words = DataWords(pets_folder)
    assert words.open_part("train").names == ("p0", "p3")
    assert words.open_part("val").names == ("p1", "p2")


def test_of_folds_training_gets_the_other_classes(tmp_path: Path, write_palette, write_jpeg):
    labels = np.zeros((80, 80), np.uint8)
    labels[5:65, 5:65] = 6  # a bus, of fold 1
    for name in ("a", "b"):
        write_palette(tmp_path / "SegmentationClassAug" / f"{name}.png", labels)
        write_jpeg(tmp_path / "JPEGImages" / f"{name}.jpg", (80, 80))
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for part in ("trainaug", "val"):
        (lists / f"{part}.txt").write_text("a\nb\n")
    assert DataWords.parse(f"{tmp_path},pascal5i,fold=0").open_part("train").names == ("a", "b")
    assert DataWords.parse(f"{tmp_path},pascal5i,fold=1").open_part("val").names == ("a", "b")
    with pytest.raises(ImageFileError, match="none of 2 label images"):
        DataWords.parse(f"{tmp_path},pascal5i,fold=1").open_part("train")


@pytest.mark.parametrize("text", ["synthetic", "{},kvasir", "{},isic", "{},perseg"])
def test_what_is_only_measured_on_is_not_learned_from(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="measured on"):
        DataWords.parse(text.format(tmp_path)).open_part("train")


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
