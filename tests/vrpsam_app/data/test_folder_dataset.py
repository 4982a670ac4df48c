from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError


def test_a_bare_folder_holds_objects_of_one_class(tmp_path, write_folder, picture):
    folder = write_folder(tmp_path / "set", {"b": picture(90), "a": picture(80)})
    dataset = FolderDataset.open(folder)
    loaded = dataset.load(0)
    assert dataset.names == ("a", "b")
    assert len(dataset) == 2
    assert dataset.has_instances
    assert loaded.name == "a"
    assert loaded.class_names == ("object",)
    assert loaded.image.shape == (40, 60, 3)
    assert loaded.image.dtype == np.uint8
    assert loaded.image[0, 0, 0] == 80
    assert loaded.instances.dtype == loaded.classes.dtype == np.int32
    assert set(np.unique(loaded.instances)) == {0, 1, 2}
    assert ((loaded.classes == 1) == (loaded.instances > 0)).all()


def test_semantic_masks_have_classes_and_no_objects(tmp_path, write_folder, picture):
    meta = {"kind": "semantic", "classes": {"2": "myelin", "1": "axon", "7": "never"}}
    dataset = FolderDataset.open(write_folder(tmp_path / "set", {"a": picture()}, meta=meta))
    loaded = dataset.load(0)
    assert loaded.class_names == ("axon", "myelin", "never")
    assert not loaded.instances.any()
    assert (loaded.classes[5, 5], loaded.classes[20, 30]) == (1, 2)
    assert not dataset.has_instances


def test_binary_masks_may_hold_any_value(tmp_path, write_folder, picture):
    image, mask = picture()
    meta = {"kind": "binary", "classes": {"1": "vessel"}}
    folder = write_folder(tmp_path / "set", {"a": (image, (mask > 0) * np.uint8(255))}, meta=meta)
    loaded = FolderDataset.open(folder).load(0)
    assert set(np.unique(loaded.classes)) == {0, 1}
    assert not loaded.instances.any()


def test_grey_and_16_bit_files_are_read(tmp_path, write_folder, picture):
    _, mask = picture()
    image = np.full(mask.shape, 77, np.uint8)
    folder = write_folder(tmp_path / "set", {"a": (image, mask.astype(np.uint16) * 300)})
    loaded = FolderDataset.open(folder).load(0)
    assert (loaded.image == 77).all()
    assert set(np.unique(loaded.instances)) == {0, 300, 600}


def test_numbers_higher_than_pixels_are_many_are_closed_up(tmp_path, write_folder, picture):
    image, mask = picture()
    folder = write_folder(tmp_path / "set", {"a": (image, mask)})
    (folder / "masks" / "a.png").unlink()
    high = np.where(mask == 1, 2_000_000_000, np.where(mask == 2, 7, 0)).astype(np.uint32)
    tifffile.imwrite(folder / "masks" / "a.tif", high)
    loaded = FolderDataset.open(folder).load(0)
    # In the order of their numbers.
    assert np.array_equal(loaded.instances, np.where(mask == 1, 2, np.where(mask == 2, 1, 0)))
    assert np.array_equal(loaded.classes, mask > 0)


@pytest.mark.parametrize(("number", "dtype"), [(-1, np.int32), (1 << 31, np.uint32)])
def test_numbers_that_objects_cannot_have_are_refused(
    tmp_path, write_folder, picture, number, dtype
):
    image, mask = picture()
    folder = write_folder(tmp_path / "set", {"a": (image, mask)})
    (folder / "masks" / "a.png").unlink()
    wrong = mask.astype(dtype)
    wrong[0, 0] = number
    tifffile.imwrite(folder / "masks" / "a.tif", wrong)
    with pytest.raises(ImageError, match=rf"a\.tif holds the number {number}: expected"):
        FolderDataset.open(folder).load(0)


def test_accents_are_the_same_however_they_are_written(tmp_path, write_folder, picture):
    apart, together = "Zelle u\u0308 0", "Zelle \u00fc 0"
    documents = {"splits": {"train": [apart]}, "per_image": {together: {"modality": "stained"}}}
    folder = write_folder(tmp_path / "set", {together: picture()}, **documents)
    (folder / "images" / f"{together}.png").rename(folder / "images" / f"{apart}.png")
    dataset = FolderDataset.open(folder, "train")
    assert dataset.names == (together,)
    assert dataset.groups[together] == "stained/"
    assert dataset.load(0).image.shape == (40, 60, 3)


def test_endings_of_masks_may_be_large_or_of_tiff(tmp_path, write_folder, picture):
    folder = write_folder(tmp_path / "set", {"a": picture(), "b": picture()})
    (folder / "masks" / "a.png").rename(folder / "masks" / "a.PNG")
    (folder / "masks" / "b.png").unlink()
    Image.fromarray(picture()[1]).save(folder / "masks" / "b.tif")
    dataset = FolderDataset.open(folder)
    assert dataset.label_path(0).name == "a.PNG"
    assert np.array_equal(dataset.load(0).instances, dataset.load(1).instances)


