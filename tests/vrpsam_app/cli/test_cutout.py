"""``vrpsam cutout``, from what is typed to the files that are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.cli import cutout

RED_BOX = ("--reference", "ref.png", "--box", "8,5,18,15")


pytestmark = pytest.mark.usefixtures("folder")


def test_an_object_becomes_a_square_picture(vrpsam):
    outcome = vrpsam(
        "cutout", *RED_BOX, "--target", "a.png", "--out", "cut", "--which", "largest",
        "--square", "--size", "32", "--hidden", "0,0,0",
    )  # fmt: skip
    assert outcome.code == 0
    assert "a.png: a_cutout.png" in outcome.out
    pixels = np.asarray(Image.open("cut/a_cutout.png"))
    assert pixels.shape == (32, 32, 4)
    assert (pixels[pixels[..., 3] == 0][:, :3] == 0).all()


def test_what_is_not_there_is_told_and_stops_nothing(vrpsam):
    outcome = vrpsam("cutout", *RED_BOX, "--target", "b.png", "a.png", "--out", "cut")
    assert outcome.code == cutout.EXIT_SOME_FAILED
    assert "Nothing to cut out was found in b.png" in outcome.err
    assert "1 of 2 failed" in outcome.err
    assert [p.name for p in Path("cut").iterdir()] == ["a_cutout_1.png"]


def test_masks_that_were_made_before(vrpsam):
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:30] = 255
    Path("masks").mkdir()
    Image.fromarray(mask).save("masks/a_mask.png")
    outcome = vrpsam(
        "cutout", "--masks", "masks", "--target", "a.png", "--out", "cut", "--no-crop",
        "--hard-edge",
    )  # fmt: skip
    assert outcome.code == 0
    assert np.array_equal(np.asarray(Image.open("cut/a_cutout_1.png"))[..., 3], mask)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("--target", "a.png"), "give either --reference"),
        ((*RED_BOX, "--masks", "m", "--target", "a.png"), "give either --reference"),
        ((*RED_BOX, "--target", "a.png", "--threshold", "2"), "between 0 and 1"),
        ((*RED_BOX, "--target", "a.png", "--hidden", "white"), "red, green and blue"),
        ((*RED_BOX, "--target", "a.png", "--size", "0"), "1 to 16384"),
    ],
)
def test_senseless_words_are_refused(vrpsam, typed: tuple[str, ...], told: str):
    outcome = vrpsam("cutout", *typed, "--out", "cut")
    assert outcome.code == 2
    assert told in outcome.err
    assert not Path("cut").exists()
