from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from vrpsam_app.errors import ConfigError, ImageError, MissingExtraError, OutputError
from vrpsam_app.objects.measurements import (
    measure,
    measure_planes,
    per_object,
    per_plane,
    units_of,
    write_table,
)
from vrpsam_app.objects.tables import measured_columns
from vrpsam_app.stacks.stack import PixelSize

UM = PixelSize(0.5, 0.5, 2.0)
# Two objects: a bar of 2 x 6 pixels and a square of 3 x 3.
LABELS = np.zeros((12, 14), np.int32)
LABELS[2:4, 1:7] = 4
LABELS[6:9, 8:11] = 9
INDICES = [(0, 0), (0, 1), (1, 0), (1, 1)]


def one(table: pd.DataFrame, number: int) -> pd.Series:
    return table.set_index("label").loc[number]


def stack_table(**settings) -> pd.DataFrame:
    """Measure two times of two planes; in the last one object is missing."""
    last = np.where(LABELS == 9, 0, LABELS)
    planes = [LABELS, LABELS, LABELS, last]
    return measure_planes(planes, indices=INDICES, axes=("t", "z"), **settings)


def test_sizes_in_pixels_where_nothing_is_known():
    bar = one(measure(LABELS), 4)
    assert bar["area_px"] == 12
    assert (bar["row_px"], bar["col_px"]) == (3, 4)  # the middle, from the picture's corner
    assert bar[["top_px", "left_px", "bottom_px", "right_px"]].tolist() == [2, 1, 4, 7]
    assert bar["diameter_px"] == pytest.approx(np.sqrt(48 / np.pi))
    assert bar["major_axis_px"] > 3 * bar["minor_axis_px"]
    assert bar["orientation_deg"] == pytest.approx(90)
    table = measure(LABELS)
    assert not [name for name in table.columns if "um" in name]


def test_sizes_in_physical_units():
    pixels, microns = one(measure(LABELS), 9), one(measure(LABELS, pixel_size=UM), 9)
    assert microns["area_px"] == 9
    assert microns["area_um2"] == 9 / 4
    assert (microns["row_um"], microns["col_um"]) == (7.5 / 2, 9.5 / 2)
    for name in ("diameter", "perimeter", "major_axis", "minor_axis"):
        assert microns[f"{name}_um"] == pytest.approx(pixels[f"{name}_px"] / 2)
    for name in ("circularity", "eccentricity", "orientation_deg"):
        assert microns[name] == pytest.approx(pixels[name])
    units = measure(LABELS, pixel_size=PixelSize(500, 500, unit="nm")).attrs["units"]
    assert units["area_nm2"] == "nm2"
    assert units["diameter_nm"] == "nm"
    assert units["area_px"] == "px"


def test_pixels_that_are_not_square():
    square = one(measure(LABELS, pixel_size=PixelSize(1, 3)), 9)
    assert square["area_um2"] == 27
    assert square["major_axis_um"] == pytest.approx(3 * square["minor_axis_um"])
    assert np.isnan(square["perimeter_um"])
    assert np.isnan(square["circularity"])


def test_intensities_of_each_channel():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 60000, (*LABELS.shape, 3)).astype(np.uint16)
    table = measure(LABELS, image)
    inside = image[LABELS == 4].astype(float)
    for channel, name in enumerate(("red", "green", "blue")):
        found = [one(table, 4)[f"{name}_{s}"] for s in ("mean", "std", "min", "max", "sum")]
        values = inside[:, channel]
        expected = [values.mean(), values.std(), values.min(), values.max(), values.sum()]
        assert found == pytest.approx(expected)
    assert "intensity_mean" in measure(LABELS, image[..., 0]).columns
    named = measure(LABELS, image[..., :2], channels=("DAPI", "GFP"))
    assert "GFP_sum" in named.columns
    opaque = measure(LABELS, np.dstack([image, image[..., 0]]))
    assert not [name for name in opaque.columns if name.startswith("channel")]


def test_classes_and_scores_stand_beside_the_number():
    table = measure(LABELS, classes={4: "bar"}, scores={9: 0.5})
    assert table.columns[:3].tolist() == ["label", "class", "score"]
    assert one(table, 4)["class"] == "bar"
    assert one(table, 9)["class"] == ""
    assert one(table, 9)["score"] == 0.5


