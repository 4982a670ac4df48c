"""Marks on targets, found again by the pixels they are on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point, Scribble
from vrpsam_app.corrected_targets import CorrectedTargets
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import AnnotationError, ConfigError
from vrpsam_app.recipe import Recipe, TargetRecord

MARKS = (
    Point(4.25, 5, positive=False),
    Scribble(((1, 2), (3, 4.5)), width=2),
    Box(2, 3, 9, 11.5),
)


@pytest.fixture
def image() -> np.ndarray:
    return np.arange(600, dtype=np.uint16).reshape(20, 30)


@pytest.fixture
def corrected(image) -> CorrectedTargets:
    return CorrectedTargets().with_target(image, {"cell": Corrections(MARKS)})


def test_a_target_is_known_by_its_pixels(image, corrected):
    assert corrected.of(image)["cell"].annotations == MARKS
    assert corrected.of(image.astype(">u2"))["cell"].annotations == MARKS
    assert corrected.of(image + 1) == {}
    assert CorrectedTargets().of(image) == {}
    assert (len(corrected), len(CorrectedTargets())) == (1, 0)


def test_they_come_back_from_a_recipe(image, corrected, tmp_path):
    both = corrected.with_target(image[::2], {"cell": Corrections(), "rod": Corrections(MARKS[:1])})
    recipe = Recipe.from_run([], [], {}, sections={"corrections": both.to_json()})
    read = Recipe.load(recipe.save(tmp_path / "recipe.json"))
    again = CorrectedTargets.from_json(read.sections["corrections"])
    assert again == both
    assert list(again.of(image[::2])) == ["rod"]


def test_a_target_without_marks_is_none_of_them(image, corrected):
    assert corrected.with_target(image[:5], {}) is corrected
    assert corrected.with_target(image[:5], {"cell": Corrections()}) is corrected


def test_those_of_a_run_are_counted(image, corrected):
    records = [TargetRecord.from_image(name, image) for name in ("a", "b")]
    assert corrected.count(records) == 1
    assert corrected.count([TargetRecord.from_image("c", image[1:])]) == 0


def test_logits_cannot_be_kept(image):
    logits = Corrections(MARKS, mask_logits=np.zeros(image.shape, np.float32))
    with pytest.raises(ConfigError, match="mask_logits"):
        CorrectedTargets().with_target(image, {"cell": logits})


@pytest.mark.parametrize(
    "section",
    [
        [],
        {"0": []},
        {"0": {"cell": {}}},
        {"0": {"cell": ["point"]}},
        {"0": {"cell": [{}] * 10_001}},
    ],
    ids=["list", "classes", "marks", "mark", "too many"],
)
def test_another_form_is_a_sentence(section):
    with pytest.raises(ConfigError, match="corrections"):
        CorrectedTargets.from_json(section)


@pytest.mark.parametrize("mark", [{"type": "point", "xy": [500, 3]}, {"type": "star"}, {}])
def test_marks_that_make_no_sense_are_told_where_they_are_used(image, corrected, mark):
    section = json.loads(json.dumps(corrected.to_json()))
    next(iter(section.values()))["cell"] = [mark]
    read = CorrectedTargets.from_json(section)
    with pytest.raises(AnnotationError, match=r"annotations\[0\]|annotations"):
        read.of(image)
