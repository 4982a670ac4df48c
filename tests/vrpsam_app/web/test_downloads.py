from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from vrpsam_app import batch, output_paths
from vrpsam_app.errors import EmptyReferenceError, ImageFileError
from vrpsam_app.image_files import read_image, read_mask
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import labels_of
from vrpsam_app.web import callbacks, downloads
from vrpsam_app.web.pictures import new_folder


def test_archive_holds_masks_overlays_and_recipe(
    session, segmenter, canvas_with, red_box, tmp_path
):
    archive = downloads.save_archive(segmenter, session, canvas_with(red_box), True, 0.6)
    with zipfile.ZipFile(archive) as bundle:
        assert sorted(bundle.namelist()) == sorted(
            [f"{n}_{k}.png" for n in ("first", "second", "without") for k in ("mask", "overlay")]
            + ["recipe.json"]
        )
        for target in session.targets:
            stem = target.path.stem
            pixels = np.asarray(Image.open(io.BytesIO(bundle.read(f"{stem}_mask.png"))))
            assert pixels.shape == target.hw
            assert set(np.unique(pixels)) <= {0, 255}
            assert pixels.any() == (stem != "without")
        bundle.extract("recipe.json", tmp_path)
    recipe = Recipe.load(tmp_path / "recipe.json")
    assert recipe.threshold == 0.6
    assert recipe.references[0].exhaustive
    assert [target.name for target in recipe.targets] == ["first.png", "second.png", "without.png"]


def test_masks_are_those_of_the_command_line(session, segmenter, canvas_with, red_box, tmp_path):
    canvas = canvas_with(red_box)
    reference = callbacks.marked_reference(session, canvas, False)
    paths = [target.path for target in session.targets]
    plan = output_paths.plan_outputs(paths, tmp_path, labels_of([reference]))
    assert all(not r.error for r in batch.segment_files(segmenter, [reference], plan))
    archive = downloads.save_archive(segmenter, session, canvas, False, 0.5)
    with zipfile.ZipFile(archive) as bundle:
        for outputs in plan:
            mask = outputs.masks["object"]
            assert bundle.read(mask.name) == mask.read_bytes()


def test_single_mask_is_of_the_visible_target(session, segmenter, canvas_with, red_box):
    shown = session.targets[1]
    path = downloads.save_mask(segmenter, session, canvas_with(red_box), False, 0.5, shown.id)
    assert path.name == "second_mask.png"
    mask = read_mask(path)
    image = read_image(shown.path)
    np.testing.assert_array_equal(mask, image[..., 0] > 180)


def test_every_download_has_a_folder_of_its_own(session, segmenter, canvas_with, red_box):
    canvas = canvas_with(red_box)
    first = downloads.save_archive(segmenter, session, canvas, False, 0.5)
    second = downloads.save_archive(segmenter, session, canvas, False, 0.5)
    assert first != second
    assert first.is_relative_to(session.folder)
    assert second.is_relative_to(session.folder)


def test_nothing_to_save_is_said(session, segmenter, canvas_with, red_box):
    with pytest.raises(EmptyReferenceError):
        downloads.save_archive(segmenter, session, canvas_with(), False, 0.5)
    for target in session.targets:
        target.path.unlink()
    reference = callbacks.marked_reference(session, canvas_with(red_box), False)
    with pytest.raises(ImageFileError, match=r"first\.png"):
        downloads.run_to_folder(
            segmenter,
            reference,
            [target.path for target in session.targets],
            new_folder(),
            intensity_range=None,
            threshold=0.5,
        )
