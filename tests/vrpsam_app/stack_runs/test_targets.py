"""Which targets are stacks, and which slice a reference shows."""

from __future__ import annotations

import json
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from vrpsam_app.errors import ConfigError, ImageError, ImageFileError
from vrpsam_app.stack_runs.targets import (
    StackReading,
    common_pixel_size,
    read_picture,
    read_slice,
    slice_index,
    sort_targets,
)
from vrpsam_app.stacks.stack import PixelSize, Stack

READING = StackReading()
VALUES = np.random.default_rng(0).integers(0, 255, (4, 30, 40)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture, a plane in TIFF, a broken one, stacks, and a plane that is no picture file."""
    Image.fromarray(VALUES[0]).save(tmp_path / "picture.png")
    tifffile.imwrite(tmp_path / "plane.tif", VALUES[0])
    (tmp_path / "broken.tif").write_bytes((tmp_path / "plane.tif").read_bytes()[:-100])
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 2.0}
    tifffile.imwrite(
        tmp_path / "stack.tif", VALUES, imagej=True, metadata=metadata, resolution=(2, 2)
    )
    zarr.create_array(tmp_path / "stack.zarr", data=VALUES)
    zarr.create_array(tmp_path / "one.zarr", data=VALUES[0])
    return tmp_path


def test_pictures_and_stacks(folder: Path):
    names = ["picture.png", "plane.tif", "broken.tif", "stack.tif", "stack.zarr", "one.zarr"]
    found = sort_targets([folder / name for name in names], Path("out"), READING)
    assert [p.name for p in found.pictures] == ["picture.png", "plane.tif", "one.zarr"]
    assert [(t.path.name, t.stack.axes) for t in found.stacks] == [
        ("stack.tif", ("z",)), ("stack.zarr", ("z",)),
    ]  # fmt: skip
    (broken,) = found.unopened
    assert broken.path.name == "broken.tif"
    assert "broken.tif" in str(broken.error)


def test_a_plane_that_is_not_held_in_memory_is_a_stack(folder: Path):
    zarr.create_array(path := folder / "cut.zarr", data=VALUES[0], chunks=(10, 10))
    for most, is_picture in ((1200, True), (1199, False)):
        found = sort_targets([path], Path("out"), StackReading(max_pixels=most))
        assert bool(found.pictures) == is_picture
    (target,) = found.stacks
    assert (target.stack.axes, target.out) == ((), Path("out/cut_labels.ome.zarr"))


def test_results_have_the_form_of_their_stack_and_names_of_their_own(folder: Path):
    paths = [folder / "stack.tif", folder / "stack.zarr"]
    (tif,) = sort_targets(paths[:1], Path("out"), READING).stacks
    assert tif.out == Path("out/stack_labels.tif")
    for form, ending in (("ome-zarr", "ome.zarr"), ("zarr", "zarr"), ("tif", "tif")):
        (target,) = sort_targets(paths[:1], Path("out"), READING, form).stacks
        assert target.out == Path(f"out/stack_labels.{ending}")
    both = sort_targets(paths, Path("out"), READING).stacks
    assert [t.out.name for t in both] == [
        f"{folder.name}_stack_tif_labels.tif", f"{folder.name}_stack_zarr_labels.ome.zarr",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="expected one of ome-zarr"):
        sort_targets(paths, Path("out"), READING, "png")  # type: ignore[arg-type]


def test_a_picture_that_is_too_large_is_a_stack_of_one_plane(folder: Path):
    class Slides(StackReading):
        def open(self, path: Path) -> Stack:
            return Stack(da.zeros((30_000, 40_000), chunks=1000))

    found = sort_targets([folder / "slide.tif"], Path("out"), Slides())
    assert (found.pictures, found.stacks[0].stack.plane_hw) == ([], (30_000, 40_000))


@pytest.mark.parametrize("form", [{"imagej": True}, {"ome": True}], ids=str)
@pytest.mark.parametrize("count", [2, 3])
def test_channels_that_are_pages_are_shown_as_colours(tmp_path: Path, form, count: int):
    path = tmp_path / "channels.tif"
    tifffile.imwrite(path, VALUES[:count], **form, metadata={"axes": "CYX"})
    found = sort_targets([path], Path("out"), READING)
    assert (found.pictures, found.stacks, found.unopened) == ([path], [], [])
    picture, shown = read_picture(path, READING), READING.open(path)
    assert picture.pixels.shape == (30, 40, 3)
    np.testing.assert_array_equal(picture.pixels, shown.plane())
    np.testing.assert_array_equal(picture.intensities, shown.intensities())
    assert (picture.channels, len(picture.channels)) == (shown.channels, count)
    np.testing.assert_array_equal(read_slice(path, None, READING), picture.pixels)
    one = StackReading(channels=(1,))
    np.testing.assert_array_equal(read_slice(path, None, one), VALUES[1])


def test_what_is_no_image_stops_nothing(folder: Path):
    (folder / "notes.doc").write_text("hello")
    found = sort_targets([folder / "notes.doc", folder / "stack.tif"], Path("out"), READING)
    assert [t.path.name for t in found.stacks] == ["stack.tif"]
    with pytest.raises(ImageFileError, match="is no image"):
        raise found.unopened[0].error


@pytest.fixture
def two_images(folder: Path) -> Path:
    """Two images in one OME-TIFF."""
    with tifffile.TiffWriter(folder / "two.ome.tif", ome=True) as file:
        file.write(VALUES[0], metadata={"axes": "YX", "Name": "first"})
        file.write(VALUES[1], metadata={"axes": "YX", "Name": "second"})
    return folder / "two.ome.tif"


def test_one_image_of_several_is_chosen(two_images: Path):
    found = sort_targets([two_images], Path("out"), READING)
    assert "holds 2 images: 0 'first', 1 'second'" in str(found.unopened[0].error)
    for scene in (1, "second"):
        chosen = StackReading(scene=scene)
        (picture,) = sort_targets([two_images], Path("out"), chosen).pictures
        np.testing.assert_array_equal(read_picture(picture, chosen).pixels, VALUES[1])
        np.testing.assert_array_equal(
            read_slice(two_images, None, StackReading(scene=scene)), VALUES[1]
        )


@pytest.mark.parametrize(
    "reading",
    [
        StackReading(),
        StackReading(channels=(0, "GFP"), axes=("z", "y", "x"), scene="second"),
        StackReading(pixel_size=PixelSize(0.5, 0.25, 2.0, "nm"), scene=0),
    ],
)
def test_how_files_are_opened_is_kept_in_a_recipe(reading: StackReading):
    kept = json.loads(json.dumps(reading.to_json()))
    assert StackReading.from_json(kept) == reading
    assert StackReading(scene=3).completed_by(reading).scene == 3
    assert StackReading().completed_by(reading) == reading


@pytest.mark.parametrize("kept", [{"pixel_size": [1, 2, 3, 4, 5]}, {"channels": 7}])
def test_a_damaged_choice_is_said(kept: dict[str, object]):
    with pytest.raises(ConfigError, match="copy of the original recipe"):
        StackReading.from_json(kept)


def test_pictures_and_stacks_share_no_name(folder: Path):
    (folder / "stack.png").write_bytes((folder / "picture.png").read_bytes())
    found = sort_targets([folder / "stack.png", folder / "stack.tif"], Path("out"), READING)
    assert found.stacks[0].out.name == f"{folder.name}_stack_tif_labels.tif"


@pytest.mark.parametrize(
    ("text", "index"), [("1,2", (1, 2)), ("z=2,t=1", (1, 2)), ("t=0, z=3", (0, 3))]
)
def test_slices_by_number_or_name(text: str, index: tuple[int, int]):
    stack = Stack.from_array(np.zeros((3, 4, 9, 9)))
    assert slice_index(text, stack) == index


@pytest.mark.parametrize("text", [None, "1", "1,2,3", "t=1", "x=1,y=2", "a,b", "t=1,t=2", ""])
def test_slices_that_do_not_fit_say_what_would(text: str | None):
    stack = Stack.from_array(np.zeros((3, 4, 9, 9)), name="s")
    with pytest.raises(ImageError, match=r"s has the axes t \(0 to 2\), z \(0 to 3\).*t=1,z=2"):
        slice_index(text, stack)


def test_marks_are_made_on_a_plane(folder: Path):
    np.testing.assert_array_equal(read_slice(folder / "stack.tif", "2", READING), VALUES[2])
    np.testing.assert_array_equal(read_slice(folder / "stack.zarr", "z=3", READING), VALUES[3])
    for name in ("picture.png", "plane.tif", "one.zarr"):
        np.testing.assert_array_equal(read_slice(folder / name, None, READING), VALUES[0])
    with pytest.raises(ImageError, match="--slice z=2"):
        read_slice(folder / "stack.tif", None, READING)
    with pytest.raises(ImageError, match="goes from 0 to 3"):
        read_slice(folder / "stack.tif", "7", READING)
    with pytest.raises(ImageFileError, match=r"damaged|truncated"):
        read_slice(folder / "broken.tif", None, READING)


def test_a_reference_that_is_too_large_is_not_read(tmp_path: Path):
    zarr.create_array(tmp_path / "slide.zarr", data=VALUES[0], chunks=(10, 10))
    with pytest.raises(ImageError, match="30 x 40 pixels: at most 1000"):
        read_slice(tmp_path / "slide.zarr", None, StackReading(max_pixels=1000))


def test_a_pixel_size_that_all_files_say(folder: Path):
    size = common_pixel_size([folder / "stack.tif"], READING)
    assert size is not None
    assert (size.row, size.unit) == (pytest.approx(0.5), "um")
    assert common_pixel_size([folder / "stack.tif", folder / "picture.png"], READING) is None
    given = StackReading(pixel_size=PixelSize(1, 1))
    assert common_pixel_size([folder / "stack.zarr"], given) == PixelSize(1, 1)
    assert common_pixel_size([folder / "broken.tif"], READING) is None