def test_hidden_files_are_passed_over(tmp_path, write_folder, picture):
    folder = write_folder(tmp_path / "set", {"a": picture()})
    for part in ("images", "masks"):
        (folder / part / "._a.png").write_bytes(b"left by macOS")
    assert FolderDataset.open(folder).names == ("a",)


@pytest.mark.parametrize("part", ["images", "masks"])
def test_two_files_of_one_name_are_refused(tmp_path, write_folder, picture, part):
    folder = write_folder(tmp_path / "set", {"a": picture()})
    Image.fromarray(picture()[1]).save(folder / part / "a.tif")
    with pytest.raises(ImageFileError, match=rf"{part} holds both a\.png and a\.tif"):
        FolderDataset.open(folder)


def test_masks_with_palettes_hold_indices(tmp_path, write_folder, write_palette, picture):
    folder = write_folder(tmp_path / "set", {"a": picture()})
    write_palette(folder / "masks" / "a.png", picture()[1])
    dataset = FolderDataset.open(folder)
    assert np.array_equal(dataset.load(0).instances, picture()[1])
    assert dataset.shown(0) == {1: 150 + 240}


def test_splits_may_list_pictures(tmp_path, write_folder, picture):
    pictures = {name: picture() for name in ("a", "b", "c")}
    splits = {"train": ["c", "a"], "val": ["b"]}
    folder = write_folder(tmp_path / "set", pictures, splits=splits)
    assert FolderDataset.open(folder, "train").names == ("a", "c")
    assert FolderDataset.open(folder, "val").names == ("b",)
    assert FolderDataset.open(folder).names == ("a", "b", "c")


@pytest.fixture
def photographs(tmp_path, write_folder, picture):
    """Pictures with objects of named classes, split by class."""
    per_image = {
        "both": {"objects": {"1": "dog", "2": "cat"}, "licence": None},
        "cats": {"objects": {"2": "cat"}, "licence": "Attribution License"},
        "empty": {"objects": {}, "licence": None},
        "non_com": {"objects": {"1": "dog"}, "licence": "Attribution-NonCommercial License"},
        "no_deriv": {"objects": {"1": "dog"}, "licence": "Attribution-NoDerivs License"},
        "sa": {"objects": {"1": "dog"}, "licence": "Attribution-ShareAlike License"},
    }
    return write_folder(
        tmp_path / "photos",
        {name: picture() for name in per_image},
        meta={"kind": "instance", "classes": {"dog": 4, "cat": 2}},
        per_image=per_image,
        splits={"train_classes": ["dog"], "val_classes": ["cat"]},
    )


def test_splits_may_list_classes(photographs):
    dataset = FolderDataset.open(photographs, "train")
    loaded = dataset.load(0)
    assert dataset.class_names == ("cat", "dog")
    assert loaded.name == "both"
    # The cat belongs to the other split: it is background here.
    assert set(np.unique(loaded.instances)) == {0, 1}
    assert set(np.unique(loaded.classes)) == {0, 2}
    assert FolderDataset.open(photographs, "val").names == ("both", "cats")


def test_restricted_photographs_are_left_out_of_training_alone(photographs):
    assert FolderDataset.open(photographs, "train").names == ("both", "sa")
    everything = FolderDataset.open(photographs, "train", leave_out_restricted=False)
    assert everything.names == ("both", "no_deriv", "non_com", "sa")
    assert "non_com" in FolderDataset.open(photographs).names
    assert "non_com" not in FolderDataset.open(photographs, leave_out_restricted=True).names


def test_groups_part_modalities_and_magnifications(tmp_path, write_folder, picture):
    names = ("one_full", "one_q0", "one_t12", "two_full", "plain")
    per_image = {"plain": {"modality": "stained"}}
    folder = write_folder(
        tmp_path / "set", {name: picture() for name in names}, per_image=per_image
    )
    dataset = FolderDataset.open(folder)
    assert dataset.groups["one_full"] == dataset.groups["two_full"]
    assert dataset.groups["one_q0"] == dataset.groups["one_t12"]
    assert len(set(dataset.groups.values())) == 3
    assert dataset.fields["one_full"] == dataset.fields["one_q0"] == "one"
    assert dataset.fields["plain"] == "plain"


def test_unnamed_values_are_background_unless_nothing_is_named(tmp_path, write_folder, picture):
    meta = {"kind": "semantic", "classes": {"1": "cell"}}
    image, mask = picture()
    pictures = {"a": (image, mask), "b": (image, mask * np.uint8(9))}
    dataset = FolderDataset.open(write_folder(tmp_path / "set", pictures, meta=meta))
    assert set(np.unique(dataset.load(0).classes)) == {0, 1}
    with pytest.raises(ImageError, match=r"b\.png.*\[9, 18\].*classes"):
        dataset.load(1)


