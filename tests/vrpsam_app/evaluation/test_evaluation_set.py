from __future__ import annotations

from pathlib import Path

import pytest

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation import evaluation_set
from vrpsam_app.evaluation.episode_list import EpisodeList
from vrpsam_app.evaluation.evaluation_set import open_sets


def test_positives_show_the_class_and_negatives_lack_it(pets_folder: Path, tmp_path: Path):
    (pets,) = open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=6, negatives=6)
    assert len(pets.positives) == 6
    assert not any(e.negative for e in pets.positives)
    assert {e.label for e in pets.negatives} == {"cat"}
    assert all(e.negative and e.target.picture in ("p4", "p5", "p6", "p7") for e in pets.negatives)
    assert pets.episodes == pets.positives + pets.negatives
    assert pets.most_shots >= 1


def test_a_longer_list_begins_with_the_shorter_one(pets_folder: Path, tmp_path: Path):
    (short,) = open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=3, negatives=0)
    (long,) = open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=9, negatives=0)
    assert long.positives[:3] == short.positives
    assert short.negatives == ()


def test_a_list_that_was_drawn_is_read_and_not_drawn_again(
    pets_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words = DataWords(pets_folder)
    (drawn,) = open_sets(words, tmp_path / "lists", episodes=6, negatives=4)
    assert sorted(p.name for p in (tmp_path / "lists").iterdir()) == [
        "pets-seed-0-absent.json",
        "pets-seed-0.json",
    ]
    monkeypatch.delattr(evaluation_set, "build_episode_list")
    (read,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=4)
    assert read.positives == drawn.positives[:4]
    assert read.negatives == drawn.negatives


def test_a_list_of_other_rules_is_drawn_again(pets_folder: Path, tmp_path: Path):
    path = tmp_path / "lists" / "pets-seed-0.json"
    (small,) = open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=2, negatives=0)
    known = EpisodeList.load(path)
    rules = {**known.rules, "least_area": 9999}
    EpisodeList(known.dataset, known.seed, rules, known.episodes[:0]).save(path, overwrite=True)
    (again,) = open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=2, negatives=0)
    assert again.positives == small.positives


def test_a_list_of_other_pictures_is_refused(pets_folder: Path, tmp_path: Path):
    open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=6, negatives=0)
    for part in ("images", "masks"):
        for name in ("p0", "p1", "p2", "p4"):
            (pets_folder / part / f"{name}.png").unlink()
    with pytest.raises(ConfigError, match="draw a new list"):
        open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=6, negatives=0)


def test_halves_have_a_name_of_their_own_and_no_negatives(particles, tmp_path: Path):
    words = DataWords(particles.folder, one_image=True)
    (halves,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=4)
    assert halves.name == "particles (halves)"
    assert all(e.target.picture == e.references[0].picture for e in halves.positives)
    assert halves.negatives == ()


def test_where_every_picture_shows_every_class_none_is_absent(tiles, tmp_path: Path):
    (opened,) = open_sets(DataWords(tiles.folder), tmp_path / "lists", episodes=4, negatives=4)
    assert opened.negatives == ()


def test_the_papers_lists_stand_apart(tiles, tmp_path: Path):
    with pytest.raises(ConfigError, match="2048"):
        open_sets(DataWords(tiles.folder), tmp_path / "l", episodes=4, negatives=4, paper=True)
