from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError, ImageError, OutputError
from vrpsam_app.objects.measurements import measure
from vrpsam_app.objects.saved_labels import (
    LabelFiles,
    SavedLabels,
    is_saved_result,
    label_classes,
    recipe_of_metadata,
    save_labels,
)
from vrpsam_app.objects.tables import measure_stack
from vrpsam_app.recipe import Recipe, TargetRecord
from vrpsam_app.references import Reference
from vrpsam_app.stacks.stack import PixelSize, Stack


@pytest.fixture
def recipe():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    mask = np.zeros((8, 8), bool)
    mask[2:4, 2:5] = True
    reference = Reference.from_mask(image, mask, label="nucleus")
    return Recipe.from_run([reference], [TargetRecord.from_image("a", image)], {"method": "x"})


@pytest.fixture
def labels():
    values = np.zeros((3, 40, 50), np.int32)
    values[:, 4:12, 6:20] = 7
    values[1, 20:30, 20:30] = 70_000
    return Stack.from_array(values, axes=["z"], pixel_size=PixelSize(0.3, 0.3, 0.9), name="cells")


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.ome.zarr"])
def test_labels_come_back_with_recipe_and_table(tmp_path, labels, recipe, name):
    table = measure(labels.plane((1,)), pixel_size=labels.pixel_size)
    written = save_labels(tmp_path / name, labels, recipe=recipe, table=table)
    assert [path.name for path in written] == [name, "a_recipe.json", "a.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in written)
    assert is_saved_result(tmp_path / name)
    found = SavedLabels.open(tmp_path / name)
    assert np.array_equal(found.stack.data.compute(), labels.data.compute())
    assert (found.stack.axes, found.stack.pixel_size) == (("z",), labels.pixel_size)
    assert found.recipe.to_json() == recipe.to_json()
    assert found.table["label"].tolist() == [7, 70_000]
    assert found.table["area_um2"].tolist() == pytest.approx(table["area_um2"].tolist())


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_nothing_is_replaced_unasked(tmp_path, labels, recipe, name):
    save_labels(tmp_path / name, labels, recipe=recipe)
    with pytest.raises(OutputError, match="exists"):
        save_labels(tmp_path / name, labels)
    other = Stack.from_array(np.ones((40, 50), np.uint8))
    save_labels(tmp_path / name, other, overwrite=True)
    found = SavedLabels.open(tmp_path / name)
    assert found.stack.axes == ()
    # The recipe of the labels that were there says nothing of the new ones.
    assert found.recipe is None


def test_a_folder_of_another_program_is_kept(tmp_path, labels):
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    (folder / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="not written by this program"):
        save_labels(folder, labels, overwrite=True)
    assert (folder / "mine.txt").read_text() == "kept"


def test_objects_have_the_recipe_of_the_masks_they_were_cut_from(tmp_path, labels, recipe):
    save_labels(tmp_path / "cells_objects.tif", labels)
    assert not is_saved_result(tmp_path / "cells_objects.tif")
    recipe.save(tmp_path / "cells_labels_recipe.json")
    assert is_saved_result(tmp_path / "cells_objects.tif")
    assert SavedLabels.open(tmp_path / "cells_objects.tif").recipe is not None


@pytest.fixture
def two_classes(recipe):
    (reference,) = recipe.references
    other = replace(reference, label="a/b")
    return replace(recipe, references=(reference, other, other.as_not_this()))


def test_numbers_of_a_run_are_classes(tmp_path, recipe, two_classes):
    path = tmp_path / "cells_labels.ome.zarr"
    assert label_classes(path) == ()
    for kept, classes in ((recipe, ()), (two_classes, ("nucleus", "a/b"))):
        kept.save(tmp_path / "cells_labels_recipe.json", overwrite=True)
        assert label_classes(path) == classes
    assert label_classes(tmp_path / "cells_nucleus_objects.tif") == ()
    followed = replace(two_classes, sections={"memory": {"follow": "object"}})
    followed.save(tmp_path / "film_labels_recipe.json")
    assert label_classes(tmp_path / "film_labels.tif") == ()
    (tmp_path / "cells_labels.csv").write_text("label,class\n")  # a table of objects
    assert label_classes(path) == ()


def test_numbers_of_a_picture_are_classes_if_it_has_their_masks(tmp_path, two_classes):
    two_classes.save(tmp_path / "recipe.json")
    path = tmp_path / "cells_labels.png"
    (tmp_path / "cells_nucleus_mask.png").touch()
    assert label_classes(path) == ()
    (tmp_path / "cells_a-b_mask.png").touch()
    assert label_classes(path) == ("nucleus", "a/b")
    (tmp_path / "recipe.json").write_text("{}")
    assert label_classes(path) == ()


def test_what_is_no_result_is_not_one(tmp_path):
    assert not is_saved_result(tmp_path / "a.tif")
    assert not is_saved_result(tmp_path / "a.png")
    with pytest.raises(OutputError, match=r"ends in"):
        LabelFiles.of(tmp_path / "a.png")


def test_fractions_and_colours_are_no_labels(tmp_path):
    for values in (np.ones((4, 5)), np.ones((4, 5, 3), np.uint8)):
        with pytest.raises(ImageError, match="whole numbers"):
            save_labels(tmp_path / "a.tif", Stack.from_array(values))


def test_a_damaged_table_or_recipe_says_so(tmp_path, labels):
    save_labels(tmp_path / "a.tif", labels)
    (tmp_path / "a.csv").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"a\.csv"):
        SavedLabels.open(tmp_path / "a.tif")
    assert recipe_of_metadata(None) is None
    with pytest.raises(ConfigError, match="layer carries"):
        recipe_of_metadata({"schema_version": 99})


def test_classes_come_back_as_they_were(tmp_path, labels):
    table = measure_stack(labels, classes={7: "1"}).objects  # a class may be called by a digit
    save_labels(tmp_path / "a.tif", labels, table=table)
    found = SavedLabels.open(tmp_path / "a.tif")
    assert found.classes == {7: "1", 70_000: ""}
    assert found.table["class"].tolist() == ["1", ""]
    save_labels(tmp_path / "b.tif", labels)
    assert SavedLabels.open(tmp_path / "b.tif").classes == {}


def test_objects_of_one_of_several_classes_have_the_recipe_of_all(tmp_path, labels, recipe):
    nucleus = recipe.references[0]
    rod = replace(nucleus, label="long rod")
    several = replace(recipe, references=(nucleus, rod))
    several.save(tmp_path / "cells_a_labels_recipe.json")
    for name in ("cells_a_long-rod_objects.tif", "cells_a_other_objects.tif"):
        save_labels(tmp_path / name, labels)
    assert is_saved_result(tmp_path / "cells_a_long-rod_objects.tif")
    assert not is_saved_result(tmp_path / "cells_a_other_objects.tif")
    found = SavedLabels.open(tmp_path / "cells_a_long-rod_objects.tif")
    assert [r.label for r in found.recipe.references] == ["nucleus", "long rod"]
    (tmp_path / "cells_a_labels_recipe.json").write_text("{")
    assert not is_saved_result(tmp_path / "cells_a_long-rod_objects.tif")
