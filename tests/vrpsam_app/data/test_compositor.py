"""Cut-outs on backgrounds: where they lie, what they cover, and that chance is a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.compositor import (
    CutOut,
    PastingSettings,
    compose,
    compose_folder,
    pictures_in,
)
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError, OutputError

GREEN = np.array([30, 200, 40])
PLAIN = PastingSettings(match=0.0, side=128)


@pytest.fixture
def banner() -> CutOut:
    image = np.full((60, 90, 3), 200, np.uint8)
    mask = np.zeros((60, 90), np.bool_)
    mask[20:40, 10:80] = True
    image[mask] = GREEN
    return CutOut.of(image, mask)


def background(seed: int = 0, hw: tuple[int, int] = (96, 128)) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 140, (*hw, 3)).astype(np.uint8)


def test_an_object_is_cut_out_to_its_box(banner: CutOut):
    assert banner.rgb.shape == (20, 70, 3)
    assert banner.alpha.shape == (20, 70)
    assert (banner.rgb == GREEN).all()
    with pytest.raises(ImageError, match="cuts nothing out"):
        CutOut.of(np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), np.bool_))


def test_transparency_says_what_the_object_is(tmp_path: Path):
    pixels = np.zeros((30, 40, 4), np.uint8)
    pixels[5:15, 10:30] = (*GREEN, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = CutOut.read(tmp_path / "a.png")
    assert read.alpha.shape == (10, 20)
    assert (read.rgb == GREEN).all()
    Image.fromarray(pixels[..., :3]).save(tmp_path / "b.png")
    with pytest.raises(ImageFileError, match="with transparency"):
        CutOut.read(tmp_path / "b.png")


@pytest.mark.parametrize("seed", range(6))
def test_objects_are_where_the_labels_say(banner: CutOut, seed: int):
    image, objects = compose(np.random.default_rng(seed), [banner], background(), PLAIN)
    assert image.shape == (96, 128, 3)
    assert objects.dtype == np.int32
    numbers = np.unique(objects)
    assert numbers.tolist() == list(range(int(objects.max()) + 1))
    assert 1 <= objects.max() <= 3
    green = (image[..., 1].astype(int) - image[..., 0]) > 90
    overlap = (green & (objects > 0)).sum() / (green | (objects > 0)).sum()
    assert overlap > 0.85


def test_sizes_stay_within_their_limits(banner: CutOut):
    settings = PastingSettings(objects=(1, 1), size=(0.5, 0.5), turn=0, slant=0, match=0, side=128)
    for seed in range(4):
        _, objects = compose(np.random.default_rng(seed), [banner], background(), settings)
        rows, cols = np.flatnonzero(objects.any(1)), np.flatnonzero(objects.any(0))
        assert np.ptp(cols) + 1 == pytest.approx(0.5 * 96, abs=2)
        assert np.ptp(rows) + 1 == pytest.approx(0.5 * 96 * 20 / 70, abs=2)


def test_objects_hardly_cover_each_other(banner: CutOut):
    settings = PastingSettings(objects=(8, 8), size=(0.4, 0.5), match=0, side=128)
    alone = PastingSettings(objects=(1, 1), size=(0.4, 0.5), match=0, side=128)
    full = compose(np.random.default_rng(1), [banner], background(), alone)[1].astype(bool).sum()
    _, objects = compose(np.random.default_rng(1), [banner], background(), settings)
    areas = np.bincount(objects.ravel())[1:]
    assert areas[areas > 0].min() > 0.4 * full


def test_brightness_follows_the_place_as_far_as_it_is_told_to(banner: CutOut):
    dark = np.full((96, 128, 3), 10, np.uint8)
    means = []
    for match in (0.0, 0.5, 1.0):
        settings = PastingSettings(objects=(1, 1), match=match, side=128)
        image, objects = compose(np.random.default_rng(3), [banner], dark, settings)
        means.append(image[objects == 1].mean())
    assert means[0] > means[1] > means[2]
    assert means[2] == pytest.approx(10, abs=12)


def test_large_backgrounds_are_reduced_and_small_ones_kept(banner: CutOut):
    rng = np.random.default_rng(0)
    assert compose(rng, [banner], background(hw=(300, 600)), PLAIN)[0].shape == (64, 128, 3)
    assert compose(rng, [banner], background(hw=(40, 50)), PLAIN)[0].shape == (40, 50, 3)


def test_a_folder_is_ready_to_learn_from(banner: CutOut, tmp_path: Path):
    places = tmp_path / "places"
    places.mkdir()
    for number in range(2):
        Image.fromarray(background(number)).save(places / f"{number}.png")
    (places / "notes.txt").write_text("x")
    made = [
        compose_folder(
            tmp_path / name,
            [banner],
            pictures_in(places),
            count=3,
            label="banner",
            seed=4,
            settings=PLAIN,
        )
        for name in ("a", "b")
    ]
    dataset = FolderDataset.open(made[0])
    assert dataset.class_names == ("banner",)
    assert dataset.has_instances
    assert len(dataset) == 3
    picture = dataset.load(1)
    assert picture.instances.max() >= 1
    for name in dataset.names:
        first, again = ((folder / "images" / f"{name}.png").read_bytes() for folder in made)
        assert first == again
    with pytest.raises(OutputError):
        compose_folder(made[0], [banner], pictures_in(places), count=1, label="banner")


def test_nothing_to_paste_is_said(banner: CutOut, tmp_path: Path):
    with pytest.raises(ConfigError, match="0 cut-outs on 1 backgrounds"):
        compose_folder(tmp_path, [], [tmp_path / "a.png"], count=2, label="x")
    with pytest.raises(ImageFileError, match="holds no pictures"):
        pictures_in(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "wrong",
    [{"objects": (0, 2)}, {"size": (0.6, 0.2)}, {"slant": 0.5}, {"match": 1.5}, {"side": 8}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match="cannot be pasted by"):
        PastingSettings(**wrong)
