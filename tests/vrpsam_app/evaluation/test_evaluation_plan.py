from __future__ import annotations

from pathlib import Path

import pytest

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.evaluation_plan import Ask, EvaluationPlan, MeasuredMethod
from vrpsam_app.evaluation.evaluation_set import open_sets


def test_formats_without_sense_and_shots_without_references_are_left_out(
    tiles, tmp_path: Path, colour_segmenter
):
    (data,) = open_sets(DataWords(tiles.folder), tmp_path / "l", episodes=2, negatives=0)
    plan = EvaluationPlan(formats=("box", "click", "mask"), shots=(1, 3, 5), shifts=("dark",))
    assert data.most_shots == 3
    assert plan.main_ask(data) == Ask("click", 1)
    assert plan.asks(MeasuredMethod("any", lambda: colour_segmenter), data) == [
        Ask("click", 1),
        Ask("mask", 1),
        Ask("click", 3),
        Ask("mask", 3),
        Ask("click", 1, "dark"),
    ]


def test_a_method_is_asked_what_it_was_given(pets_folder: Path, tmp_path: Path, colour_segmenter):
    (data,) = open_sets(DataWords(pets_folder), tmp_path / "l", episodes=2, negatives=0)
    plan = EvaluationPlan(formats=("click", "mask"), shots=(1, 2), shifts=("dark",))
    slow = MeasuredMethod("slow", lambda: colour_segmenter, formats=("mask", "box"), shots=(1,))
    assert plan.asks(slow, data) == [Ask("mask", 1)]


def test_boxes_of_the_paper_need_no_objects(tiles, tmp_path: Path, colour_segmenter):
    (data,) = open_sets(DataWords(tiles.folder), tmp_path / "l", episodes=2, negatives=0)
    plan = EvaluationPlan(formats=("box",), shots=(1,), paper=True)
    assert plan.asks(MeasuredMethod("any", lambda: colour_segmenter), data) == [Ask("box", 1)]


@pytest.mark.parametrize("settings", [{"formats": ()}, {"shots": ()}, {"shots": (0, 1)}])
def test_a_plan_without_a_question_is_refused(settings: dict[str, tuple[int, ...]]):
    with pytest.raises(ConfigError, match="at least one of each"):
        EvaluationPlan(**settings)


def test_the_paper_has_no_outlines():
    with pytest.raises(ConfigError, match="no format outline"):
        EvaluationPlan(formats=("mask", "outline"), paper=True)


def test_the_paper_has_no_changed_pictures():
    with pytest.raises(ConfigError, match="no changed pictures"):
        EvaluationPlan(formats=("mask",), shifts=("dark",), paper=True)


def test_what_is_left_out_is_said(tiles, tmp_path: Path, colour_segmenter):
    (data,) = open_sets(DataWords(tiles.folder), tmp_path / "l", episodes=2, negatives=0)
    plan = EvaluationPlan(formats=("box", "click", "mask"), shots=(1, 9))
    usual = MeasuredMethod("usual", lambda: colour_segmenter)
    slow = MeasuredMethod("slow", lambda: colour_segmenter, formats=("box",))
    assert plan.not_asked([usual, slow], data) == [
        "tiles, box: its objects are not told apart",
        "tiles, 9 references: some of its episodes have only 3",
        "tiles, slow: it was to be asked other formats or numbers of references only",
    ]
    assert EvaluationPlan(formats=("mask",), shots=(1, 3)).not_asked([usual], data) == []
