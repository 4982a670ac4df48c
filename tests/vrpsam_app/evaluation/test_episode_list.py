from __future__ import annotations

import json

import pytest

from vrpsam_app.errors import OutputError
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


def test_a_list_knows_its_length_and_its_references(episodes):
    assert len(episodes) == 3
    assert episodes.most_shots == 1


def test_equal_lists_give_equal_bytes(pets, tmp_path):
    for name in ("one", "two"):
        build_episode_list(pets, 1, 9, negatives=0.3).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_all_of_an_episode_stands_in_a_line(episodes, tmp_path):
    text = episodes.save(tmp_path / "pets.json").read_text(encoding="utf-8")
    assert sum('"target"' in line for line in text.splitlines()) == 3
    kept = json.loads(text)
    assert (kept["kind"], kept["version"], kept["dataset"]) == ("vrpsam episodes", 1, "pets")
    assert (kept["seed"], kept["rules"]) == (3, {"negatives": 0.5, "classes": None})
    half, other = {"picture": "ö", "part": [0, 0, 4, 9]}, {"picture": "ö", "part": [4, 0, 8, 9]}
    assert [tuple(episode.values()) for episode in kept["episodes"]] == [
        (0, "dog", False, "a", ["b", "c"]),
        (1, "cat", True, "d", ["b"]),
        (2, "dog", False, half, [other, other]),
    ]


def test_files_are_not_replaced_unasked(episodes, tmp_path):
    path = episodes.save(tmp_path / "pets.json")
    with pytest.raises(OutputError, match="exists"):
        episodes.save(path)
    episodes.save(path, overwrite=True)
