from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.evaluation.effort_run import OBJECT_BY_OBJECT, EffortRun, approaches
from vrpsam_app.evaluation.evaluation_set import EvaluationSet, open_sets
from vrpsam_app.methods.plain_sam import PlainSAM
from vrpsam_app.methods.sam_pictures import SAMPictures


@pytest.fixture
def pets_set(pets_folder: Path, tmp_path: Path) -> EvaluationSet:
    return open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=4, negatives=0)[0]


def test_ways_of_working_are_compared_on_the_same_episodes(
    colour_segmenter, pets_set, tmp_path: Path
):
    ways = approaches(colour_segmenter, forest=colour_segmenter)
    assert [w.name for w in ways] == [
        "reference, then clicks",
        "reference, then strokes",
        "forest, strokes on each picture",
    ]
    run = EffortRun(ways, [pets_set], 2, tmp_path)
    results = list(run.run())
    assert len(results) == len(run) == 3 * 2
    assert {r.index for r in results} == {0, 1}
    for result in results:
        # Dogs alone are found at once; where a cat is in the picture, grey alone never parts them.
        assert not result.error
        assert result.reached is (result.end >= 0.85)
        if result.approach.startswith("reference"):
            assert (result.marks == 0) is (result.start >= 0.85)
        else:
            assert result.start == 0.0
            assert result.marks > 0


def test_the_sam_that_is_clicked_is_the_one_given(colour_segmenter, tiny_sam):
    sam = PlainSAM(SAMPictures(tiny_sam, device=torch.device("cpu"), sha256="5" * 64))
    *_, way = approaches(colour_segmenter, sam=sam)
    assert (way.name, way.segmenter, way.answers_first) == (OBJECT_BY_OBJECT, sam, False)


def test_nothing_is_measured_twice(colour_segmenter, pets_set, tmp_path: Path):
    ways = approaches(colour_segmenter)
    first = list(EffortRun(ways, [pets_set], 2, tmp_path).run())
    colour_segmenter.calls.clear()
    assert list(EffortRun(ways, [pets_set], 2, tmp_path).run()) == first
    assert colour_segmenter.calls == []
    assert len(list(EffortRun(ways, [pets_set], 3, tmp_path).run())) == len(first) + 2
    assert colour_segmenter.calls


def test_changed_pictures_are_measured_anew(
    colour_segmenter, pets_set, pets_folder: Path, tmp_path: Path
):
    list(EffortRun(approaches(colour_segmenter), [pets_set], 1, tmp_path).run())
    shown = pets_set.positives[0].target.picture
    other = next(p for p in (pets_folder / "images").iterdir() if p.stem != shown)
    (pets_folder / "images" / f"{shown}.png").write_bytes(other.read_bytes())
    (again,) = open_sets(DataWords(pets_folder), tmp_path / "new", episodes=4, negatives=0)
    colour_segmenter.calls.clear()
    list(EffortRun(approaches(colour_segmenter), [again], 1, tmp_path).run())
    assert colour_segmenter.calls


def test_a_broken_picture_is_named(colour_segmenter, pets_set, pets_folder: Path, tmp_path: Path):
    broken = pets_set.positives[0].target.picture
    (pets_folder / "images" / f"{broken}.png").write_bytes(b"")
    results = list(EffortRun(approaches(colour_segmenter), [pets_set], 1, tmp_path).run())
    assert all(f"{broken}.png" in r.error and not r.reached for r in results)