def test_pictures_without_objects_have_the_same_columns():
    image = np.zeros(LABELS.shape)
    empty = measure(LABELS * 0, image, pixel_size=UM)
    assert len(empty) == 0
    assert empty.columns.tolist() == measure(LABELS, image, pixel_size=UM).columns.tolist()


@pytest.mark.parametrize(
    ("image", "channels", "words"),
    [
        (np.zeros((12, 15)), None, r"The image has shape \(12, 15\)"),
        (np.zeros((12, 14, 2)), ("a",), "1 names for 2 channels"),
        (np.zeros((12, 14, 2)), ("a", "a"), "different one for each"),
    ],
)
def test_images_that_do_not_fit_are_refused(image, channels, words):
    with pytest.raises(ImageError, match=words):
        measure(LABELS, image, channels=channels)


def test_stacks_are_measured_plane_by_plane():
    with pytest.raises(ImageError, match=r"measure_planes\(\.\.\.\)"):
        measure(LABELS[None])
    table = stack_table(pixel_size=UM)
    assert table.columns[:3].tolist() == ["t", "z", "label"]
    assert len(table) == 7
    assert table["area_px"].dtype.kind == "i"
    assert table.attrs["units"]["area_um2"] == "um2"


def test_images_and_planes_must_be_as_many():
    planes = [LABELS, LABELS]
    with pytest.raises(ImageError, match=r"no intensities for plane \(1,\)"):
        measure_planes(planes, [LABELS], indices=[(0,), (1,)], axes=("z",))
    with pytest.raises(ImageError, match="no planes"):
        measure_planes([], indices=[], axes=("z",))


def test_empty_planes_count_for_nothing():
    planes = [LABELS * 0, LABELS, LABELS * 0]
    table = measure_planes(planes, indices=[(0,), (1,), (2,)], axes=("z",))
    assert table["z"].tolist() == [1, 1]
    nothing = measure_planes(planes[:1], indices=[(0,)], axes=("z",))
    assert len(nothing) == 0
    assert len(per_object(nothing)) == 0


def test_volumes_at_each_time():
    volumes = per_object(stack_table(pixel_size=UM), pixel_size=UM).set_index(["t", "label"])
    assert len(volumes) == 4
    assert volumes.loc[(0, 4), "voxels"] == 24
    assert volumes.loc[(0, 4), "volume_um3"] == 24 * 0.25 * 2
    assert volumes.loc[(0, 4), "planes"] == 2
    assert volumes.loc[(1, 9), ["planes", "first_z", "last_z"]].tolist() == [1, 0, 0]
    # The middle of two planes lies on the border between them.
    assert volumes.loc[(0, 4), ["plane_z", "row_px", "col_px"]].tolist() == [1, 3, 4]
    assert volumes.loc[(0, 4), ["plane_um", "row_um", "col_um"]].tolist() == [2, 1.5, 2]
    assert units_of(volumes.columns, UM)["plane_um"] == "um"
    assert volumes.loc[(0, 4), "largest_area_um2"] == 3
    unknown = per_object(stack_table(pixel_size=PixelSize(1, 1)), pixel_size=PixelSize(1, 1))
    assert not [name for name in unknown.columns if name.startswith(("volume", "plane_um"))]
    assert "row_um" in unknown.columns


def test_intensities_over_all_voxels():
    rng = np.random.default_rng(0)
    images = rng.normal(100, 20, (4, *LABELS.shape))
    planes = np.stack([LABELS, np.roll(LABELS, 1, axis=0), LABELS, LABELS * 0])
    table = measure_planes(planes, images, indices=[(z,) for z in range(4)], axes=("z",))
    for _, row in per_object(table).iterrows():
        values = images[planes == row["label"]]
        found = [row[f"intensity_{s}"] for s in ("mean", "std", "min", "max", "sum")]
        expected = [values.mean(), values.std(), values.min(), values.max(), values.sum()]
        assert found == pytest.approx(expected)