class TestBrokenFolders:
    def test_missing_parts(self, tmp_path, write_folder, picture):
        with pytest.raises(ImageFileError, match="no folder images/"):
            FolderDataset.open(tmp_path)
        folder = write_folder(tmp_path / "set", {"a": picture()})
        (folder / "masks" / "a.png").unlink()
        with pytest.raises(ImageFileError, match=r"a\.png is missing"):
            FolderDataset.open(folder)
        (folder / "images" / "a.png").unlink()
        with pytest.raises(ImageFileError, match="holds no pictures"):
            FolderDataset.open(folder)

    def test_mask_of_another_size(self, tmp_path, write_folder, picture):
        folder = write_folder(tmp_path / "set", {"a": (picture()[0], np.ones((9, 9), np.uint8))})
        with pytest.raises(ImageError, match=r"\(9, 9\).*\(40, 60\)"):
            FolderDataset.open(folder).load(0)

    def test_mask_in_colour(self, tmp_path, write_folder, picture):
        folder = write_folder(tmp_path / "set", {"a": (picture()[0], picture()[0])})
        with pytest.raises(ImageError, match="one channel"):
            FolderDataset.open(folder).load(0)

    def test_mask_that_is_no_picture(self, tmp_path, write_folder, picture):
        folder = write_folder(tmp_path / "set", {"a": picture()})
        (folder / "masks" / "a.png").write_text("no picture")
        with pytest.raises(ImageFileError):
            FolderDataset.open(folder).load(0)

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("meta", "{", "not readable JSON"),
            ("meta", "[1]", "expected one JSON object"),
            ("meta", '{"kind": "polygons"}', "kind is 'polygons'"),
            ("meta", '{"classes": 3}', "classes is 3"),
            ("meta", '{"kind": "semantic", "classes": {"cell": 1}}', "by mask value"),
            ("per_image", '{"a": 1}', "entry 'a'"),
            ("per_image", '{"a": {"objects": {"x": "dog"}}}', "from mask value to class"),
            ("splits", '{"val": ["a"]}', "no list 'train'.*add one, such as"),
            ("splits", '{"train": "a"}', "must be a list"),
            ("splits", '{"train_classes": ["dog"]}', "which object is of which class"),
            ("splits", '{"train": []}', "no picture for the split"),
        ],
    )
    def test_json_that_makes_no_sense(self, tmp_path, write_folder, picture, name, text, words):
        folder = write_folder(tmp_path / "set", {"a": picture()})
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        kind = ImageFileError if "[]" in text else ConfigError
        with pytest.raises(kind, match=words):
            FolderDataset.open(folder, "train")

    def test_splits_that_name_missing_pictures(self, tmp_path, write_folder, picture):
        splits = {"train": ["a", "z"]}
        folder = write_folder(tmp_path / "set", {"a": picture()}, splits=splits)
        with pytest.raises(ImageFileError, match=r"\['z'\].*images/"):
            FolderDataset.open(folder, "train")

    @pytest.mark.parametrize(("train", "val"), [(["a_t1", "b"], ["b"]), (["a_t1", "b"], ["a_t2"])])
    @pytest.mark.parametrize("split", ["train", "val"])
    def test_splits_that_share_a_field(self, tmp_path, write_folder, picture, train, val, split):
        pictures = {name: picture() for name in ("a_t1", "a_t2", "b")}
        folder = write_folder(tmp_path / "set", pictures, splits={"train": train, "val": val})
        words = "b' under 'train' and 'b" if val == ["b"] else "a_t1' under 'train' and 'a_t2"
        with pytest.raises(ConfigError, match=rf"splits\.json lists '{words}' under 'val'"):
            FolderDataset.open(folder, split)

    def test_splits_that_name_unknown_classes(self, photographs):
        (photographs / "splits.json").write_text('{"train_classes": ["dgo"]}', encoding="utf-8")
        with pytest.raises(ConfigError, match=r"\['dgo'\]"):
            FolderDataset.open(photographs, "train")

    def test_no_splits(self, tmp_path, write_folder, picture):
        folder = write_folder(tmp_path / "set", {"a": picture()})
        with pytest.raises(ConfigError, match=r'has no splits.*add one.*"train": \["a", "b"\]'):
            FolderDataset.open(folder, "train")

    def test_unknown_split(self, photographs):
        with pytest.raises(ConfigError, match="'test' is unknown"):
            FolderDataset.open(photographs, "test")


def test_pictures_with_other_endings_are_found(tmp_path, write_folder, picture):
    folder = write_folder(tmp_path / "set", {"a": picture()})
    image = Image.open(folder / "images" / "a.png")
    image.save(folder / "images" / "b.JPG", "JPEG")
    Image.open(folder / "masks" / "a.png").save(folder / "masks" / "b.png")
    (folder / "images" / "notes.txt").write_text("not a picture")
    assert FolderDataset.open(folder).names == ("a", "b")
