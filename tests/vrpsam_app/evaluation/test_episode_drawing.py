from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_drawing import (
    EpisodeDrawer,
    build_episode_list,
    first_picture_episodes,
)

ROOT = Path(__file__).resolve().parents[3]


def test_reference_and_target_show_the_class_and_are_different_pictures(pets):
    for episode in build_episode_list(pets, 3, 40).episodes:
        class_id = pets.class_names.index(episode.label) + 1
        places = [episode.target, *episode.references]
        names = [place.picture for place in places]
        assert len(set(names)) == len(names)
        assert all(pets.shown(pets.names.index(name))[class_id] >= 200 for name in names)
        assert len({pets.groups[name] for name in names}) == 1
        assert not episode.negative


def test_classes_and_targets_take_turns(pets):
    episodes = build_episode_list(pets, 0, 16).episodes
    for start in range(0, 16, 2):
        assert {e.label for e in episodes[start : start + 2]} == {"cat", "dog"}
    dogs = [e.target.picture for e in episodes if e.label == "dog"]
    assert sorted(dogs) == sorted(pets.names)
    # Of the cats at night there is but one.
    cats = [e.target.picture for e in episodes if e.label == "cat"]
    assert {cats.count(name) for name in ("p0", "p1", "p2")} <= {2, 3}
    assert "p3" not in cats


def test_pictures_of_one_field_never_meet(tiles):
    for episode in build_episode_list(tiles, 1, 12).episodes:
        field = tiles.fields[episode.target.picture]
        assert len(episode.references) == 3
        assert all(tiles.fields[place.picture] != field for place in episode.references)


def test_references_come_from_different_fields_first(tmp_path, pets_folder):
    for part in ("images", "masks"):
        for path in sorted((pets_folder / part).iterdir()):
            number = int(path.stem[1:])
            path.rename(path.with_stem(f"field{number // 2}_t{number % 2}"))
    (pets_folder / "per_image.json").unlink()
    (pets_folder / "meta.json").unlink()
    dataset = FolderDataset.open(pets_folder)
    for episode in build_episode_list(dataset, 0, 12).episodes:
        fields = [dataset.fields[place.picture] for place in episode.references]
        assert len(set(fields[:3])) == 3
        assert len(fields) == 5


def test_lists_are_nested_and_seeds_differ(pets):
    few, many = build_episode_list(pets, 5, 4), build_episode_list(pets, 5, 30)
    assert many.episodes[:4] == few.episodes
    assert build_episode_list(pets, 6, 30).episodes != many.episodes
    assert EpisodeDrawer(pets, 5).episode(17) == many.episodes[17]


def test_fewer_references_are_the_first_ones(pets):
    one = build_episode_list(pets, 5, 8, references=1)
    five = build_episode_list(pets, 5, 8)
    for short, long in zip(one.episodes, five.episodes, strict=True):
        assert short.target == long.target
        assert short.references == long.references[:1]


_SCRIPT = """
import json, sys
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.evaluation.episode_drawing import EpisodeDrawer
folder, worker, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
drawer = EpisodeDrawer(FolderDataset.open(folder), 7, negatives=0.3)
print(json.dumps({k: repr(drawer.episode(k)) for k in range(worker, 12, workers)}))
"""


