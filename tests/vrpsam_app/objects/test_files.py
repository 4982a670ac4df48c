from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from vrpsam_app.errors import ConfigError, ImageError, OutputError
from vrpsam_app.objects.files import ObjectPaths, write_objects
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.stacks.stack import PixelSize

SIZE = PixelSize(0.5, 0.5, 2.0)
PLANE = np.zeros((8, 9), np.int32)
PLANE[1:4, 1:5], PLANE[5:7, 4:8] = 3, 8


def test_a_picture_has_labels_and_a_table(tmp_path):
    paths = ObjectPaths.of(tmp_path, "cells", stack=False)
    assert [p.name for p in paths] == ["cells_objects.tif", "cells_objects.csv"]
    table = write_objects(
        paths,
        [PLANE],
        plane_hw=PLANE.shape,
        images=[PLANE * 10],
        pixel_size=SIZE,
        classes={3: "a"},
        scores=[{8: 0.5}],
    )
    assert np.array_equal(tifffile.imread(paths.labels), PLANE)
    read = pd.read_csv(paths.table)
    assert read["label"].tolist() == [3, 8]
    assert read["intensity_mean"].tolist() == [30, 80]
    assert read.columns.tolist() == table.columns.tolist()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}


def test_a_stack_has_a_table_of_volumes_and_one_of_planes(tmp_path):
    paths = ObjectPaths.of(tmp_path, "stack", stack=True)
    table = write_objects(
        paths,
        iter([PLANE, PLANE, PLANE * 0]),
        plane_hw=PLANE.shape,
        axes=("z",),
        leading_shape=(3,),
        images=iter([PLANE, PLANE, PLANE]),
        pixel_size=SIZE,
    )
    assert table["volume_um3"].tolist() == [12.0, 8.0]
    assert pd.read_csv(paths.table)["voxels"].tolist() == [24, 16]
    assert pd.read_csv(paths.planes)["z"].tolist() == [0, 0, 1, 1]
    assert tifffile.imread(paths.labels).shape == (3, 8, 9)


@pytest.mark.parametrize(("keep_numbers", "number"), [(True, 8), (False, 1)])
def test_objects_of_a_stack_are_left_out_of_labels_and_tables(tmp_path, keep_numbers, number):
    paths = ObjectPaths.of(tmp_path, "stack", stack=True)
    planes = [PLANE, np.where(PLANE == 3, 3, 0), PLANE]
    table = write_objects(
        paths,
        planes,
        plane_hw=PLANE.shape,
        axes=("z",),
        leading_shape=(3,),
        filters=ObjectOptions(max_area=8),
        keep_numbers=keep_numbers,
    )
    assert table[["label", "voxels"]].values.tolist() == [[number, 16]]
    assert pd.read_csv(paths.planes)["label"].tolist() == [number, number]
    written = tifffile.imread(paths.labels)
    assert np.array_equal(written, (np.stack(planes) == 8) * number)
    with pytest.raises(ConfigError, match="Min-score needs probabilities"):
        write_objects(
            paths, planes, plane_hw=PLANE.shape, axes=("z",), leading_shape=(3,), overwrite=True,
            filters=ObjectOptions(min_score=0.5),
        )  # fmt: skip


def test_nothing_is_replaced_unasked_nor_left_behind(tmp_path):
    paths = ObjectPaths.of(tmp_path, "cells", stack=False)
    paths.table.write_text("mine")
    with pytest.raises(OutputError, match=r"cells_objects\.csv exists"):
        write_objects(paths, [PLANE], plane_hw=PLANE.shape)
    assert [p.name for p in tmp_path.iterdir()] == ["cells_objects.csv"]
    write_objects(paths, [PLANE], plane_hw=PLANE.shape, overwrite=True)
    assert paths.table.read_text().startswith("label,")


def test_planes_that_are_lacking_are_named(tmp_path):
    paths = ObjectPaths.of(tmp_path, "stack", stack=True)
    with pytest.raises(ImageError, match=r"ends before plane \(1,\)"):
        write_objects(paths, [PLANE], plane_hw=PLANE.shape, axes=("z",), leading_shape=(2,))
    assert list(Path(tmp_path).iterdir()) == []
