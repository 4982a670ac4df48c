"""Pictures with their objects, and prompts as people give them."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Point
from vrpsam_app.errors import ConfigError, EmptyReferenceError
from vrpsam_app.methods.prompt_examples import (
    PromptExample,
    examples_of_dataset,
    examples_of_references,
    simulated_prompt,
)
from vrpsam_app.methods.prompted_pictures import PromptedSAM, answered
from vrpsam_app.methods.sam_pictures import SAMPrompt
from vrpsam_app.references import Reference


def test_connected_parts_of_a_mask_are_objects(small_pictures, scene, outlined):
    model = PromptedSAM(small_pictures)
    (example,) = examples_of_references(model, [outlined, outlined.as_not_this()])
    assert example.image.shape == (60, 80, 3)
    assert example.numbers == (1, 2, 3)
    np.testing.assert_array_equal(example.objects > 0, scene()[1])
    assert sorted(int(example.mask(n).sum()) for n in example.numbers) == [14 * 16] * 3


def test_of_a_point_the_object_is_what_the_model_answers(small_pictures, scene):
    model = PromptedSAM(small_pictures)
    clicked = Reference.from_annotations(scene()[0], [Point(15, 14)])
    (example,) = examples_of_references(model, [clicked])
    prompt = SAMPrompt.at([np.array([14.5, 15.5], np.float32)])
    picture = model.open(scene()[0])
    logits, _ = answered(picture, [prompt], None)
    expected = (picture.resized(logits[None])[0, 0] > 0).numpy()
    found = example.objects > 0
    # The middle of the disc that a click is drawn as, to the pixel.
    assert (found & expected).sum() / (found | expected).sum() > 0.8


def test_specks_and_not_this_teach_nothing(small_pictures, outlined):
    speck = np.zeros((60, 80), np.bool_)
    speck[3, 4:7] = True
    model = PromptedSAM(small_pictures)
    tiny = Reference.from_mask(outlined.image, speck)
    for references in ([tiny], [outlined.as_not_this()]):
        with pytest.raises(EmptyReferenceError, match="at least 16 pixels"):
            examples_of_references(model, references)


class TwoClasses:
    """Two pictures: one with an object of each of two classes, one with the second only."""

    name, names, class_names = "two", ("a", "b"), ("left", "right")
    has_instances = True

    def __len__(self):
        return 2

    def shown(self, index):
        return {1: 100, 2: 100} if index == 0 else {2: 100}

    def load(self, index):
        from vrpsam_app.data.labelled_dataset import LabelledImage

        classes = np.zeros((40, 40), np.int32)
        if index == 0:
            classes[5:15, 5:15] = 1
        classes[5:15, 25:35] = 2
        instances = classes * 3
        return LabelledImage(
            self.names[index], np.zeros((40, 40, 3), np.uint8), instances, classes, self.class_names
        )


def test_objects_of_a_class_or_of_all():
    everything = examples_of_dataset(TwoClasses())
    assert [e.numbers for e in everything] == [(3, 6), (6,)]
    (left,) = examples_of_dataset(TwoClasses(), "left")
    assert left.numbers == (3,)
    assert not left.objects[:, 20:].any()


def test_what_cannot_be_learned_from_is_named():
    with pytest.raises(ConfigError, match="no class 'top': expected one of left, right"):
        examples_of_dataset(TwoClasses(), "top")
    stuff = TwoClasses()
    stuff.has_instances = False
    with pytest.raises(ConfigError, match="object by object"):
        examples_of_dataset(stuff)


@pytest.mark.parametrize("seed", range(5))
def test_prompts_are_where_a_person_would_put_them(scene, seed):
    _, light = scene()
    mask = light & (np.arange(80) < 20)
    rng = np.random.default_rng(seed)
    click = simulated_prompt(rng, "click", mask)
    x, y = click.points_xy[0]
    assert click.positive.tolist() == [True]
    assert mask[int(y), int(x)]
    box = simulated_prompt(rng, "box", mask).box_xyxy
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    tight = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1])
    assert np.abs(box - tight).max() <= 0.16 * 16


def test_numbers_need_not_follow_each_other():
    objects = np.zeros((30, 30), np.int32)
    objects[:8, :8], objects[20:22, 20:22] = 7, 9
    example = PromptExample(np.zeros((30, 30, 3), np.uint8), objects)
    assert example.numbers == (7,)
