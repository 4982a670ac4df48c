from __future__ import annotations

import math

import pytest

from vrpsam_app.evaluation.episode_list import Episode, Place
from vrpsam_app.evaluation.episode_result import Asked, EpisodeResult, Figures
from vrpsam_app.evaluation.object_scores import ObjectScores
from vrpsam_app.evaluation.summary import Column, Summary
from vrpsam_app.evaluation.summary_tables import accuracy_tables


def result(
    method: str = "vrp_sam",
    index: int = 0,
    intersection: int = 0,
    union: int = 100,
    *,
    dataset: str = "cells",
    label: str = "cell",
    way: str = "click",
    negative: bool = False,
    failed: bool = False,
    **figures: object,
) -> EpisodeResult:
    key = f"{method} {dataset} {way} {index} {negative}"
    asked = Asked(key, method, dataset, label, f"p{index}", index, negative, way, 1)
    if failed:
        return EpisodeResult(asked, None, "broken")
    values = {
        "intersection": intersection,
        "union": union,
        "background_intersection": 1000 - union,
        "background_union": 1000 - intersection,
        "boundary_iou": 0.5,
        "objects": None,
        "ungated_iou": intersection / union if union else 1.0,
        "found_share": 0.0,
        "score": intersection / union if union else 1.0,
        "presence": 1.0,
        "seconds": 1.0,
        "fresh": True,
        "peak_bytes": 10,
        **figures,
    }
    return EpisodeResult(asked, Figures(**values))


def only_cell(*results: EpisodeResult):
    (cell,) = Summary.of(results).cells
    return cell


def test_ious_are_averaged_over_episodes_and_classes():
    cell = only_cell(
        result(index=0, intersection=10, union=100, label="a"),
        result(index=1, intersection=50, union=300, label="a"),
        result(index=2, intersection=30, union=40, label="b"),
    )
    assert cell.iou.mean == pytest.approx((10 / 100 + 50 / 300 + 30 / 40) / 3)
    assert cell.class_iou == pytest.approx((60 / 400 + 30 / 40) / 2)
    foreground, background = 90 / 440, (3000 - 440) / (3000 - 90)
    assert cell.fb_iou == pytest.approx((foreground + background) / 2)
    assert (cell.episodes, cell.absent, cell.failed) == (3, 0, 0)
    assert cell.column == Column("click", 1)


def test_objects_are_counted_where_there_are_some():
    cell = only_cell(
        result(index=0, objects=ObjectScores(3, 4, 6)),
        result(index=1, objects=ObjectScores(1, 2, 1)),
        result(index=2),
    )
    assert cell.object_f1 == pytest.approx((6 / 10 + 2 / 3) / 2)
    assert cell.count_error == pytest.approx((2 / 6 + 1 / 1) / 2)
    assert math.isnan(only_cell(result()).object_f1)


def test_absent_targets_are_counted_apart():
    cell = only_cell(
        result(index=0, intersection=50, ungated_iou=0.9),
        result(index=1, intersection=50, ungated_iou=0.5),
        result(index=0, union=0, negative=True, found_share=0.0),
        result(index=1, union=300, negative=True, found_share=0.3),
        result(index=2, union=9, negative=True, found_share=0.009),
        result(index=3, union=30, negative=True, found_share=0.03),
    )
    assert (cell.episodes, cell.absent) == (2, 4)
    assert cell.iou.mean == 0.5
    assert cell.absent_found == 0.5
    assert cell.gate_loss == pytest.approx(0.2)


def test_doubt_is_held_against_the_truth():
    good = [result(index=i, intersection=60 + i, score=0.6 + i / 100) for i in range(8)]
    cell = only_cell(
        *good,
        result(index=8, intersection=10, score=0.1),
        result(index=9, intersection=90, score=0.2),
    )
    assert (cell.bad, cell.bad_doubtful) == (0.1, 0.5)
    assert 0 < cell.doubt_correlation < 1


def test_time_and_memory():
    cell = only_cell(
        result(index=0, seconds=3.0, fresh=True, peak_bytes=5),
        result(index=1, seconds=1.0, fresh=True, peak_bytes=50),
        result(index=2, seconds=0.5, fresh=False, peak_bytes=7),
    )
    assert (cell.seconds_fresh, cell.seconds_again, cell.peak_bytes) == (2.0, 0.5, 50)


