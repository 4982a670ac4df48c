"""Matching: evidence, prompts and agreement, on a SAM that knows its trade and on a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from vrpsam_app.annotations import Box, Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.evaluation.metrics import iou
from vrpsam_app.methods.matching import Matching, MatchingSettings
from vrpsam_app.methods.matching_evidence import evidence_in, knowledge_of
from vrpsam_app.methods.matching_prompters import ModelPrompter, SAMPrompter
from vrpsam_app.methods.matching_prompts import EvidenceParts
from vrpsam_app.methods.semantic_maps import ModelMaps, SAMMaps
from vrpsam_app.references import Reference

DARK = np.s_[44:56, 56:72]


@pytest.fixture
def matching(region_sam) -> Matching:
    return Matching(SAMMaps(region_sam), SAMPrompter(region_sam))


@pytest.fixture
def look(region_sam, scene):
    """Look for what references show in a scene."""
    maps = SAMMaps(region_sam)

    @torch.inference_mode()
    def look(*references: Reference, seed: int = 1):
        return evidence_in(maps.encode(scene(seed)[0]), knowledge_of(maps, references, None))

    return look


def test_evidence_lies_on_the_object(look, scene, outlined):
    found = look(outlined)
    light = found.grid.coverage(scene(1)[1])
    assert found.values[light == 1].min() > 0.5
    assert found.values[light == 1].mean() > 0.8
    assert found.values[light == 0].mean() < 0.2
    assert found.recognised > 0.9


def test_unmarked_is_unknown(look, scene):
    clicked = Reference.from_annotations(scene()[0], [Point(15, 14)])
    found = look(clicked)
    light = found.grid.coverage(scene(1)[1])
    # The other two light blocks of the reference are not held against those of the target.
    assert found.values[light == 1].mean() > 3 * found.values[light == 0].mean()


def test_knowledge_is_found_again(region_sam, outlined):
    maps = SAMMaps(region_sam)
    first = knowledge_of(maps, [outlined], None)
    computed = region_sam.store.computed
    again = knowledge_of(maps, [outlined], None)
    assert region_sam.store.computed == computed
    assert torch.equal(first.rows, again.rows)


def test_evidence_becomes_points_boxes_and_masks(look, scene, outlined):
    parts = EvidenceParts.of(look(outlined))
    light = scene(1)[1]
    near = ndimage.binary_dilation(light, iterations=2)  # less than a cell
    assert len(parts) == 3
    assert parts.evidence.shape == (192, 256)
    for points, box in zip(parts.points_xy, parts.boxes_xyxy, strict=True):
        assert len(points) >= 1
        assert light[int(points[0, 1]), int(points[0, 0])]
        for x, y in points:
            assert near[int(y), int(x)]
            assert box[0] <= x <= box[2]
            assert box[1] <= y <= box[3]
        assert 8 < box[2] - box[0] < 24
    x, y = parts.beside_xy
    assert not light[int(y), int(x)]
    whole, first = parts.logits(), parts.logits(0)
    assert (whole > 0).sum() > 2 * (first > 0).sum() > 0
    # Each place belongs to the part that is nearest.
    assert set(np.unique(parts.owner)) == {1, 2, 3}
    assert parts.owner[(parts.evidence > 0.5) & (first > 0)].tolist().count(1) == (first > 0).sum()


def test_without_any_evidence_the_strongest_place_is_asked(look, scene):
    picture, light = scene()
    nothing_like = Reference.from_mask(picture, light).as_not_this()
    faint = look(Reference.from_mask(picture, light), nothing_like)
    parts = EvidenceParts.of(faint)
    assert len(parts) >= 1
    assert sum(map(len, parts.points_xy)) >= 1


@pytest.mark.parametrize(
    "mark", [None, Point(15, 14), Box(7, 5, 23, 23)], ids=["all", "point", "box"]
)
def test_it_finds_the_like_of_what_was_marked_object_by_object(matching, scene, outlined, mark):
    target, light = scene(1)
    reference = outlined if mark is None else Reference.from_annotations(scene()[0], [mark])
    found = matching.predict(target, reference)
    assert found.present
    assert iou(found.mask, light) > 0.8
    assert found.instance_labels.max() == 3


def test_it_finds_one_kind_and_then_the_other(matching, scene):
    picture, light = scene()
    target, target_light = scene(1)
    dark = np.zeros_like(light)
    dark[DARK] = True
    for marks, wanted in ((light, target_light), (dark, dark)):
        reference = Reference.from_mask(picture, marks, exhaustive=True)
        assert iou(matching.predict(target, reference).mask, wanted) > 0.8


def test_what_is_not_there_is_absent(matching, scene, outlined):
    empty = np.random.default_rng(9).integers(90, 120, (60, 80, 3)).astype(np.uint8)
    found = matching.predict(empty, outlined)
    assert not found.present
    assert not found.mask.any()
    assert not found.instance_labels.any()
    assert found.presence < 0.2 < 0.7 < matching.predict(scene(1)[0], outlined).presence


def test_a_click_on_the_target_is_followed(matching, scene, outlined):
    target, _ = scene(1)
    found = matching.predict(target, outlined, corrections=Corrections((Point(50, 64),)))
    assert found.presence == 1
    assert found.mask[46:54, 58:70].all()


def test_pictures_are_encoded_once(region_sam, matching, scene, outlined):
    encoded = []
    region_sam.sam.image_encoder.register_forward_hook(lambda *_: encoded.append(1))
    for _ in range(2):
        matching.predict(scene(1)[0], outlined)
    assert len(encoded) == 2  # the reference and the target


def test_a_model_encodes_a_picture_once_for_features_and_answers(small_predictor, scene, outlined):
    small_predictor.store.clear()
    encoded = []
    hook = small_predictor._model.sam.image_encoder.register_forward_hook(
        lambda *_: encoded.append(1)
    )
    method = Matching(ModelMaps(small_predictor), ModelPrompter(small_predictor))
    found = method.predict(scene(1)[0], outlined)
    hook.remove()
    assert len(encoded) == 2
    assert method.input_side == small_predictor.input_side
    said = method.describe()
    assert said["model"] == said["features"]["model"] == "embedded"
    assert found.made_by["settings"] == {"presence": 0.4, "evidence": 0.4}


def test_a_model_says_whether_the_object_is_there(small_predictor, scene, outlined, monkeypatch):
    method = Matching(ModelMaps(small_predictor), ModelPrompter(small_predictor))
    target, _ = scene(1)
    predict = small_predictor.predict
    for present in (True, False):
        monkeypatch.setattr(
            small_predictor,
            "predict",
            lambda *a, present=present, **k: replace(
                predict(*a, **k), presence=0.3, present=present
            ),
        )
        found = method.predict(target, outlined)
        assert (found.presence, found.present) == (pytest.approx(0.3), present)
        assert found.mask.any() == present
        clicked = method.predict(target, outlined, corrections=Corrections((Point(50, 64),)))
        assert clicked.present


def test_settings_are_said_and_followed(region_sam, scene, outlined):
    assert SAMPrompter(region_sam).input_side == 512
    strict = Matching(
        SAMMaps(region_sam),
        SAMPrompter(region_sam),
        settings=MatchingSettings(presence=0.999),
    )
    found = strict.predict(scene(1)[0], outlined)
    assert not found.present
    assert found.probability.max() > 0.9
    assert strict.describe()["settings"]["presence"] == 0.999
