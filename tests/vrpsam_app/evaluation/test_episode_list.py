from __future__ import annotations

import json

import pytest

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.evaluation.episode_drawing import build_episode_list
from vrpsam_app.evaluation.episode_list import Episode, EpisodeList, Place


@pytest.fixture
def episodes() -> EpisodeList:
    half, other = Place("ö", (0, 0, 4, 9)), Place("ö", (4, 0, 8, 9))
    return EpisodeList(
        "pets",
        3,
        {"negatives": 0.5, "classes": None},
        (
            Episode(3, 0, "dog", Place("a"), (Place("b"), Place("c"))),
            Episode(3, 1, "cat", Place("d"), (Place("b"),), negative=True),
            Episode(3, 2, "dog", half, (other, other)),
        ),
    )


def test_what_is_saved_is_loaded(episodes, tmp_path):
    path = episodes.save(tmp_path / "pets.json")
    assert EpisodeList.load(path) == episodes
    assert len(episodes) == 3
    assert episodes.most_shots == 1


def test_equal_lists_give_equal_bytes(pets, tmp_path):
    for name in ("one", "two"):
        build_episode_list(pets, 1, 9, negatives=0.3).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert EpisodeList.load(tmp_path / "one") == build_episode_list(pets, 1, 9, negatives=0.3)


def test_an_episode_has_a_line(episodes, tmp_path):
    text = episodes.save(tmp_path / "pets.json").read_text(encoding="utf-8")
    assert sum('"target"' in line for line in text.splitlines()) == 3
    assert json.loads(text)["episodes"][0]["references"] == ["b", "c"]


def test_files_are_not_replaced_unasked(episodes, tmp_path):
    path = episodes.save(tmp_path / "pets.json")
    with pytest.raises(OutputError, match="exists"):
        episodes.save(path)
    episodes.save(path, overwrite=True)


def test_data_that_have_changed_are_named(pets):
    drawn = build_episode_list(pets, 0, 6)
    drawn.check(pets)
    other = Episode(0, 0, "dog", Place("p9"), (Place("p1"),))
    with pytest.raises(ConfigError, match=r"picture 'p9'.*pets \(8 pictures\).*new list"):
        EpisodeList("pets", 0, {}, (other,)).check(pets)
    other = Episode(0, 0, "horse", Place("p1"), (Place("p2"),))
    with pytest.raises(ConfigError, match="class 'horse'"):
        EpisodeList("pets", 0, {}, (other,)).check(pets)


def edit(text, keys, value):
    document = json.loads(text)
    item = document
    for key in keys[:-1]:
        item = item[key]
    item[keys[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (["kind"], "recipe", "expected 'vrpsam episodes'"),
        (["version"], 2, "version 2"),
        (["seed"], -1, "seed is -1"),
        (["dataset"], None, "dataset is None"),
        (["episodes"], {}, "episodes is"),
        (["episodes", 0], [], "episode 0 is"),
        (["episodes", 0, "references"], [], "references is empty"),
        (["episodes", 0, "references"], [3], "references is 3"),
        (["episodes", 1, "negative"], "no", "negative is 'no'"),
        (["episodes", 2, "target", "part"], [0, 0, 4], "part is"),
        (["episodes", 2, "target", "part"], [4, 0, 4, 9], "part is"),
        (["episodes", 2, "target", "part"], [0, 0, 4, 1.5], "part is 1.5"),
    ],
)
def test_damaged_lists_are_named(episodes, tmp_path, keys, value, words):
    path = episodes.save(tmp_path / "pets.json")
    path.write_text(edit(path.read_text(encoding="utf-8"), keys, value), encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        EpisodeList.load(path)
    assert "pets.json" in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        EpisodeList.load(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigError, match="not readable JSON"):
        EpisodeList.load(tmp_path / "a.json")