def test_the_better_of_forest_and_threshold_is_the_peer_of_each_set():
    def three(dataset: str, ours: int, forest: int, threshold: int) -> list[EpisodeResult]:
        methods = {"vrp_sam": ours, "pixel_forest": forest, "tuned_threshold": threshold}
        return [
            result(name, index, shared + index, dataset=dataset)
            for name, shared in methods.items()
            for index in range(3)
        ]

    summary = Summary.of([*three("cells", 60, 40, 20), *three("wood", 30, 20, 50)])
    cells = {(c.dataset, c.method): c for c in summary.cells}
    against = cells["cells", "vrp_sam"].against_peer
    assert against.other == "pixel_forest"
    assert against.interval.mean == pytest.approx(0.2)
    assert against.interval.low == pytest.approx(0.2)  # paired: the episodes differ alike
    assert against.interval.excludes_zero
    assert cells["wood", "vrp_sam"].against_peer.other == "tuned_threshold"
    assert cells["cells", "pixel_forest"].against_peer is None
    assert cells["cells", "tuned_threshold"].against_peer.interval.mean == pytest.approx(-0.2)
    assert cells["cells", "vrp_sam"].against_prior is None
    overall = {o.method: o for o in summary.overall}
    assert overall["vrp_sam"].datasets == 2
    assert overall["vrp_sam"].iou.mean == pytest.approx((0.61 + 0.31) / 2)
    assert overall["vrp_sam"].against_peer.mean == pytest.approx((0.2 - 0.2) / 2)
    assert overall["pixel_forest"].against_peer is None


def test_only_episodes_that_both_answered_are_compared():
    summary = Summary.of(
        [
            result(index=0, intersection=50),
            result(index=1, intersection=90),
            result("training_free_prior", 0, 20),
            result("training_free_prior", 1, failed=True),
            result("training_free_prior", 2, 99),
        ]
    )
    ours = summary.cells[0].against_prior
    assert (ours.interval.count, ours.interval.mean) == (1, pytest.approx(0.3))


def test_methods_are_compared_on_what_all_of_them_answered():
    def two(dataset: str) -> list[EpisodeResult]:
        hard = [result("vrp_sam", i, failed=True, dataset=dataset) for i in range(2, 10)]
        easy = [result("vrp_sam", i, 90, dataset=dataset) for i in range(2)]
        forest = [result("pixel_forest", i, 95 - i, dataset=dataset) for i in range(10)]
        return [*easy, *hard, *forest]

    summary = Summary.of([*two("cells"), *two("wood")])
    ours, forest, *_ = summary.cells
    assert (ours.iou.mean, forest.iou.mean) == (pytest.approx(0.9), pytest.approx(0.905))
    assert (ours.shared_iou.count, forest.shared_iou.count) == (2, 2)
    assert forest.shared_iou.mean == pytest.approx(0.945)
    assert {o.method: o.iou.mean for o in summary.overall} == {
        "vrp_sam": pytest.approx(0.9),
        "pixel_forest": pytest.approx(0.945),
    }
    (table, *_) = accuracy_tables(summary)
    assert [row[1].tone for row in table.rows] == ["", "", ""]


def test_a_method_that_answered_nothing_takes_no_row_away():
    summary = Summary.of([result(intersection=50), result("sam", failed=True)])
    assert summary.cells[0].shared_iou.count == 1


def test_repeated_questions_make_nothing_surer():
    places = [Place("p0"), Place("p1"), Place("p2")]
    episodes = [Episode(0, i, "cell", places[i % 3], (places[(i + 1) % 3],)) for i in range(30)]
    results = [result(index=i, intersection=20 + 30 * (i % 3)) for i in range(30)]
    told = Summary.of(results, {"cells": episodes}).cells[0].iou
    alone = Summary.of(results).cells[0].iou
    assert (told.count, told.distinct, alone.distinct) == (30, 3, 30)
    assert told.mean == alone.mean == pytest.approx(0.5)
    assert told.high - told.low > 2 * (alone.high - alone.low)


def test_the_mean_over_sets_takes_those_that_all_were_asked():
    summary = Summary.of(
        [
            result(dataset="a", intersection=10),
            result(dataset="b", intersection=20),
            result(dataset="c", intersection=90),
            result("tuned_threshold", dataset="a", intersection=30),
            result("tuned_threshold", dataset="b", intersection=50),
        ]
    )
    assert {o.method: o.iou.mean for o in summary.overall} == {
        "vrp_sam": pytest.approx(0.15),
        "tuned_threshold": pytest.approx(0.4),
    }


def test_a_mean_over_sets_with_objects_stands_beside_that_over_all():
    summary = Summary.of(
        [
            result(dataset=dataset, intersection=shared, way=way)
            for way in ("click", "box")
            for dataset, shared in (("a", 10), ("b", 20), ("vessels", 90))
            if (way, dataset) != ("box", "vessels")
        ]
    )
    means = {(o.column.format, o.objects_only): o.iou.mean for o in summary.overall}
    assert means == {
        ("click", False): pytest.approx(0.4),
        ("click", True): pytest.approx(0.15),
        ("box", False): pytest.approx(0.15),
    }
    clicks, _ = accuracy_tables(summary)
    assert [row[0].text for row in clicks.rows[3:]] == [
        "mean of 3 sets",
        "mean of 2 sets with objects",
    ]


def test_failures_are_kept_and_a_cell_of_failures_has_no_figures():
    summary = Summary.of([result(failed=True)])
    assert [f.error for f in summary.failures] == ["broken"]
    assert summary.cells[0].failed == 1
    assert math.isnan(summary.cells[0].iou.mean)
