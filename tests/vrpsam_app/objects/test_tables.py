from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.errors import Cancelled, ImageError
from vrpsam_app.objects.tables import (
    classes_in,
    measure_stack,
    measured_columns,
    name_classes,
)
from vrpsam_app.progress import CancelToken, ProgressMeter
from vrpsam_app.stacks.stack import PixelSize, Stack


@pytest.fixture
def values():
    labels = np.zeros((3, 20, 30), np.int32)
    labels[:, 2:6, 2:8] = 5
    labels[1:, 10:14, 10:20] = 9
    return labels


SIZE = PixelSize(0.5, 0.5, 2.0)


def stack(values, size=SIZE, axes=("z",)):
    return Stack.from_array(values, axes=axes, pixel_size=size)


def test_volumes_and_intensities_in_the_unit_of_the_labels(values):
    image = np.where(values > 0, values * 100, 0).astype(np.uint16)
    tables = measure_stack(stack(values), stack(image, None))
    objects = tables.objects.set_index("label")
    assert objects.index.tolist() == [5, 9]
    assert objects["voxels"].tolist() == [72, 80]
    assert objects["volume_um3"].tolist() == [72 * 0.5, 80 * 0.5]
    assert objects["intensity_mean"].tolist() == [500, 900]
    assert tables.planes[["z", "label"]].values.tolist() == [[0, 5], [1, 5], [1, 9], [2, 5], [2, 9]]
    double = measure_stack(stack(values, PixelSize(1.0, 1.0, 4.0))).objects
    assert (double["volume_um3"] / tables.objects["volume_um3"]).tolist() == [8, 8]


@pytest.mark.parametrize("axes", ["z", "t", "tz", ""])
@pytest.mark.parametrize("size", [None, SIZE])
def test_what_was_measured_is_known_by_its_name(values, size, axes):
    shaped = {"": values[1], "tz": values[None]}.get(axes, values)
    labels = stack(shaped, size, tuple(axes))
    for image in (None, labels):
        table = measure_stack(labels, image, classes="cell").objects
        table["red_mean"], table["row"], table["first_z_seen"] = 1, 2, 3
        own = set(table.columns) - set(measured_columns(table.columns))
        assert own == {"label", "class", "red_mean", "row", "first_z_seen", *axes[:-1]}
    assert measured_columns([f"red_{s}" for s in ("mean", "std", "min", "max", "sum")])


def test_sizes_and_places_are_the_same_without_shapes(values):
    for axes, shaped in (("z",), values), ((), values[1]):
        labels = stack(shaped, axes=axes)
        whole, quick = measure_stack(labels).objects, measure_stack(labels, shapes=False).objects
        assert quick.equals(whole[quick.columns])
        assert set(whole) == set(quick) if axes else "circularity" not in quick


def test_the_image_says_the_size_where_labels_do_not(values):
    assert "volume_um3" in measure_stack(stack(values, None), stack(values)).objects
    assert "volume_um3" not in measure_stack(stack(values, None)).objects


def test_a_single_plane_has_one_table(values):
    tables = measure_stack(stack(values[1], PixelSize(0.5, 0.5), ()), classes={5: "a", 9: "b"})
    assert tables.planes is None
    assert tables.objects["class"].tolist() == ["a", "b"]
    assert set(measure_stack(stack(values), classes="cell").planes["class"]) == {"cell"}


def test_classes_stand_beside_the_numbers_of_both_tables(values):
    tables = measure_stack(stack(values), classes={5: "nucleus"})
    assert tables.objects.columns[0:2].tolist() == ["label", "class"]
    assert tables.planes.columns[:3].tolist() == ["z", "label", "class"]
    assert tables.objects["class"].tolist() == ["nucleus", ""]  # of the other nobody knows
    assert classes_in(tables.planes) == {5: "nucleus", 9: ""}
    name_classes(tables.objects, "rod")
    assert classes_in(tables.objects) == {5: "rod", 9: "rod"}


def test_a_table_without_classes_names_none(values):
    assert classes_in(measure_stack(stack(values)).objects) == {}


def test_planes_of_another_size_do_not_belong(values):
    with pytest.raises(ImageError, match="expected the same"):
        measure_stack(stack(values), stack(values[:, :10]))


def test_measuring_can_be_stopped(values):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        measure_stack(stack(values), meter=ProgressMeter(3, cancel=token))


def test_each_channel_is_measured_once_and_under_its_name(values):
    drawn = np.random.default_rng(0).integers(0, 99, (3, 20, 30, 3)).astype(np.uint8)
    image = replace(Stack.from_array(drawn, axes=("z",)), channels=("DAPI", "GFP"))
    tables = measure_stack(stack(values), image)
    for table in (tables.objects, tables.planes):
        assert [n for n in table.columns if n.endswith("_sum")] == ["DAPI_sum", "GFP_sum"]
    sums = [drawn[values == 5][:, channel].sum() for channel in (0, 1)]
    assert tables.objects.loc[0, ["DAPI_sum", "GFP_sum"]].tolist() == sums
    given = measure_stack(stack(values), image, channels=("a", "b", "c")).objects
    assert {"a_sum", "b_sum", "c_sum"} <= set(given.columns)
