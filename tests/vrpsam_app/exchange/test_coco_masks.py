from __future__ import annotations

import sys

import numpy as np
import pytest

from vrpsam_app.errors import ImageError, MissingExtraError
from vrpsam_app.exchange.coco_masks import decode_segmentation, encode_runs
from vrpsam_app.exchange.outlines import Patch


def test_polygons_of_one_object_are_joined():
    polygons = [[1, 1, 5, 1, 5, 4, 1, 4], [7, 0, 9, 0, 9, 2, 7, 2]]
    mask = decode_segmentation(polygons, (6, 10), "a")
    assert mask.dtype == np.bool_
    assert mask[1:4, 1:5].all()
    assert mask[0:2, 7:9].all()
    assert mask.sum() == 16


def test_run_lengths_go_down_the_columns():
    mask = decode_segmentation({"size": [3, 4], "counts": [3, 4, 5]}, (3, 4), "a")
    assert mask.astype(int).tolist() == [[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0]]


def test_compressed_run_lengths():
    from pycocotools import mask as coco

    wanted = np.zeros((7, 9), np.uint8)
    wanted[2:5, 3:8] = 1
    runs = coco.encode(np.asfortranarray(wanted))
    for counts in (runs["counts"], runs["counts"].decode("ascii")):
        found = decode_segmentation({"size": [7, 9], "counts": counts}, (7, 9), "a")
        assert np.array_equal(found, wanted > 0)


@pytest.mark.parametrize("segmentation", [None, 3, [], [[1, 2]], {"counts": [1]}, {"size": [3, 4]}])
def test_what_cannot_be_read_is_named(segmentation):
    with pytest.raises(ImageError, match="annotation 7 has"):
        decode_segmentation(segmentation, (3, 4), "annotation 7")


def test_masks_of_another_size_are_refused():
    with pytest.raises(ImageError, match=r"\(3, 4\).*\(4, 4\)"):
        decode_segmentation({"size": [3, 4], "counts": "04"}, (4, 4), "annotation 7")


def test_without_pycocotools_the_command_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[objects\]"'):
        decode_segmentation([], (3, 4), "a")


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_are_those_of_pycocotools(seed: int):
    from pycocotools import mask as coco

    rng = np.random.default_rng(seed)
    window = rng.random((6, 5)) < 0.5
    whole = np.zeros((9, 11), np.uint8)
    whole[2:8, 4:9] = window
    assert encode_runs(Patch(2, 4, window), (9, 11)) == {
        "size": [9, 11],
        "counts": coco.encode(np.asfortranarray(whole))["counts"].decode("ascii"),
    }


def test_a_mask_of_the_whole_picture_has_run_lengths_too():
    runs = encode_runs(Patch(0, 0, np.ones((3, 4), bool)), (3, 4))
    assert decode_segmentation(runs, (3, 4), "a").all()
