"""Targets encoded in advance: whatever is asked later, nothing is encoded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image

from vrpsam_app.annotations import Box, Point
from vrpsam_app.batch import shared_intensity_range
from vrpsam_app.config import EMBEDDED_CONFIG
from vrpsam_app.embeddings import store as embedding_store
from vrpsam_app.embeddings.store import DiskEmbeddingStore
from vrpsam_app.errors import AnnotationError, Cancelled, OutputError
from vrpsam_app.folder_run import FolderRun
from vrpsam_app.image_files import read_image
from vrpsam_app.images import IntensityRange
from vrpsam_app.models.build import build_model
from vrpsam_app.precompute import encode_files
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs.lazy_result import predict_stack
from vrpsam_app.stack_runs.targets import StackReading
from vrpsam_app.stacks.stack_files import open_stack
from vrpsam_app.tiles.plan import TileOptions, plan_tiles
from vrpsam_app.tiles.tiling import predict_tiled


@pytest.fixture(scope="module")
def model() -> Any:
    """The embedded model, which counts how many images it encodes."""
    torch.manual_seed(0)
    made = build_model(EMBEDDED_CONFIG).eval()
    encode, made.encoded = made.encode_images, 0

    def counted(images: torch.Tensor) -> Any:
        made.encoded += len(images)
        return encode(images)

    made.encode_images = counted
    return made


@pytest.fixture(autouse=True)
def from_zero(model: Any) -> None:
    model.encoded = 0


def opened(model: Any, folder: Path) -> tuple[VRPSAMPredictor, DiskEmbeddingStore]:
    """Return what a new process would have."""
    store = DiskEmbeddingStore(folder)
    cpu = torch.device("cpu")
    return VRPSAMPredictor(model, device=cpu, sha256="ab" * 32, store=store), store


def scene(seed: int, dtype: str = "uint8") -> np.ndarray:
    image = np.random.default_rng(seed).integers(40, 80, (48, 64))
    image[10:20, 10:20] += 120
    return (image * (1 if dtype == "uint8" else 50)).astype(dtype)


def reference(seed: int = 9, dtype: str = "uint8") -> Reference:
    return Reference.from_annotations(scene(seed, dtype), [Box(10, 10, 20, 20)])


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for seed, path in enumerate(paths):
        Image.fromarray(scene(seed)).save(path)
    return paths


def test_other_references_encode_no_target_again(model, pictures: list[Path], tmp_path: Path):
    predictor, store = opened(model, tmp_path / "store")
    results = list(encode_files(predictor, store, pictures))
    assert [(r.stored, r.found, r.planes) for r in results] == [(1, 0, 1)] * 3
    assert model.encoded == 3

    for marks in ([Box(10, 10, 20, 20)], [Point(15, 15)]):
        later, _ = opened(model, tmp_path / "store")
        shown = Reference.from_annotations(scene(0), marks)  # of a target
        for path in pictures:
            later.predict(read_image(path), shown)
    assert model.encoded == 3


def test_a_second_run_finds_everything(model, pictures: list[Path], tmp_path: Path):
    predictor, store = opened(model, tmp_path / "store")
    steps = encode_files(predictor, store, pictures)
    assert next(steps).stored == 1
    steps.close()
    again = list(encode_files(*opened(model, tmp_path / "store"), pictures))
    assert [(r.stored, r.found) for r in again] == [(0, 1), (1, 0), (1, 0)]
    assert model.encoded == 3


def test_broken_file_is_named_and_the_rest_goes_on(model, pictures: list[Path], tmp_path: Path):
    pictures[1].write_bytes(b"broken")
    results = list(encode_files(*opened(model, tmp_path / "store"), pictures))
    assert [r.error is None for r in results] == [True, False, True]
    assert "b.png" in str(results[1].error)


def test_deep_pictures_are_shown_as_a_run_will_show_them(model, tmp_path: Path):
    paths = [tmp_path / f"{name}.tif" for name in "ab"]
    for seed, path in enumerate(paths):
        tifffile.imwrite(path, scene(seed, "uint16") * (seed + 1))
    shown = reference(dtype="uint16")
    predictor, store = opened(model, tmp_path / "store")
    results = list(encode_files(predictor, store, paths, references=[shown]))
    expected = shared_intensity_range([shown], paths)
    assert [r.intensity_range for r in results] == [expected, expected]
    assert model.encoded == 3  # the reference too

    later, _ = opened(model, tmp_path / "store")
    for path in paths:
        later.predict(read_image(path), shown, intensity_range=expected)
    assert model.encoded == 3
    given = IntensityRange(0, 5000)
    results = list(encode_files(predictor, store, paths, intensity_range=given))
    assert [(r.stored, r.intensity_range) for r in results] == [(1, given)] * 2


def test_planes_of_any_file_are_encoded_as_a_run_needs_them(model, tmp_path: Path):
    channels, large = tmp_path / "two.ome.tif", tmp_path / "large.zarr"
    planes = np.stack([scene(seed, "uint16") for seed in range(2)])
    tifffile.imwrite(channels, planes, metadata={"axes": "CYX"})
    zarr.create_array(large, data=np.tile(scene(3, "uint16") * 3, (2, 1)), chunks=(16, 16))
    shown, reading = reference(dtype="uint16"), StackReading(max_pixels=planes[0].size)
    predictor, store = opened(model, tmp_path / "store")
    results = list(
        encode_files(predictor, store, [channels, large], references=[shown], reading=reading)
    )
    run = FolderRun.of(shown, [channels, large], tmp_path / "out", reading=reading)
    assert [len(run.pictures), len(run.stacks)] == [1, 1]
    assert [(r.error, r.intensity_range) for r in results] == [(None, run.picture_range)] * 2
    before = model.encoded
    later, _ = opened(model, tmp_path / "store")
    assert [r.error for r in run.carry_out(later)] == [None, None]
    assert model.encoded == before


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_stack_is_encoded_as_its_run_needs_it(model, tmp_path: Path, dtype: str):
    path = tmp_path / "stack.tif"
    planes = np.stack([scene(seed, dtype) for seed in range(3)])
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYX"})
    shown = Reference.from_annotations(planes[0], [Box(10, 10, 20, 20)])
    predictor, store = opened(model, tmp_path / "store")
    (result,) = encode_files(predictor, store, [path], references=[shown])
    assert (result.planes, result.error) == (3, None)
    before = model.encoded
    later, _ = opened(model, tmp_path / "store")
    found = predict_stack(later, open_stack(path), shown).compute()
    assert found.shape == planes.shape
    assert model.encoded == before


def test_large_plane_is_encoded_in_the_tiles_that_are_asked_for(model, tmp_path: Path):
    path = tmp_path / "large.png"
    Image.fromarray(np.tile(scene(1), (3, 3))).save(path)
    tiles = TileOptions("tiles", tile=64, overlap=16)
    predictor, store = opened(model, tmp_path / "store")
    (result,) = encode_files(predictor, store, [path], references=[reference()], tiling=tiles)
    assert result.stored > 4
    before = model.encoded
    later, _ = opened(model, tmp_path / "store")
    predict_tiled(later, read_image(path), reference(), tiling=tiles)
    assert model.encoded == before


def test_tiles_are_as_large_as_a_clicked_object_asks_for(model, tmp_path: Path):
    path = tmp_path / "large.png"
    Image.fromarray(np.tile(scene(1), (11, 1))).save(path)
    clicked = Reference.from_annotations(scene(9), [Point(15, 15)])
    predictor, store = opened(model, tmp_path / "store")
    (result,) = encode_files(predictor, store, [path], references=[clicked])
    assert result.error is None
    before = model.encoded
    later, _ = opened(model, tmp_path / "store")
    plan = plan_tiles(later, (528, 64), [clicked])
    assert plan.grid is not None
    assert plan.grid.tile_hw[0] < 512  # what was clicked is small
    predict_tiled(later, read_image(path), clicked)
    assert model.encoded == before + 1  # the reference, cut to a tile


def test_what_cannot_be_kept_is_an_error(
    model, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    predictor, store = opened(model, tmp_path / "store")

    def full(*_: object) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(embedding_store.EmbeddingFolder, "write", full)
    with pytest.raises(OutputError, match="disk is full"):
        list(encode_files(predictor, store, pictures))


def test_progress_and_cancel(model, pictures: list[Path], tmp_path: Path):
    token, told = CancelToken(), []

    def tell(progress: Any) -> None:
        told.append((progress.done, progress.total))
        if progress.done == 1:
            token.cancel()

    with pytest.raises(Cancelled):
        list(encode_files(*opened(model, tmp_path), pictures, cancel=token, progress=tell))
    assert told == [(0, 3), (1, 3)]


def test_references_are_checked_first(model, pictures: list[Path], tmp_path: Path):
    with pytest.raises(AnnotationError, match="only 'not this'"):
        list(
            encode_files(*opened(model, tmp_path), pictures, references=[reference().as_not_this()])
        )
