"""What a run is asked for, to a recipe and back."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.annotations import Box
from vrpsam_app.corrected_targets import CorrectedTargets
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.run_settings import RunSettings
from vrpsam_app.tiles.plan import TileOptions

SETTINGS = RunSettings(
    threshold=0.4,
    tiling=TileOptions("whole"),
    objects=ObjectOptions(method="components", min_area=5),
    links=LinkOptions(rule="unique"),
    corrections=CorrectedTargets({"0" * 64: {"cell": [{"type": "point", "xy": [3, 4]}]}}),
    smallest_piece=7,
)
SHOWN = IntensityRange(3, 700)
REFERENCE = Reference.from_annotations(np.zeros((9, 9), np.uint8), [Box(1, 1, 4, 4)])


def test_settings_come_back_from_a_recipe():
    asked = {"threshold": 0.4, "smallest_piece": 7}
    recipe = Recipe.from_run([REFERENCE], [], {}, settings=asked, sections=SETTINGS.sections())
    assert RunSettings.of_recipe(Recipe.from_json(recipe.to_json())) == SETTINGS
    plain = Recipe.from_run([REFERENCE], [], {})
    assert RunSettings.of_recipe(plain) == RunSettings()


@pytest.mark.parametrize(
    ("stack", "given", "expected"),
    [
        (None, True, (SHOWN, SHOWN)),
        (None, False, (None, SHOWN)),
        ((), False, (None, SHOWN)),
        (("z",), False, (None, None)),
        (("z",), True, (SHOWN, None)),
    ],
)
def test_a_range_that_was_found_is_that_of_its_own_targets(
    stack: tuple[str, ...] | None, given: bool, expected: tuple[IntensityRange | None, ...]
):
    sections = {} if stack is None else {"stack": {"axes": list(stack)}}
    recipe = Recipe.from_run(
        [REFERENCE], [], {}, intensity_range=SHOWN, range_given=given, sections=sections
    )
    settings = RunSettings.of_recipe(Recipe.from_json(recipe.to_json()))
    assert (settings.intensity_range, settings.picture_range) == expected


@pytest.mark.parametrize("axes", [[], ["z"]])
def test_a_range_of_which_a_recipe_says_nothing_is_kept(axes: list[str]):
    recipe = Recipe.from_run(
        [REFERENCE], [], {}, intensity_range=SHOWN, sections={"stack": {"axes": axes}}
    )
    stored = recipe.to_json()
    del stored["range_given"]  # as earlier releases wrote it
    loaded = Recipe.from_json(stored)
    assert RunSettings.of_recipe(loaded).intensity_range == SHOWN
    assert Recipe.from_json(loaded.to_json()).range_given is None


def test_a_damaged_section_is_said():
    recipe = Recipe.from_run([REFERENCE], [], {}, sections={"objects": {"method": "magic"}})
    with pytest.raises(ConfigError, match="objects: Method is 'magic'"):
        RunSettings.of_recipe(recipe)
    recipe = Recipe.from_run([REFERENCE], [], {}, settings={"smallest_piece": -1})
    with pytest.raises(ConfigError, match="smallest_piece is -1"):
        RunSettings.of_recipe(recipe)
