from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.vrpsam_app.evaluation.conftest import write
from vrpsam_app.data.data_words import DataWords
from vrpsam_app.errors import ConfigError
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


def test_lists_are_kept_and_the_same_data_give_the_same(pets_folder: Path, tmp_path: Path):
    words = DataWords(pets_folder)
    (drawn,) = open_sets(words, tmp_path / "lists", episodes=6, negatives=4)
    assert sorted(p.name for p in (tmp_path / "lists").iterdir()) == [
        "pets-seed-0-absent.json",
        "pets-seed-0.json",
    ]
    kept = json.loads((tmp_path / "lists" / "pets-seed-0.json").read_text(encoding="utf-8"))
    assert [e["target"] for e in kept["episodes"]] == [e.target.picture for e in drawn.positives]
    (again,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=4)
    assert again.positives == drawn.positives[:4]
    assert again.negatives == drawn.negatives != ()


def test_new_pictures_are_asked_and_shown(pets_folder: Path, tmp_path: Path):
    (pets_folder / "per_image.json").unlink()
    away = tmp_path / "away"
    for part in ("images", "masks"):
        (away / part).mkdir(parents=True)
        for name in ("p2", "p3", "p4", "p5", "p6", "p7"):
            (pets_folder / part / f"{name}.png").rename(away / part / f"{name}.png")
    (pets_folder / "meta.json").unlink()
    words = DataWords(pets_folder)
    (few,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=0)
    for path in sorted(away.glob("*/*.png")):
        path.rename(pets_folder / path.parent.name / path.name)
    (many,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=0)
    assert (few.most_shots, many.most_shots) == (1, 5)
    assert len({e.target.picture for e in many.positives}) == 4


def test_data_sets_of_one_name_are_told_apart_by_their_folders(pets_folder: Path, tmp_path: Path):
    other = tmp_path / "clinic" / "pets"
    shutil.copytree(pets_folder, other)
    words = [DataWords(pets_folder), DataWords(tmp_path / "clinic")]
    opened = open_sets(words, tmp_path / "lists", episodes=2, negatives=0)
    assert [s.name for s in opened] == [f"{tmp_path.name}/pets", "clinic/pets"]
    assert len(list((tmp_path / "lists").iterdir())) == 2


def test_names_are_as_long_as_it_takes_to_tell_data_sets_apart(pets_folder: Path, tmp_path: Path):
    folders = [tmp_path / name / "x" / "pets" for name in ("r1", "r2")]
    for folder in folders:
        shutil.copytree(pets_folder, folder)
    words = [DataWords(f) for f in folders] + [DataWords(folders[0], components=True)]
    opened = open_sets(words, tmp_path / "lists", episodes=2, negatives=0)
    assert [s.name for s in opened] == ["r1/x/pets", "r2/x/pets", "pets (components)"]
    assert len(list((tmp_path / "lists").iterdir())) == 3
    alone = open_sets(words[2], tmp_path / "lists", episodes=2, negatives=0)
    assert [s.name for s in alone] == ["pets"]


def test_halves_have_a_name_of_their_own_and_no_negatives(particles, tmp_path: Path):
    words = DataWords(particles.folder, one_image=True)
    (halves,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=4)
    assert halves.name == "particles (halves)"
    assert all(e.target.picture == e.references[0].picture for e in halves.positives)
    assert halves.negatives == ()


def test_what_few_pictures_show_may_be_absent_from_the_rest(tmp_path: Path):
    dog, cat = {1: (5, 5, 25, 25)}, {1: (5, 5, 25, 25), 3: (5, 50, 40, 80)}
    pictures = {f"p{i}": cat if i < 3 else dog for i in range(6)}
    per_image = {
        name: {"objects": {str(v): "cat" if v == 3 else "dog" for v in blocks}}
        for name, blocks in pictures.items()
    }
    folder = write(tmp_path / "few", pictures, meta={"classes": {"x": 1}}, per_image=per_image)
    (few,) = open_sets(DataWords(folder), tmp_path / "lists", episodes=4, negatives=4)
    assert {e.label for e in few.positives} == {"dog"}
    assert {e.label for e in few.negatives} == {"cat"}
    assert len(few.negatives) == 4
    assert {len(e.references) for e in few.negatives} == {3}
    assert few.most_shots == 5


def test_where_every_picture_shows_every_class_none_is_absent(tiles, tmp_path: Path):
    (opened,) = open_sets(DataWords(tiles.folder), tmp_path / "lists", episodes=4, negatives=4)
    assert opened.negatives == ()


def test_the_papers_lists_stand_apart(tiles, tmp_path: Path):
    with pytest.raises(ConfigError, match="2048"):
        open_sets(DataWords(tiles.folder), tmp_path / "l", episodes=4, negatives=4, paper=True)