def test_pixels_without_a_number_count_in_no_plane_and_no_object():
    images = np.full((3, *LABELS.shape), 100.0, np.float32)
    images[1, 2, 2] = np.nan
    images[2, LABELS == 9] = np.nan
    table = measure_planes([LABELS] * 3, images, indices=[(0,), (1,), (2,)], axes=("z",))
    assert table["intensity_count"].tolist() == [12, 9, 11, 9, 12, 0]
    found = per_object(table)
    assert found["intensity_count"].tolist() == [35, 18]
    assert found["intensity_mean"].tolist() == [100, 100]
    assert found["intensity_std"].tolist() == [0, 0]
    assert found["intensity_sum"].tolist() == [3500, 1800]
    assert found["intensity_max"].tolist() == [100, 100]
    assert "intensity_count" in measured_columns(found.columns)


def test_a_small_spread_about_a_large_mean_is_told():
    spread = np.random.default_rng(0).normal(0, 0.01, (4, *LABELS.shape))
    planes, indices = [LABELS] * 4, [(z,) for z in range(4)]
    found = per_object(measure_planes(planes, 1e6 + spread, indices=indices, axes=("z",)))
    expected = [spread[:, number == LABELS].std() for number in (4, 9)]
    assert found["intensity_std"].tolist() == pytest.approx(expected, rel=1e-5)


def test_an_object_is_as_sure_as_its_pixels_in_the_mean():
    small = np.where(LABELS == 4, LABELS, 0)
    small[2] = 0  # half of the bar
    scores = iter([{4: 0.9, 9: 0.5}, {4: 0.6}])
    table = measure_planes([LABELS, small], indices=[(0,), (1,)], axes=("z",), scores=scores)
    assert table["score"].tolist() == [0.9, 0.5, 0.6]
    assert per_object(table)["score"].tolist() == pytest.approx([0.8, 0.5])


def test_tracks_through_time_have_areas_and_no_volume():
    table = measure_planes([LABELS, LABELS * 0, LABELS], indices=[(0,), (1,), (2,)], axes=("t",))
    tracks = per_object(table, over="t", pixel_size=UM)
    assert one(tracks, 4)[["frames", "first_t", "last_t", "mean_area_px"]].tolist() == [2, 0, 2, 12]
    assert "voxels" not in tracks.columns
    assert one(tracks, 4)[["row_um", "col_um"]].tolist() == [1.5, 2]
    assert "plane_um" not in tracks.columns
    with pytest.raises(ConfigError, match="no axis 'z'"):
        per_object(table)


def test_counts_for_each_plane_and_each_time():
    table = stack_table(pixel_size=UM)
    planes = per_plane(table, ("t", "z"))
    assert planes["objects"].tolist() == [2, 2, 2, 1]
    assert planes["total_area_px"].tolist() == [21, 21, 21, 12]
    assert planes["mean_area_um2"].tolist() == [21 / 8, 21 / 8, 21 / 8, 3]
    times = per_plane(per_object(table, pixel_size=UM), ("t",))
    assert times["objects"].tolist() == [2, 2]
    assert times["total_volume_um3"].tolist() == [21.0, 16.5]
    with pytest.raises(ConfigError, match="no axis 'c'"):
        per_plane(table, ("c",))


def test_tables_are_written_whole_and_read_back(tmp_path):
    table = measure(LABELS, pixel_size=UM, classes={4: "ä, ö"})
    path = write_table(tmp_path / "a.csv", table)
    read = pd.read_csv(path, keep_default_na=False)
    assert read.columns.tolist() == table.columns.tolist()
    assert read["class"].tolist() == ["ä, ö", ""]
    assert read["area_um2"].tolist() == [3.0, 2.25]
    with pytest.raises(OutputError, match="exists"):
        write_table(path, table)
    write_table(path, table, overwrite=True)
    with pytest.raises(OutputError, match="does not exist"):
        write_table(tmp_path / "no" / "a.csv", table)


def test_labels_are_checked():
    with pytest.raises(ImageError, match="float64"):
        measure(LABELS / 2)


def test_without_pandas_the_command_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[objects\]"'):
        measure(LABELS)


def test_a_large_plane_is_measured_in_little_more_memory_than_it_takes():
    side = 1024
    rows, cols = np.mgrid[:side, :side] // 64
    labels = (rows * 16 + cols + 1).astype(np.int32)
    image = labels.astype(np.uint16)
    measure(labels[:64, :64], image[:64, :64])
    tracemalloc.start()
    try:
        measure(labels, image)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 20 * side**2
