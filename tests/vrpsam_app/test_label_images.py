from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError
from vrpsam_app.label_images import check_labels, count_objects, mask_of, shared_pixels

LABELS = np.array([[0, 7, 7], [3, 7, 0]], np.uint16)


@pytest.mark.parametrize("offset", [0, 10**9])  # a large number is counted in another way
def test_gaps_are_closed_in_the_order_of_numbers(offset):
    labels = np.where(LABELS > 0, LABELS.astype(np.int64) + offset, 0)
    counts = count_objects(labels)
    assert counts.dense.tolist() == [[0, 2, 2], [1, 2, 0]]
    assert counts.dense.dtype == np.int32
    assert counts.ids.tolist() == [3 + offset, 7 + offset]
    assert counts.pixels.tolist() == [1, 3]


def test_pictures_without_background_and_without_objects():
    full = count_objects(np.array([[10**9, 5], [5, 5]]))
    assert full.dense.tolist() == [[2, 1], [1, 1]]
    assert full.ids.tolist() == [5, 10**9]
    empty = count_objects(np.zeros((3, 4), bool))
    assert empty.ids.size == empty.pixels.size == 0
    assert empty.dense.shape == (3, 4)


def test_masks_count_as_one_object():
    assert count_objects(LABELS > 0).pixels.tolist() == [4]


@pytest.mark.parametrize("seed", range(3))
def test_shared_pixels_agree_with_a_plain_count(seed):
    rng = np.random.default_rng(seed)
    first, second = (count_objects(rng.integers(0, 6, (9, 8, 7))) for _ in range(2))
    pairs = shared_pixels(first, second)
    found = {
        (a, b): (n, iou)
        for a, b, n, iou in zip(
            pairs.first.tolist(), pairs.second.tolist(), pairs.pixels, pairs.iou, strict=True
        )
    }
    for a in range(5):
        for b in range(5):
            one, other = first.dense == a + 1, second.dense == b + 1
            shared = (one & other).sum()
            assert ((a, b) in found) == bool(shared)
            if shared:
                assert found[a, b] == (shared, shared / (one | other).sum())
    assert list(found) == sorted(found)


def test_shapes_must_agree():
    with pytest.raises(ImageError, match=r"\(2, 3\) and \(3, 2\)"):
        shared_pixels(count_objects(LABELS), count_objects(LABELS.T))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS / 2, "float64"),
        (LABELS[0], r"\(3,\)"),
        (-LABELS.astype(int), "number -7"),
        (LABELS.astype(np.int64) * 2**31, "number 15032385536"),
    ],
)
def test_what_are_no_object_numbers_is_refused(labels, words):
    with pytest.raises(ImageError, match=rf"The labels.*{words}"):
        check_labels(labels, name="The labels")


def test_masks_of_objects():
    assert mask_of(LABELS).tolist() == (LABELS > 0).tolist()
    assert mask_of(LABELS, [3]).tolist() == (LABELS == 3).tolist()
    assert mask_of(LABELS, [3, 7]).sum() == 4
    with pytest.raises(AnnotationError, match=r"no object 5: expected 3, 7\."):
        mask_of(LABELS, [3, 5])
    with pytest.raises(EmptyReferenceError, match="no objects"):
        mask_of(LABELS * 0)
    with pytest.raises(AnnotationError, match=r"1, 2, 3, .* and 88 more"):
        mask_of(np.arange(101).reshape(1, -1), [500])
