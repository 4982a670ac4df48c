"""The paper's numbers hang together, and cells share what they have in common."""

from __future__ import annotations

import re

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.methods import METHODS
from vrpsam_app.reproduction.experiments import ALL_FOLDS, Experiment
from vrpsam_app.reproduction.paper_tables import EXPERIMENTS, experiment


@pytest.mark.parametrize("one", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_row_has_the_words_it_promises(one: Experiment) -> None:
    assert {len(cell.row) for cell in one.cells} == {len(one.row_names)}
    places = [(cell.row, cell.column) for cell in one.cells]
    assert len(set(places)) == len(places)
    assert all(cell.published is not None for cell in one.cells if not cell.is_ours)


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_printed_means_are_those_of_the_printed_folds(name: str) -> None:
    rows: dict[tuple[object, ...], list[float]] = {}
    for cell in experiment(name).cells:
        if cell.measure == "miou" and cell.published is not None:
            benchmark = re.sub(r"(F-\d|mean)$", "", cell.column)
            rows.setdefault((cell.row, benchmark), []).append(cell.published)
    assert len(rows) == {"table1": 9, "table2": 30}[name]
    for row, (*folds, mean) in rows.items():
        assert len(folds) == 4, row
        assert mean == pytest.approx(sum(folds) / 4, abs=0.11), row


def test_methods_that_are_asked_exist() -> None:
    asked = {c.trial.method for e in EXPERIMENTS.values() for c in e.cells if c.trial}
    assert asked <= set(METHODS)


def test_a_mean_shares_the_runs_of_its_folds() -> None:
    table = experiment("table1")
    of_folds = [cell for cell in table.cells if cell.is_ours and cell.column != "mean"]
    (one,) = [c for c in of_folds if c.row == ("VRP-SAM", "box") and c.column == "F-2"]
    (mean,) = [c for c in table.cells if c.row == ("VRP-SAM", "box") and c.column == "mean"]
    assert one.runs() == (mean.runs()[2],)
    assert one.runs((0, 1)) == ()
    # Four formats, PerSAM twice and the guard, on four folds; these three need no model of theirs.
    assert len(list(table.runs())) == 28
    assert len({(run.variant, run.fold) for run in table.runs()}) == 16


def test_the_default_model_of_pascal_serves_four_experiments() -> None:
    runs = [set(experiment(n).runs()) for n in ("table5", "table6", "table7", "figure6")]
    assert len(set.intersection(*runs)) == len(ALL_FOLDS)


def test_geometric_prompts_need_no_model_of_their_own() -> None:
    models = {(r.variant, r.fold) for r in experiment("table3").runs() if r.fold == 0}
    # Four formats on ResNet-50, one on DINOv2.
    assert len(models) == 5


def test_domain_shift_asks_models_that_learned_from_coco() -> None:
    (variants,) = [{c.variant.benchmark for c in experiment("table4").cells if c.variant}]
    assert variants == {"coco20i"}
    assert {c.trial.test for c in experiment("table4").cells if c.trial} == {"coco_to_pascal"}


def test_unknown_experiment_is_refused_with_all_names() -> None:
    with pytest.raises(ConfigError, match=r"'table8'.*table1, table2.*figure6"):
        experiment("table8")


def test_labels_are_what_readers_know() -> None:
    assert [e.label for e in EXPERIMENTS.values()][::7] == ["Table 1", "Figure 6"]
