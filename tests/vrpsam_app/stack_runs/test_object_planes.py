"""Objects of a stack: one id through all planes, the same however often a run was stopped."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from vrpsam_app.annotations import Box
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs.run import StackResult, segment_stack
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.plan import TileOptions

OBJECTS = ObjectOptions(method="components")
SIZE = PixelSize(0.5, 0.5, 2.0)
SEEN = TileOptions("whole")
TILES = TileOptions("tiles", tile=32, overlap=8)
OUT = ("r_labels.ome.zarr", "r_labels.zarr", "r_labels.tif")


def nuclei() -> np.ndarray:
    """Bright columns through all of five planes, from plane 2 on, and in the last one."""
    values = np.random.default_rng(0).integers(0, 400, (5, 60, 70)).astype(np.uint16)
    values[:, 20:40, 10:30] += 3000
    values[2:, 5:15, 45:60] += 3000
    values[4, 45:55, 45:60] += 3000
    return values


def reference(values: np.ndarray, label: str = "nucleus") -> Reference:
    return Reference.from_annotations(values[0], [Box(20, 10, 40, 30)], label=label)


def run(segmenter: Any, out: Path, size: PixelSize = SIZE, **settings: Any) -> StackResult:
    values = nuclei()
    stack = Stack.from_array(values, pixel_size=size, name="nuclei")
    settings = {"objects": OBJECTS, "tiling": SEEN, **settings}
    return segment_stack(segmenter, stack, reference(values), out, **settings)


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("tiling", [SEEN, TILES])
@pytest.mark.parametrize("name", OUT)
def test_one_id_through_all_planes(colour_segmenter, tmp_path: Path, name: str, tiling: Any):
    result = run(colour_segmenter, tmp_path / name, tiling=tiling)
    paths = result.objects["nucleus"]
    assert paths.labels == tmp_path / "r_objects.tif"
    found = tifffile.imread(paths.labels)
    assert found.dtype == np.uint16
    expected = np.zeros((5, 60, 70), int)
    expected[:, 20:40, 10:30], expected[2:, 5:15, 45:60], expected[4, 45:55, 45:60] = 1, 2, 3
    np.testing.assert_array_equal(found, expected)
    with tifffile.TiffFile(paths.labels) as file:
        assert file.imagej_metadata["spacing"] == 2.0
    table = rows_of(paths.table)
    assert [(r["label"], r["class"], r["planes"]) for r in table] == [
        ("1", "nucleus", "5"), ("2", "nucleus", "3"), ("3", "nucleus", "1"),
    ]  # fmt: skip
    assert float(table[0]["volume_um3"]) == 5 * 400 * 0.5
    assert float(table[0]["intensity_mean"]) > 3000
    assert paths.planes is not None
    assert len(rows_of(paths.planes)) == 9
    assert paths.count() == 3
    assert not list(tmp_path.glob("*.part"))


def test_ids_may_be_those_of_each_plane(colour_segmenter, tmp_path: Path):
    run(colour_segmenter, tmp_path / "r.zarr", links=LinkOptions(rule="unique"))
    found = tifffile.imread(tmp_path / "r_objects.tif")
    assert [len(np.unique(plane)) - 1 for plane in found] == [1, 1, 2, 2, 3]
    assert found.max() == 9


def test_the_recipe_says_how(colour_segmenter, tmp_path: Path):
    links = LinkOptions(gaps=1)
    run(colour_segmenter, tmp_path / "r.zarr", links=links)
    sections = Recipe.load(tmp_path / "r_recipe.json").sections
    assert ObjectOptions.from_json(sections["objects"]) == OBJECTS
    assert LinkOptions.from_json(sections["links"]) == links


def test_classes_have_files_of_their_own(colour_segmenter, tmp_path: Path):
    values = np.full((3, 40, 40, 3), 120, np.uint8)
    values[:, 5:15, 5:15] = (220, 30, 30)
    values[:, 20:30, 20:30] = (30, 200, 40)
    marked = [
        Reference.from_annotations(values[0], [Box(5, 5, 15, 15)], label="red cell"),
        Reference.from_annotations(values[0], [Box(20, 20, 30, 30)], label="green"),
    ]
    result = segment_stack(
        colour_segmenter, values, marked, tmp_path / "r_labels.tif", objects=OBJECTS
    )
    assert {k: p.labels.name for k, p in result.objects.items()} == {
        "red cell": "r_red-cell_objects.tif", "green": "r_green_objects.tif",
    }  # fmt: skip
    red, green = (tifffile.imread(p.labels) for p in result.objects.values())
    assert red[:, 5:15, 5:15].all()
    assert red.sum() == green.sum() == 300
    assert green[:, 20:30, 20:30].all()


class Failing:
    """Passes on some planes and then fails, as a killed run would."""

    def __init__(self, segmenter: Any, after: int) -> None:
        self._segmenter, self._left = segmenter, after

    def describe(self) -> dict[str, Any]:
        return self._segmenter.describe()

    def predict(self, *arguments: Any, **settings: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise MemoryError("as if killed")
        return self._segmenter.predict(*arguments, **settings)


@pytest.mark.parametrize("name", OUT)
def test_a_stopped_run_ends_with_the_same_files(
    colour_segmenter, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    smooth, rough = tmp_path / "smooth", tmp_path / "rough"
    smooth.mkdir()
    rough.mkdir()
    run(colour_segmenter, smooth / name)
    with pytest.raises(MemoryError):
        run(Failing(colour_segmenter, 2), rough / name)
    assert (rough / "r_labels_objects.part").is_dir()
    # And once more, when all planes are stored and the objects are being written.
    with monkeypatch.context() as patch:
        patch.setattr("vrpsam_app.stack_runs.object_planes.write_objects", Failing(None, 0).predict)
        with pytest.raises(MemoryError):
            run(colour_segmenter, rough / name, resume=True)
    asked = len(colour_segmenter.calls)
    assert run(colour_segmenter, rough / name, resume=True).asked == 0
    assert len(colour_segmenter.calls) == asked == 5 + 5
    files = {p.relative_to(smooth) for p in smooth.rglob("*") if p.is_file()}
    assert files == {p.relative_to(rough) for p in rough.rglob("*") if p.is_file()}
    for file in files:
        assert (smooth / file).read_bytes() == (rough / file).read_bytes(), file
    assert run(colour_segmenter, rough / name, resume=True).objects["nucleus"].count() == 3
    assert len(colour_segmenter.calls) == asked


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"objects": ObjectOptions(min_area=3)}, "objects"),
        ({"links": LinkOptions(gaps=2)}, "objects"),
        ({"size": PixelSize(0.1, 0.1, 2.0)}, r"stack\.pixel_size\.col, stack\.pixel_size\.row"),
        ({"tiling": TileOptions("whole", reference_pixel_size=SIZE)}, "reference_pixel_size"),
    ],
)
def test_a_run_goes_on_with_the_same_objects_only(
    colour_segmenter, tmp_path: Path, change: dict[str, Any], named: str
):
    run(colour_segmenter, tmp_path / "r.zarr")
    with pytest.raises(OutputError, match=f"begun with another {named}"):
        run(colour_segmenter, tmp_path / "r.zarr", resume=True, **change)


def test_files_that_are_there_are_kept(colour_segmenter, tmp_path: Path):
    (tmp_path / "r_objects.csv").write_text("theirs")
    with pytest.raises(OutputError, match=r"r_objects\.csv exists"):
        run(colour_segmenter, tmp_path / "r.zarr")
    assert not colour_segmenter.calls
    run(colour_segmenter, tmp_path / "r.zarr", overwrite=True)
    (tmp_path / "r_objects.csv").unlink()
    with pytest.raises(OutputError, match="is gone: put it back"):
        run(colour_segmenter, tmp_path / "r.zarr", resume=True)
    cut = {path.name for path in tmp_path.glob("r_object*")}
    assert cut
    run(colour_segmenter, tmp_path / "r.zarr", overwrite=True, objects=None)
    assert not cut & {path.name for path in tmp_path.iterdir()}
    (tmp_path / "r_objects.csv").write_text("theirs")
    run(colour_segmenter, tmp_path / "r.zarr", overwrite=True, objects=None)
    assert (tmp_path / "r_objects.csv").read_text() == "theirs"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objects": ObjectOptions(min_score=0.5), "tiling": TILES}, "show planes whole"),
        ({"objects": ObjectOptions(prompts=True)}, "does not answer"),
        ({"output": "probability"}, "ask for labels"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    colour_segmenter, tmp_path: Path, settings: dict[str, Any], said: str
):
    with pytest.raises(ConfigError, match=said):
        run(colour_segmenter, tmp_path / "r.zarr", **settings)
    assert not colour_segmenter.calls
    assert not list(tmp_path.iterdir())


def test_sure_objects_only(colour_segmenter, tmp_path: Path):
    run(colour_segmenter, tmp_path / "r.zarr", objects=ObjectOptions(min_score=0.999))
    assert not tifffile.imread(tmp_path / "r_objects.tif").any()


def balls() -> np.ndarray:
    """Return two balls: 1 is free, 2 touches the left border in its middle planes only."""
    plane, row, col = np.indices((9, 30, 50))
    found = np.zeros((9, 30, 50), np.uint8)
    for number, (middle, radius) in enumerate(((30, 11), (5, 8.5)), start=1):
        far = (3 * (plane - 4)) ** 2 + (row - 15) ** 2 + (col - middle) ** 2
        found[far < radius**2] = number
    return found


@pytest.mark.parametrize("tiling", [SEEN, TILES])
@pytest.mark.parametrize(
    ("filters", "stays"),
    [
        ({"clear_border": True}, [1]),
        ({"max_area": 300}, [2]),
        ({"min_area": 300}, [1]),
        ({"min_area": 100}, [1, 2]),
    ],
)
def test_objects_are_left_out_whole(
    colour_segmenter, tmp_path: Path, filters: dict[str, Any], stays: list[int], tiling: Any
):
    truth = balls()
    values = np.where(truth, 200, 20).astype(np.uint8)
    marked = Reference.from_annotations(values[4], [Box(10, 25, 20, 35)])
    options = ObjectOptions(method="components", **filters)
    out = tmp_path / "r_labels.tif"
    segment_stack(
        colour_segmenter, Stack.from_array(values), marked, out, objects=options, tiling=tiling
    )
    table = rows_of(tmp_path / "r_objects.csv")
    assert [int(r["voxels"]) for r in table] == [(truth == number).sum() for number in stays]
    expected = np.zeros(truth.shape, int)
    for label, number in enumerate(stays, start=1):
        expected[truth == number] = label
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "r_objects.tif"), expected)


def test_planes_that_are_not_linked_are_filtered_one_by_one(colour_segmenter, tmp_path: Path):
    values = np.where(balls(), 200, 20).astype(np.uint8)
    marked = Reference.from_annotations(values[4], [Box(10, 25, 20, 35)])
    segment_stack(
        colour_segmenter, Stack.from_array(values), marked, tmp_path / "r.zarr", tiling=SEEN,
        objects=ObjectOptions(method="components", max_area=300), links=LinkOptions(rule="unique"),
    )  # fmt: skip
    areas = [int(r["area_px"]) for r in rows_of(tmp_path / "r_object_planes.csv")]
    assert len(areas) > 4
    assert max(areas) <= 300


def test_objects_have_the_score_of_their_pixels(colour_segmenter, tmp_path: Path):
    run(colour_segmenter, tmp_path / "r.zarr")
    objects, planes = (rows_of(tmp_path / f"r_{n}.csv") for n in ("objects", "object_planes"))
    assert list(objects[0])[:3] == ["label", "class", "score"]
    for found in objects:
        own = [r for r in planes if r["label"] == found["label"]]
        areas = [int(r["area_px"]) for r in own]
        mean = np.average([float(r["score"]) for r in own], weights=areas)
        assert float(found["score"]) == pytest.approx(mean)
    run(colour_segmenter, tmp_path / "t.zarr", tiling=TILES)
    assert "score" not in rows_of(tmp_path / "t_objects.csv")[0]


def test_channels_that_are_shown_as_colours_are_measured_under_their_names(
    colour_segmenter, tmp_path: Path
):
    values = np.full((2, 40, 40, 3), 120, np.uint8)
    values[:, 5:15, 5:15] = (220, 30, 220)
    stack = Stack.from_array(values, pixel_size=SIZE)
    stack = replace(stack, channels=("DAPI", "GFP"))
    marked = Reference.from_annotations(values[0], [Box(5, 5, 15, 15)])
    segment_stack(colour_segmenter, stack, marked, tmp_path / "r.zarr", objects=OBJECTS)
    (found,) = rows_of(tmp_path / "r_objects.csv")
    assert [n for n in found if n.endswith("_mean")] == ["DAPI_mean", "GFP_mean"]
    assert [float(found[n]) for n in ("DAPI_mean", "GFP_mean")] == [220, 30]
    assert [float(found[n]) for n in ("plane_um", "row_um", "col_um")] == [2, 5, 5]


def test_a_single_plane_has_objects_without_planes(colour_segmenter, tmp_path: Path):
    values = nuclei()[4]
    marked = Reference.from_annotations(values, [Box(20, 10, 40, 30)])
    result = segment_stack(
        colour_segmenter, Stack.from_array(values), marked, tmp_path / "r.zarr", objects=OBJECTS
    )
    (paths,) = result.objects.values()
    assert paths.planes is None
    assert len(rows_of(paths.table)) == 3
