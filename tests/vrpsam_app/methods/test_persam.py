"""PerSAM on a SAM that knows its trade: it answers with the region that was clicked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrpsam_app.annotations import Box, Point, Scribble
from vrpsam_app.corrections import Corrections
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.persam import PerSAM, PerSAMSettings
from vrpsam_app.methods.persam_f import PerSAMF
from vrpsam_app.references import Reference

DARK = np.s_[44:56, 56:72]
METHODS = pytest.mark.parametrize("method", [PerSAM, PerSAMF], ids=["persam", "persam_f"])


def dark(target: np.ndarray) -> np.ndarray:
    mask = np.zeros(target.shape[:2], bool)
    mask[DARK] = True
    return mask


@METHODS
def test_every_object_is_found_and_told_from_the_others(region_sam, scene, outlined, method):
    target, light = scene(1)
    found = method(region_sam).predict(target, outlined)
    assert found.present
    assert iou(found.mask, light) > 0.85
    assert found.instance_labels.max() == 3
    tops = ((8, 6), (31, 20), (12, 49))
    numbers = {int(found.instance_labels[top + 7, left + 8]) for top, left in tops}
    assert numbers == {1, 2, 3}
    assert 0.8 < found.score <= 1


@METHODS
def test_pictures_are_encoded_once(region_sam, scene, outlined, method):
    encoded = []
    region_sam.sam.image_encoder.register_forward_hook(lambda *_: encoded.append(1))
    asked = method(region_sam)
    for _ in range(2):
        asked.predict(scene(1)[0], outlined)
    assert len(encoded) == 2  # the reference and the target


@METHODS
def test_what_is_not_there_is_absent(region_sam, scene, outlined, method):
    empty = np.random.default_rng(9).integers(90, 120, (60, 80, 3)).astype(np.uint8)
    asked = method(region_sam)
    found = asked.predict(empty, outlined)
    assert not found.present
    assert not found.mask.any()
    assert not found.instance_labels.any()
    there = asked.predict(scene(1)[0], outlined)
    assert found.presence < 0.2 < 0.8 < there.presence


@METHODS
@pytest.mark.parametrize(
    "mark",
    [Point(15, 14), Scribble(((10, 10), (18, 18)), width=2), Box(7, 5, 23, 23)],
    ids=["point", "scribble", "box"],
)
def test_one_marked_object_is_enough(region_sam, scene, method, mark):
    target, light = scene(1)
    reference = Reference.from_annotations(scene()[0], [mark])
    assert iou(method(region_sam).predict(target, reference).mask, light) > 0.85


def test_it_finds_one_kind_and_then_the_other(region_sam, scene):
    picture, light = scene()
    target, target_light = scene(1)
    for marks, wanted in ((light, target_light), (dark(picture), dark(target))):
        reference = Reference.from_mask(picture, marks, exhaustive=True)
        found = PerSAM(region_sam).predict(target, reference)
        assert iou(found.mask, wanted) > 0.8


def test_not_this_keeps_a_look_alike_out(region_sam, scene):
    picture, light = scene()
    target, target_light = scene(1)
    # Light blocks and dark ones were shown, then the dark ones ruled out.
    both = Reference.from_mask(picture, light | dark(picture), exhaustive=True)
    against = Reference.from_mask(picture, dark(picture)).as_not_this()
    method = PerSAM(region_sam)
    assert method.predict(target, both).mask[DARK].any()
    found = method.predict(target, [Reference.from_mask(picture, light), against])
    assert iou(found.mask, target_light) > 0.8


def test_two_references_show_two_looks(region_sam, scene):
    picture, light = scene()
    target, target_light = scene(1)
    shown = [
        Reference.from_mask(picture, light & (np.arange(80) < 30)),
        Reference.from_mask(picture, dark(picture)),
    ]
    found = PerSAM(region_sam).predict(target, shown)
    assert iou(found.mask, target_light | dark(target)) > 0.8


def test_a_click_on_the_target_is_followed(region_sam, scene, outlined):
    target, light = scene(1)
    clicked = Corrections((Point(50, 64),))
    found = PerSAM(region_sam).predict(target, outlined, corrections=clicked)
    assert found.presence == 1
    assert found.mask[46:54, 58:70].all()
    assert found.instance_labels[50, 64] == 1
    assert iou(found.mask, light | dark(target)) > 0.8


def test_a_click_finds_what_the_references_do_not_show(region_sam, scene, outlined):
    empty = np.full((60, 80, 3), 100, np.uint8)
    empty[DARK] = 20
    found = PerSAM(region_sam).predict(empty, outlined, corrections=Corrections((Point(50, 64),)))
    assert found.present
    assert found.mask[46:54, 58:70].all()


def test_an_earlier_answer_is_heard(region_sam, scene, outlined):
    target, light = scene(1)
    earlier = np.where(light, 5.0, -5.0).astype(np.float32)
    PerSAM(region_sam).predict(target, outlined, corrections=Corrections((Point(15, 14),), earlier))
    assert any(
        p.mask_logits is not None and p.mask_logits.shape == (128, 128) for p in region_sam.asked
    )


def test_the_number_of_objects_is_bounded(region_sam, scene, outlined):
    method = PerSAM(region_sam, settings=PerSAMSettings(most_objects=2, at_once=1))
    assert method.predict(scene(1)[0], outlined).instance_labels.max() == 2
    assert method.describe()["settings"]["most_objects"] == 2


def test_the_scale_that_was_marked_is_learned(region_sam, scene):
    picture, light = scene()
    whole = Reference.from_mask(picture, light, exhaustive=True)
    # The left halves of the blocks: what the stand-in answers as scale 1.
    left = np.zeros_like(light)
    for top, start in ((8, 6), (30, 20), (12, 50)):
        left[top : top + 14, start : start + 8] = True
    halves = Reference.from_mask(picture, left)
    method = PerSAMF(region_sam, steps=300)
    weights = [method.fit([r]).scales.weights for r in (whole, halves)]
    assert weights[0][1] > weights[1][1] + 0.1
    assert weights[1][0] > weights[0][0] + 0.1


def test_fit_asks_the_decoder_once_for_each_reference_and_returns_a_copy(region_sam, scene):
    shown = [Reference.from_mask(*scene(seed), exhaustive=True) for seed in range(3)]
    asked = []
    ask = region_sam.ask
    region_sam.ask = lambda *a, **k: asked.append(len(a[1])) or ask(*a, **k)
    method = PerSAMF(region_sam, steps=200)
    fitted = method.fit(shown)
    assert asked == [3, 3, 3]
    assert method.scales is None
    assert fitted is not method
    assert fitted.scales.weights.sum() == pytest.approx(1)
    assert "scales" in fitted.describe()
    assert "scales" not in method.describe()


def test_the_fit_is_made_once_for_the_same_references(region_sam, scene, outlined):
    method = PerSAMF(region_sam, steps=50)
    first = method.predict(scene(1)[0], outlined)
    computed = region_sam.store.computed
    again = method.predict(scene(1)[0], outlined)
    assert region_sam.store.computed == computed
    assert first.probability.tobytes() == again.probability.tobytes()
    by_hand = method.fit([outlined]).predict(scene(1)[0], outlined)
    np.testing.assert_array_equal(by_hand.probability, first.probability)


def test_the_cue_lies_where_the_picture_is(region_sam, scene, outlined):
    from vrpsam_app.methods.object_model import object_model_of

    with torch.inference_mode():
        model = object_model_of(region_sam, [outlined], None)
        picture = region_sam.encode(scene(1)[0])
        cue = model.attention_cue(picture)
        assert cue.shape == (32, 32)
        assert not cue[24:].any()
        light = picture.grid.coverage(scene(1)[1])
        assert cue[:24][light == 1].min() > cue[:24][light == 0].max()
        evidence = model.evidence(picture)
        assert evidence[light == 1].min() > 0.8
        assert float((evidence[light == 0] < 0.3).float().mean()) > 0.95
