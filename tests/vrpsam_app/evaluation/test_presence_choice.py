from __future__ import annotations

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_result import Asked, EpisodeResult, Figures
from vrpsam_app.evaluation.presence_choice import HIGHEST, choose_presence


def result(
    presence: float, iou: float = 0.8, *, negative: bool = False, dataset: str = "a"
) -> EpisodeResult:
    asked = Asked(
        key=f"{dataset}{presence}{negative}", method="m", dataset=dataset, label="x", target="t",
        index=0, negative=negative, format="mask", shots=1, shift="",
    )  # fmt: skip
    figures = Figures(
        intersection=8, union=10, background_intersection=1, background_union=1, boundary_iou=0.5,
        objects=None, ungated_iou=iou, found_share=0.1, score=0.5, presence=presence, seconds=1.0,
        fresh=True, peak_bytes=1,
    )  # fmt: skip
    return EpisodeResult(asked, figures)


def test_the_highest_threshold_that_costs_little():
    shown = [result(p) for p in (0.35, 0.6, 0.7, 0.8)]
    absent = [result(p, negative=True) for p in (0.2, 0.5, 0.65, 0.1)]
    choice = choose_presence([*shown, *absent])
    assert choice.threshold == 0.35  # any higher loses a quarter of the targets
    assert choice.iou_lost == 0
    assert choice.absent_found == 0.5
    assert (choice.present, choice.absent) == (4, 4)
    # Losing one whole target of four costs 0.2.
    assert choose_presence([*shown, *absent], cost=0.2).threshold == 0.6


def test_what_was_missed_anyway_costs_nothing():
    choice = choose_presence([result(0.2, 0.0), result(0.7)])
    assert choice.threshold == 0.7
    assert choice.absent_found is None


def test_data_sets_weigh_the_same():
    many = [result(0.9, dataset="many") for _ in range(30)]
    choice = choose_presence([*many, result(0.3, 0.03, dataset="few")], cost=0.01)
    assert choice.threshold == 0.3
    assert choose_presence([*many, result(0.3, 0.03, dataset="few")], cost=0.02).threshold > 0.3


def test_what_is_always_sure_is_taken_at_its_word():
    assert choose_presence([result(1.0), result(1.0)]).threshold == HIGHEST


def test_nothing_to_choose_on():
    with pytest.raises(ConfigError, match="expected some"):
        choose_presence([result(0.4, negative=True)])
