"""Models are trained once, questions asked once, and what stops a run costs nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.reproduction import runner
from vrpsam_app.reproduction.experiments import Cell, Experiment, Trial, Variant
from vrpsam_app.reproduction.paper_tables import experiment
from vrpsam_app.reproduction.runner import Runner, described
from vrpsam_app.reproduction.small_scale import digest

PASCAL = Variant(benchmark="pascal5i")


def table(*cells: Cell) -> Experiment:
    return Experiment(name="table9", title="", row_names=("row",), cells=cells)


def cell(
    row: str = "a", *, method: str = "everything", variant: Variant = PASCAL, **kwargs
) -> Cell:
    trial = Trial(test="pascal5i", method=method, **kwargs)
    return Cell(row=(row,), column="c", published=None, variant=variant, trial=trial)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def start(bench, tmp_path: Path, lines: list[str]):
    return lambda: Runner(bench, tmp_path / "out", device="cpu", report=lines.append)


def test_the_number_is_the_mean_iou_of_the_classes(start) -> None:
    (result, *_) = start().run([table(cell())], (0,))
    # All of the picture: a quarter of it is class 1, a sixteenth class 2.
    assert result.value == pytest.approx(100 * (1 / 4 + 1 / 16) / 2, abs=0.01)
    assert (result.episodes, result.fold, result.error) == (4, 0, pytest.approx(0, abs=5))
    assert result.settings == {"steps": 5, "episodes": 4}


def test_a_model_is_trained_once_whoever_asks(start, bench) -> None:
    one = table(cell("everything"), cell("nothing", method="nothing"), cell("five", shots=5))
    results = start().run([one, table(cell("again"))], (0, 3))
    assert bench.trained == [(PASCAL, 0), (PASCAL, 3)]
    assert len(results) == 6
    assert {r.value for r in results if r.trial.method == "nothing"} == {0.0}


def test_the_same_command_again_does_nothing(start, bench, lines: list[str]) -> None:
    first = start().run([table(cell())], (0, 1))
    lines.clear()
    assert start().run([table(cell())], (0, 1)) == first
    assert len(bench.trained) == 2
    assert lines == []


def test_a_stopped_run_goes_on_where_it_was(start, bench, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench, "questions", stop)
        with pytest.raises(KeyboardInterrupt):
            start().run([table(cell())], (0, 1))
    assert bench.trained == [(PASCAL, 0)]
    results = start().run([table(cell())], (0, 1))
    assert bench.trained == [(PASCAL, 0), (PASCAL, 1)]
    assert [r.fold for r in results] == [0, 1]


def test_other_settings_make_another_model(start, bench) -> None:
    start().run([table(cell())], (0,))
    bench.steps = 6
    (result,) = start().run([table(cell())], (0,))
    assert len(bench.trained) == 2
    assert result.settings["steps"] == 6


def test_other_weights_make_another_model_and_other_data_another_number(start, bench) -> None:
    first = start().run([table(cell())], (0,))
    bench.weights = "others"
    second = start().run([table(cell())], (0,))
    bench.data = "elsewhere"
    third = start().run([table(cell())], (0,))
    assert len(bench.trained) == 2
    assert len({r.key for r in (*first, *second, *third)}) == 3


def test_other_code_asks_again_and_keeps_the_model(start, bench, lines, monkeypatch) -> None:
    first = start().run([table(cell())], (0,))
    lines.clear()
    monkeypatch.setattr(runner, "code_version", lambda parts: "another")
    second = start().run([table(cell())], (0,))
    assert len(bench.trained) == 1
    assert first[0].key != second[0].key
    assert any("trained by another version of the program" in line for line in lines)


def test_data_that_lie_elsewhere_keep_the_model_and_are_told(start, bench, lines) -> None:
    start().run([table(cell())], (0,))
    bench.data = "elsewhere"
    lines.clear()
    start().run([table(cell())], (0,))
    assert len(bench.trained) == 1
    assert any("was trained with another learned_from" in line for line in lines)


def test_a_model_named_by_its_settings_alone_is_kept(start, bench, lines, tmp_path: Path) -> None:
    start().run([table(cell())], (0,))
    (folder,) = (tmp_path / "out" / "models").iterdir()
    facts = json.loads((folder / "trained.json").read_text())
    del facts["sources"], facts["code"]
    (folder / "trained.json").write_text(json.dumps(facts))
    made_of = digest((asdict(PASCAL), 0, bench.training_settings(PASCAL)))
    folder.rename(folder.with_name(f"pascal5i-0-mask-{made_of}"))
    (tmp_path / "out" / "results.jsonl").unlink()
    lines.clear()
    start().run([table(cell())], (0,))
    assert len(bench.trained) == 1
    assert any("another learned_from, sam, or it does not tell which" in line for line in lines)
    assert any("another version of the program" in line for line in lines)


def test_what_lacks_something_is_left_out_and_named(start, bench) -> None:
    lacking = cell("b", variant=Variant(benchmark="pascal5i", backbone="dinov2"))
    started = start()
    results = started.run([table(cell(), lacking)], (2,))
    assert len(results) == 1
    assert list(started.skipped.values()) == ["needs DINOv2"]
    assert bench.trained == [(PASCAL, 2)]


def test_a_failed_question_gives_no_number_and_is_asked_again(start, bench) -> None:
    bench.broken = True
    started = start()
    assert started.run([table(cell())], (0,)) == []
    (why,) = started.failed.values()
    assert why.startswith("4 of 4 questions failed, the first with: ZeroDivisionError")
    bench.broken = False
    assert len(start().run([table(cell())], (0,))) == 1
    assert len(bench.trained) == 1


def test_parameters_are_counted_without_training(start, bench) -> None:
    counting = [c for c in experiment("table2").cells if c.measure == "parameters" and c.is_ours]
    vgg = [c for c in counting if c.row[1] == "VGG-16"]
    (result,) = start().run([table(*vgg)])
    assert result.value == 1.395456
    assert bench.trained == []


def test_results_of_another_release_are_named(start, tmp_path: Path) -> None:
    start()
    (tmp_path / "out" / "results.jsonl").write_text('{"strange": 1}\n')
    with pytest.raises(ConfigError, match=r"results\.jsonl, line 1"):
        start()


def test_runs_are_described_by_what_they_change() -> None:
    variant = Variant(benchmark="pascal5i", marks="box", loss="dice", num_queries=5)
    (run, *_) = cell(variant=variant, marks="box", shots=5).runs()
    assert described(run) == "everything, box x5, pascal5i fold 0, loss=dice, num_queries=5"
