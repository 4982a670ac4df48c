from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box
from vrpsam_app.errors import ConfigError
from vrpsam_app.objects.finding import cut_planes, find_objects, kept_planes, linked_planes
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.stack import PixelSize, Stack

HW = (40, 60)
MASK = np.zeros(HW, bool)
MASK[5:15, 5:15] = MASK[20:36, 30:50] = True
IMAGE = np.where(MASK, 200, 30).astype(np.uint8)


def prediction(probability: np.ndarray | None = None, label: str = "cell") -> Prediction:
    sure = np.where(MASK, 0.8, 0.1).astype(np.float32) if probability is None else probability
    return Prediction(sure > 0.5, sure, 0.9, 1.0, True, sure, label, {}, 0.5)


class Echo:
    """Answers every prompt with the inside of its box, surer of a large one."""

    def predict_from_prompts(self, target, references, prompts, **settings) -> Prediction:
        (box,) = [a for a in prompts.annotations if isinstance(a, Box)]
        rows = slice(int(box.top) + 1, int(box.bottom) - 1)
        cols = slice(int(box.left) + 1, int(box.right) - 1)
        probability = np.zeros(target.shape[:2], np.float32)
        probability[rows, cols] = 1
        score = 0.9 if rows.stop - rows.start > 12 else 0.4
        return Prediction(probability > 0.5, probability, score, 1, True, probability, "a", {}, 0.5)


def test_objects_have_the_mean_probability_as_their_score():
    sure = np.where(MASK, 0.8, 0.1).astype(np.float32)
    sure[5:15, 5:10] = 0.6
    found = find_objects(prediction(sure))
    assert found.instance_labels.max() == 2
    assert found.scores.tolist() == pytest.approx([0.7, 0.8])
    assert found.scores_by_id() == pytest.approx({1: 0.7, 2: 0.8})


def test_printed_they_are_counted():
    found = find_objects(prediction())
    rows, cols = found.instance_labels.shape
    assert repr(found) == f"FoundObjects({len(found.scores)} in {rows} x {cols})"


def test_prompts_come_before_filters():
    options = ObjectOptions(prompts=True, min_score=0.5)
    found = find_objects(prediction(), options, image=IMAGE, segmenter=Echo())
    assert found.scores.tolist() == [0.9]
    assert found.instance_labels.max() == 1
    assert (found.instance_labels[28, 40], found.instance_labels[10, 10]) == (1, 0)
    every = find_objects(prediction(), ObjectOptions(prompts=True), image=IMAGE, segmenter=Echo())
    assert sorted(every.scores.tolist()) == [0.4, 0.9]
    for number, score in every.scores_by_id().items():
        area = (every.instance_labels == number).sum()
        assert (area > 200) == (score == 0.9)


def test_prompts_need_the_model_and_the_image():
    with pytest.raises(ConfigError, match="give the model and the image"):
        find_objects(prediction(), ObjectOptions(prompts=True))


def test_references_of_the_same_class_tell_the_size():
    """A broad object with a slight waist is two where objects are small, one where large."""
    row, col = np.indices((60, 90))
    waist = np.hypot(row - 30, col - 33) < 16
    waist |= np.hypot(row - 30, col - 50) < 16
    found = prediction(np.where(waist, 0.9, 0.0).astype(np.float32))

    def reference(side: int, label: str = "cell") -> Reference:
        image = np.zeros((200, 200), np.uint8)
        return Reference.from_annotations(image, [Box(0, 0, side, side)], label=label)

    small, large = reference(8), reference(60)
    assert find_objects(found, references=[small]).instance_labels.max() == 2
    assert find_objects(found, references=[large]).instance_labels.max() == 1
    other = [small, reference(60, "other"), reference(60, "other")]
    assert find_objects(found, references=other).instance_labels.max() == 2
    # 60 pixels of 0.1 um are 4 of the target's.
    scaled = find_objects(
        found,
        references=[large],
        pixel_size=PixelSize(1.5, 1.5),
        reference_pixel_size=PixelSize(0.1, 0.1),
    )
    assert scaled.instance_labels.max() == 2


def test_stacks_are_cut_plane_by_plane_and_linked():
    masks = Stack.from_array(np.stack([MASK, MASK, MASK * False]) * np.uint8(255))
    cut = list(cut_planes(masks))
    assert [plane.max() for plane in cut] == [2, 2, 0]
    linked = list(linked_planes(iter(cut), masks, LinkOptions(rule="unique")))
    assert [plane.max() for plane in linked] == [2, 4, 0]
    with pytest.raises(ConfigError, match="Prompts need the model"):
        next(cut_planes(masks, ObjectOptions(prompts=True)))
    with pytest.raises(ConfigError, match="probabilities"):
        next(cut_planes(masks, ObjectOptions(method="probability")))


def test_images_of_stacks_are_read_only_where_they_are_needed():
    masks = Stack.from_array(np.stack([MASK, MASK]))

    class Images:
        asked = 0

        def plane(self, index):
            self.asked += 1
            return IMAGE

    images = Images()
    assert next(cut_planes(masks, images=images)).max() == 2
    assert images.asked == 0
    list(cut_planes(masks, ObjectOptions(method="intensity"), images=images))
    assert images.asked == 2


def test_single_planes_keep_their_numbers():
    plane = Stack.from_array(MASK)
    (cut,) = linked_planes(cut_planes(plane), plane, LinkOptions())
    assert cut.max() == 2


def test_numbers_stay_where_objects_are_only_filtered():
    labels = np.zeros(HW, np.uint16)
    labels[5:15, 5:15], labels[20:36, 30:50] = 40, 7
    stack = Stack.from_array(labels, pixel_size=PixelSize(0.5, 0.5))
    (kept,) = kept_planes(stack, ObjectOptions(min_area=30, unit="um"))
    assert np.unique(kept).tolist() == [0, 7]
