from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vrpsam_app import output_paths
from vrpsam_app.cutout_files import FoundBySegmenter, FoundOnDisk, cut_out_files
from vrpsam_app.cutouts import CutoutOptions
from vrpsam_app.errors import Cancelled, ImageError, ImageFileError, OutputError
from vrpsam_app.folder_run import FolderRun
from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference

RED, GREEN = (220, 30, 30), (30, 200, 40)


def picture(*squares: tuple[int, int, tuple[int, int, int]]) -> np.ndarray:
    image = np.full((50, 70, 3), 120, np.uint8)
    for row, col, colour in squares:
        image[row : row + 12, col : col + 12] = colour
    return image


def reference(colour: tuple[int, int, int] = RED, label: str = "object") -> Reference:
    image = picture((5, 5, colour))
    return Reference.from_mask(image, (image == colour).all(-1), label=label)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two reds and a green; one red; nothing."""
    shown = {
        "two": picture((4, 4, RED), (30, 40, RED), (30, 5, GREEN)),
        "one": picture((20, 30, RED)),
        "none": picture(),
    }
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos" / f"{name}.png" for name in shown]
    for path, image in zip(paths, shown.values(), strict=True):
        Image.fromarray(image).save(path)
    return paths


def cut(finder: Any, photos: list[Path], folder: Path, **settings: Any) -> dict[str, Any]:
    options = CutoutOptions(**settings.pop("look", {}))
    results = cut_out_files(finder, photos, folder, options, **settings)
    return {result.target.stem: result for result in results}


def test_every_object_of_every_photo(tmp_path: Path, photos: list[Path], colour_segmenter: Any):
    finder = FoundBySegmenter.of(colour_segmenter, reference(), photos)
    results = cut(finder, photos, tmp_path / "out")
    assert [p.name for p in results["two"].paths] == ["two_cutout_1.png", "two_cutout_2.png"]
    assert [p.name for p in results["one"].paths] == ["one_cutout_1.png"]
    assert isinstance(results["none"].error, ImageError)
    assert "Nothing to cut out was found in" in str(results["none"].error)
    written = Image.open(results["one"].paths[0])
    assert written.mode == "RGBA"
    pixels = np.asarray(written)
    assert (pixels[pixels[..., 3] == 255][:, :3] == RED).all()
    assert (pixels[..., 3] > 127).sum() == 144


def test_ready_for_an_image_generator(tmp_path: Path, photos: list[Path], colour_segmenter: Any):
    finder = FoundBySegmenter.of(colour_segmenter, reference(), photos)
    look = {"which": "largest", "square": True, "size": 64}
    results = cut(finder, photos[:2], tmp_path / "out", look=look)
    for result in results.values():
        (path,) = result.paths
        assert path.name == f"{result.target.stem}_cutout.png"
        assert np.asarray(Image.open(path)).shape == (64, 64, 4)


def test_classes_are_in_the_names(tmp_path: Path, photos: list[Path], colour_segmenter: Any):
    finder = FoundBySegmenter.of(
        colour_segmenter, [reference(label="red"), reference(GREEN, "green")], photos
    )
    results = cut(finder, photos[:1], tmp_path / "out")
    assert [p.name for p in results["two"].paths] == [
        "two_red_cutout_1.png", "two_red_cutout_2.png", "two_green_cutout_1.png",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["two_mask.png", "two_labels.png", "two.tif"])
def test_masks_that_are_there(tmp_path: Path, photos: list[Path], name: str):
    masks = tmp_path / "masks"
    masks.mkdir()
    found = np.zeros((50, 70), np.uint8)
    found[4:16, 4:16] = 255 if "mask" in name else 3
    found[30:42, 40:52] = 255 if "mask" in name else 9
    Image.fromarray(found).save(masks / name)
    results = cut(FoundOnDisk(masks), photos[:2], tmp_path / "out")
    assert len(results["two"].paths) == 2
    assert isinstance(results["one"].error, ImageFileError)
    assert "holds no mask of one.png" in str(results["one"].error)


def test_numbers_that_are_classes_are_cut_apart(
    tmp_path: Path, photos: list[Path], colour_segmenter: Any
):
    references = [reference(label="red"), reference(GREEN, "green")]
    run = FolderRun.of(references, photos[:1], tmp_path / "found")
    assert all(result.error is None for result in run.segment_pictures(colour_segmenter))
    results = cut(FoundOnDisk(tmp_path / "found"), photos[:1], tmp_path / "out")
    assert len(results["two"].paths) == 3


@pytest.fixture
def namesakes(tmp_path: Path) -> list[Path]:
    """Photos of one name in two folders, each with a square elsewhere."""
    paths = [tmp_path / folder / "x.png" for folder in "ab"]
    for path, image in zip(paths, (picture((4, 4, RED)), picture((30, 40, RED))), strict=True):
        path.parent.mkdir()
        Image.fromarray(image).save(path)
    return paths


@pytest.mark.parametrize("asked", [slice(0, 2), slice(1, 2)])
def test_namesakes_get_the_masks_that_a_run_gave_them(
    tmp_path: Path, namesakes: list[Path], colour_segmenter: Any, asked: slice
):
    run = FolderRun.of(reference(), namesakes, tmp_path / "found")
    assert all(result.error is None for result in run.segment_pictures(colour_segmenter))
    photos = namesakes[asked]
    results = list(cut_out_files(FoundOnDisk(tmp_path / "found"), photos, tmp_path / "out"))
    for result in results:
        pixels = np.asarray(Image.open(result.paths[0]))
        assert (pixels[pixels[..., 3] == 255][:, :3] == RED).all()


def test_a_mask_that_may_be_of_two_photos_is_that_of_none(tmp_path: Path, namesakes: list[Path]):
    Image.fromarray(np.ones((50, 70), np.uint8)).save(tmp_path / "x_mask.png")
    results = list(cut_out_files(FoundOnDisk(tmp_path), namesakes, tmp_path / "out"))
    for result, other in zip(results, reversed(namesakes), strict=True):
        assert "x_mask.png may be the mask of" in str(result.error)
        assert str(other) in str(result.error)


def test_the_work_grows_with_the_number_of_photos(tmp_path: Path, monkeypatch: Any):
    names: list[Path] = []
    named = output_paths._longer_stem
    monkeypatch.setattr(
        output_paths,
        "_longer_stem",
        lambda photo, **how: names.append(photo) or named(photo, **how),
    )
    done = []
    for count in (10, 20):
        photos = [tmp_path / f"{count}" / f"x{number}.png" for number in range(count)]
        photos[0].parent.mkdir()
        for photo in photos:
            Image.fromarray(picture((4, 4, RED))).save(photo)
            Image.fromarray(np.ones((50, 70), np.uint8)).save(tmp_path / f"{photo.stem}_mask.png")
        names.clear()
        results = list(cut_out_files(FoundOnDisk(tmp_path), photos, tmp_path / f"out{count}"))
        assert all(result.error is None for result in results)
        done.append(len(names))
    assert done[1] == 2 * done[0]


def test_photos_whose_ending_has_two_parts(tmp_path: Path, photos: list[Path]):
    photo = photos[0].with_name("p.ome.tif")
    Image.open(photos[0]).save(photo)
    Image.fromarray(np.ones((50, 70), np.uint8)).save(tmp_path / "p_mask.png")
    (result,) = cut_out_files(FoundOnDisk(tmp_path), [photo], tmp_path / "out", CutoutOptions())
    assert [path.name for path in result.paths] == ["p_cutout_1.png"]


def test_a_mask_of_another_size_is_told(tmp_path: Path, photos: list[Path]):
    Image.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / "two_mask.png")
    results = cut(FoundOnDisk(tmp_path), photos[:1], tmp_path / "out")
    assert "50 x 70" in str(results["two"].error)


def test_nothing_is_lost(tmp_path: Path, photos: list[Path], colour_segmenter: Any):
    finder = FoundBySegmenter.of(colour_segmenter, reference(), photos)
    out = tmp_path / "out"
    cut(finder, photos[:1], out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    again = cut(finder, photos[:1], out, look={"size": 20})
    assert isinstance(again["two"].error, OutputError)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    # One object less than before: its file goes.
    Image.fromarray(picture((4, 4, RED))).save(photos[0])
    cut(finder, photos[:1], out, overwrite=True)
    assert [p.name for p in out.iterdir()] == ["two_cutout_1.png"]


def test_photos_are_never_written_over(tmp_path: Path, photos: list[Path], colour_segmenter: Any):
    other = photos[0].with_name("two_cutout_1.png")
    Image.fromarray(picture((4, 4, RED))).save(other)
    both = [photos[0], other]
    finder = FoundBySegmenter.of(colour_segmenter, reference(), both)
    results = cut(finder, both, photos[0].parent, overwrite=True)
    assert "is one of the photos" in str(results["two"].error)
    assert results["two_cutout_1"].error is None


def test_photos_of_sixteen_bits_share_a_range(tmp_path: Path, colour_segmenter: Any):
    paths = []
    for name, value in (("a", 40_000), ("b", 39_000)):
        image = np.full((40, 40), 1000, np.uint16)
        image[10:20, 10:20] = value
        paths.append(tmp_path / f"{name}.tif")
        Image.fromarray(image).save(paths[-1])
    first = np.asarray(Image.open(paths[0])).astype(np.uint16)
    marked = Reference.from_mask(first, first > 20_000)
    finder = FoundBySegmenter.of(colour_segmenter, marked, paths)
    assert finder.intensity_range is not None
    results = cut(finder, paths, tmp_path / "out")
    assert all(len(r.paths) == 1 for r in results.values())


def test_a_run_can_be_stopped(tmp_path: Path, photos: list[Path], colour_segmenter: Any):
    finder = FoundBySegmenter.of(colour_segmenter, reference(), photos)
    token = CancelToken()
    results = cut_out_files(finder, photos, tmp_path / "out", cancel=token)
    assert next(results).target == photos[0]
    token.cancel()
    with pytest.raises(Cancelled):
        list(results)
