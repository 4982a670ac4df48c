"""Numbers that are kept: as JSON, averaged over folds, with their error."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_result import Asked, EpisodeResult, Figures
from vrpsam_app.reproduction.experiments import Cell, Trial, Variant
from vrpsam_app.reproduction.measured import Measured, cell_value, class_iou_error

VARIANT, TRIAL = Variant(benchmark="pascal5i"), Trial(test="pascal5i", shots=5)
CELL = Cell(row=("a",), column="b", published=1.0, variant=VARIANT, trial=TRIAL)


def measured(fold: int = 0, value: float = 40.0, error: float = 3.0, **changes) -> Measured:
    return Measured(
        key=f"{fold}",
        scale="small",
        variant=VARIANT,
        trial=TRIAL,
        fold=fold,
        value=value,
        error=error,
        settings={"steps": 4},
        **changes,
    )


def answer(label: str, shared: int, union: int) -> EpisodeResult:
    asked = Asked("k", "m", "d", label, "t", 0, False, "mask", 1)
    figures = Figures(
        intersection=shared,
        union=union,
        background_intersection=0,
        background_union=0,
        boundary_iou=0.0,
        objects=None,
        ungated_iou=0.0,
        found_share=0.0,
        score=0.0,
        presence=0.0,
        seconds=0.0,
        fresh=True,
        peak_bytes=0,
    )
    return EpisodeResult(asked, figures)


def test_json_gives_back_what_was_written() -> None:
    one = measured()
    assert Measured.from_json(json.loads(json.dumps(one.to_json()))) == one
    counted = Measured(key="k", scale="paper", measure="parameters", variant=VARIANT, value=1.5)
    assert Measured.from_json(json.loads(json.dumps(counted.to_json()))) == counted
    assert counted.run is None


@pytest.mark.parametrize("data", [None, 3, {}, {"variant": {}, "trial": None}, {"key": "k"}])
def test_strange_json_is_refused(data: object) -> None:
    with pytest.raises(ConfigError, match="is no result of an experiment"):
        Measured.from_json(data)


def test_a_cell_is_the_mean_of_its_folds() -> None:
    value = cell_value(CELL, [measured(0, 40.0), measured(2, 50.0, 4.0)], "small")
    assert value is not None
    assert (value.value, value.folds) == (45.0, (0, 2))
    assert value.error == pytest.approx(math.hypot(3, 4) / 2)


def test_of_two_results_of_a_run_the_last_one_counts() -> None:
    value = cell_value(CELL, [measured(0, 40.0), measured(0, 44.0)], "small")
    assert value is not None
    assert value.value == 44.0


def test_other_runs_say_nothing_of_a_cell() -> None:
    others = [
        replace(measured(1), scale="paper"),
        replace(measured(1), trial=Trial(test="pascal5i")),
        replace(measured(1), variant=replace(VARIANT, num_queries=1)),
    ]
    assert cell_value(CELL, others, "small") is None
    assert cell_value(replace(CELL, variant=None, trial=None), [measured()], "small") is None


def test_error_is_that_of_the_mean_class_iou() -> None:
    rng = np.random.default_rng(0)
    shares = rng.integers(20, 80, 400)
    answers = [answer("only", int(s), 100) for s in shares]
    # Equal unions: the class's IoU is the mean of the episodes'.
    assert class_iou_error(answers) == pytest.approx(shares.std() / 20, rel=0.15)
    assert class_iou_error(answers[:1]) == 0.0


def test_classes_count_alike_in_the_error() -> None:
    sure = [answer("large", 500, 1000) for _ in range(50)]
    unsure = [answer("small", 10 * (i % 2), 10) for i in range(50)]
    together, alone = class_iou_error(sure + unsure), class_iou_error(unsure)
    assert together == pytest.approx(alone / 2, rel=0.2)
