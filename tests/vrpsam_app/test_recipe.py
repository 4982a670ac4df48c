"""Recipes come back equal, and damaged ones are refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vrpsam_app.annotations import Box
from vrpsam_app.environment import current_environment
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.images import IntensityRange
from vrpsam_app.recipe import Recipe, TargetRecord, pixels_sha256
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import check_threshold

MADE_BY = {
    "method": "vrp_sam",
    "model": "embedded",
    "sha256": "ab" * 32,
    "device": "cpu",
    "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
}


def picture(dtype: str) -> np.ndarray:
    values = np.random.default_rng(3).random((20, 31, 3))
    return (values * np.iinfo(dtype).max).astype(dtype)


def reference(image: np.ndarray) -> Reference:
    return Reference.from_annotations(image, [Box(2, 3, 9, 12)])


def recipe_of(*references: Reference) -> Recipe:
    target = TargetRecord.from_image("plate.tif", picture("uint16"))
    return Recipe.from_run(
        references,
        [target],
        MADE_BY,
        intensity_range=IntensityRange(3.5, 900.25),
        range_given=True,
        settings={"threshold": 0.25},
    )


def test_comes_back_equal(tmp_path: Path):
    before = recipe_of(reference(picture("uint8")), reference(picture("uint16")))
    after = Recipe.load(before.save(tmp_path / "recipe.json"))
    assert [r.content_key for r in after.references] == [r.content_key for r in before.references]
    assert after.targets == before.targets
    assert after.made_by == MADE_BY
    assert after.intensity_range == IntensityRange(3.5, 900.25)
    assert after.range_given
    assert after.threshold == 0.25


def test_the_same_run_gives_the_same_bytes(tmp_path: Path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        recipe_of(reference(picture("uint16"))).save(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_existing_file_is_kept(tmp_path: Path):
    recipe = recipe_of(reference(picture("uint8")))
    path = tmp_path / "recipe.json"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists"):
        recipe.save(path)
    assert path.read_text(encoding="utf-8") == "mine"
    recipe.save(path, overwrite=True)
    assert Recipe.load(path).made_by == MADE_BY
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.json"]


def test_folder_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(OutputError, match="does not exist"):
        recipe_of(reference(picture("uint8"))).save(tmp_path / "nowhere" / "recipe.json")


def damaged(change: Any) -> dict[str, Any]:
    data = json.loads(json.dumps(recipe_of(reference(picture("uint16"))).to_json()))
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema_version=3), "schema version 3"),
        (lambda d: d.update(schema_version=True), "schema version True"),
        (lambda d: d.pop("schema_version"), "schema version None"),
        (lambda d: d.update(made_by="me"), "made_by is 'me'"),
        (lambda d: d.update(intensity_range=[1]), "intensity_range is"),
        (lambda d: d.update(intensity_range=[1, float("nan")]), "intensity_range is"),
        (lambda d: d.update(intensity_range=[9, 1]), "intensity_range"),
        (lambda d: d.update(range_given=1), "range_given is 1: expected true or false"),
        (lambda d: d.update(targets=[{"name": "a"}]), r"targets\[0\].sha256 is None"),
        (lambda d: d["targets"][0].update(shape=[0, 3]), r"targets\[0\].shape"),
        (lambda d: d["targets"][0].update(shape=[True, 3]), r"targets\[0\].shape"),
        (lambda d: d["targets"][0].update(axes=["t", "z"]), r"targets\[0\].shape is \[3\]"),
        (lambda d: d["targets"][0].update(axes=["z"], shape=[0, 4, 4]), r"shape\[0\] is 0"),
        (lambda d: d["targets"][0].update(results=["a"]), r"targets\[0\].results is \['a'\]"),
        (lambda d: d["targets"][0].update(results={"a": 1}), r"results\['a'\] is 1"),
        (lambda d: d["targets"][0].update(axes="z"), r"targets\[0\].axes is 'z'"),
        (lambda d: d.update(sections=[]), r"sections is \[\]"),
        (lambda d: d.update(sections={"tiling": 3}), "sections.tiling is 3"),
        (
            lambda d: d.update(sections={"magic": {}}),
            "section 'magic': expected corrections, drawn",
        ),
        (lambda d: d.update(environment="here"), "environment is 'here'"),
    ],
)
def test_damaged_recipe_is_refused(change: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        Recipe.from_json(damaged(change))


@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_other_json_is_refused(value: object):
    with pytest.raises(ConfigError, match="the recipe is"):
        Recipe.from_json(value)


@pytest.mark.parametrize("value", ["half", 1.5, -1, True, None, float("nan"), [0.5]])
def test_strange_threshold_is_refused(value: object):
    data = damaged(lambda d: d["settings"].update(threshold=value))
    with pytest.raises(ConfigError, match="threshold is"):
        _ = Recipe.from_json(data).threshold


@pytest.mark.parametrize("value", [0, 1])
def test_every_threshold_that_can_be_asked_for_can_be_replayed(value: int):
    data = damaged(lambda d: d["settings"].update(threshold=check_threshold(value)))
    assert Recipe.from_json(data).threshold == value


def test_a_path_may_be_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    before = Recipe.from_json(damaged(lambda _: None))
    assert before.save("~/recipe.json") == tmp_path / "recipe.json"
    assert Recipe.load(str(tmp_path / "recipe.json")).question() == before.question()


def test_files_that_are_no_recipe_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.json cannot be read"):
        Recipe.load(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        Recipe.load(tmp_path)
    for content in (b"{", b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "broken.json").write_bytes(content)
        with pytest.raises(ConfigError, match=r"broken\.json is not valid JSON"):
            Recipe.load(tmp_path / "broken.json")
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"other\.json: .*schema version"):
        Recipe.load(tmp_path / "other.json")


def test_hash_is_of_pixels_and_not_of_layout():
    image = picture("uint16")
    assert pixels_sha256(image) == pixels_sha256(np.asfortranarray(image))
    assert pixels_sha256(image) == pixels_sha256(image.astype(">u2"))
    assert pixels_sha256(image) != pixels_sha256(image.astype(np.int32))
    assert pixels_sha256(image) != pixels_sha256(image.reshape(31, 20, 3))
    changed = image.copy()
    changed[4, 5, 1] ^= 1
    assert pixels_sha256(image) != pixels_sha256(changed)


def test_replay_says_which_promise_holds():
    recipe = recipe_of(reference(picture("uint8")))
    assert "byte for byte" in recipe.promise(MADE_BY)
    other = {**MADE_BY, "sha256": "cd" * 32}
    assert "another model than 'embedded'" in recipe.promise(other)
    assert "another threads: up to 0.01 %" in recipe.promise(
        MADE_BY, {**recipe.environment, "threads": 77}
    )


def test_sections_come_back_equal(tmp_path: Path):
    sections = {"tiling": {"tile": (512, 512), "overlap": 0.25}, "stack": {"axes": ["t", "z"]}}
    recipe = Recipe.from_run([], [], MADE_BY, sections=sections)
    assert recipe.sections["tiling"] == {"tile": [512, 512], "overlap": 0.25}
    after = Recipe.load(recipe.save(tmp_path / "recipe.json"))
    assert after.sections == recipe.sections
    assert after.environment == recipe.environment == current_environment()


@pytest.mark.parametrize(
    "value", [float("nan"), np.float32(1), {3: 4}, pytest.param(object(), id="object")], ids=str
)
def test_sections_hold_plain_values_only(value: object):
    with pytest.raises(ConfigError, match=r"sections\.objects\.least is"):
        Recipe.from_run([], [], MADE_BY, sections={"objects": {"least": value}})


def test_recipe_of_the_first_version_is_read():
    def older(data: dict[str, Any]) -> None:
        data.update(schema_version=1)
        del data["environment"], data["sections"]

    recipe = Recipe.from_json(damaged(older))
    assert (recipe.sections, recipe.environment) == ({}, {})
    assert recipe.threshold == 0.25
    assert "does not say which code and machine" in recipe.promise(MADE_BY)


def test_stack_is_known_by_its_planes():
    planes = [picture("uint16") + n for n in range(6)]
    sums = [pixels_sha256(plane) for plane in planes]
    stack = TargetRecord.from_planes("a.tif", ("t", "z"), (2, 3, 20, 31, 3), sums)
    again = TargetRecord.from_planes("b.tif", ("i", "z"), (2, 3, 20, 31, 3), iter(sums))
    assert stack.sha256 == again.sha256
    assert TargetRecord.from_planes("a", ("z",), (6, 20, 31, 3), sums).sha256 != stack.sha256
    swapped = [sums[1], sums[0], *sums[2:]]
    assert TargetRecord.from_planes("a", ("t", "z"), stack.shape, swapped).sha256 != stack.sha256
    recipe = Recipe.from_run([], [stack], MADE_BY)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))).targets == (stack,)
    assert recipe.count_known([again, TargetRecord.from_image("a.tif", planes[0])]) == 1


def test_model_is_named():
    assert recipe_of(reference(picture("uint8"))).model == "embedded"
    assert Recipe.from_run([], [], {}).model is None