def test_every_process_draws_the_same_episodes(pets, pets_folder):
    """Whatever the number of workers, and however Python scrambles its hashes there."""
    drawn: dict[str, str] = {}
    for worker in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(pets_folder), str(worker), "2"],
            env={**os.environ, "PYTHONHASHSEED": str(worker + 1), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        drawn |= json.loads(done.stdout)
    here = build_episode_list(pets, 7, 12, negatives=0.3)
    assert drawn == {str(e.index): repr(e) for e in here.episodes}


def test_episodes_are_those_that_were_published_with_figures(pets):
    """A change of how episodes are drawn makes figures measured before it incomparable."""
    episodes = build_episode_list(pets, 0, 4, references=2).episodes
    found = [(e.label, e.target.picture, [p.picture for p in e.references]) for e in episodes]
    assert found == [
        ("cat", "p1", ["p2", "p0"]),
        ("dog", "p0", ["p4", "p2"]),
        ("cat", "p0", ["p2", "p1"]),
        ("dog", "p6", ["p3", "p7"]),
    ]


class TestNegatives:
    def test_the_class_is_absent_and_the_domain_the_same(self, pets):
        episodes = build_episode_list(pets, 0, 60, negatives=0.5).episodes
        negative = [e for e in episodes if e.negative]
        # Every picture has dogs: only cats can be absent.
        assert {e.label for e in negative} == {"cat"}
        assert 8 <= len(negative) <= 22
        cat = pets.class_names.index("cat") + 1
        for episode in negative:
            assert cat not in pets.shown(pets.names.index(episode.target.picture))
            names = [episode.target.picture, *(p.picture for p in episode.references)]
            assert len({pets.groups[name] for name in names}) == 1

    def test_the_rate_is_kept(self, pets):
        rate = [
            sum(
                e.negative
                for e in build_episode_list(pets, 0, 200, negatives=n, classes=["cat"]).episodes
            )
            for n in (0.0, 0.2, 1.0)
        ]
        assert rate[0] == 0
        assert 25 <= rate[1] <= 55
        assert rate[2] == 200

    def test_other_episodes_stay_as_they_are(self, pets):
        plain = build_episode_list(pets, 0, 30).episodes
        mixed = build_episode_list(pets, 0, 30, negatives=0.4).episodes
        assert all(a == b for a, b in zip(plain, mixed, strict=True) if not b.negative)

    def test_where_every_picture_shows_every_class_there_are_none(self, tiles):
        with pytest.raises(ConfigError, match=r"No picture of tiles lacks a class.*negatives=0"):
            build_episode_list(tiles, negatives=0.1)

    def test_a_class_hidden_in_a_crowd_is_not_absent(self, pets):
        pets._shown[pets.names.index("p4")] = {pets.class_names.index("cat") + 1: 0}
        episodes = build_episode_list(pets, 0, 40, negatives=1.0, classes=["cat"]).episodes
        assert "p4" not in {e.target.picture for e in episodes}


class TestOneImage:
    def test_target_and_reference_are_the_halves_of_one_picture(self, particles):
        episodes = build_episode_list(particles, 0, 12, one_image=True).episodes
        assert {e.target.picture for e in episodes} == {"one", "two"}
        sides = set()
        for episode in episodes:
            (place,) = set(episode.references)
            assert len(episode.references) == 5
            assert place.picture == episode.target.picture
            assert {place.part, episode.target.part} == {(0, 0, 60, 45), (0, 45, 60, 90)}
            sides.add(episode.target.part)
        assert len(sides) == 2

    def test_no_picture_can_be_halved(self, particles):
        with pytest.raises(ConfigError, match="both of its halves"):
            build_episode_list(particles, one_image=True, least_area=2000)

    def test_there_are_no_negatives(self, particles):
        with pytest.raises(ConfigError, match="negatives cannot be drawn with one_image"):
            build_episode_list(particles, one_image=True, negatives=0.2)


class TestWhatCannotBeDrawn:
    def test_no_pairs(self, pets):
        wanted = r"pets has no class that 2 pictures.*FOLDER,one-image.*least_area"
        with pytest.raises(ConfigError, match=wanted):
            build_episode_list(pets, least_area=5000)
        with pytest.raises(ConfigError, match="7 pictures"):
            build_episode_list(pets, references=6, least_references=6)

    def test_too_few_references_leave_a_picture_out(self, pets):
        episodes = build_episode_list(pets, 0, 20, least_references=3).episodes
        assert {e.label for e in episodes} == {"dog"}
        assert all(len(e.references) >= 3 for e in episodes)

    def test_unknown_classes(self, pets):
        with pytest.raises(ConfigError, match=r"no classes \['horse'\].*cat, dog"):
            build_episode_list(pets, classes=["horse", "dog"])

    @pytest.mark.parametrize(
        "setting",
        [
            {"negatives": 1.5},
            {"least_area": 0},
            {"references": 0},
            {"least_references": 6},
            {"seed": -1},
        ],
    )
    def test_settings_out_of_range(self, pets, setting):
        with pytest.raises(ConfigError, match="expected"):
            build_episode_list(pets, **setting)


def test_the_first_picture_shows_and_all_others_are_asked(pets):
    episodes = first_picture_episodes(pets).episodes
    asked = sorted((e.index, e.label, e.references[0].picture, e.target.picture) for e in episodes)
    assert asked[:3] == [(0, "cat", "p0", "p1"), (1, "cat", "p0", "p2"), (2, "cat", "p0", "p3")]
    assert [index for index, *_ in asked] == list(range(3 + 7))


def test_the_first_of_them_ask_for_every_class(pets):
    labels = [e.label for e in first_picture_episodes(pets).episodes]
    for start in range(0, 6, 2):
        assert sorted(labels[start : start + 2]) == ["cat", "dog"]
    assert first_picture_episodes(pets) == first_picture_episodes(pets)
