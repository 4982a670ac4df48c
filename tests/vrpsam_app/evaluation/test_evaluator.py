from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.environment import ANSWER_CODE
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation import evaluation_plan
from vrpsam_app.evaluation.episode_result import EpisodeResult
from vrpsam_app.evaluation.evaluation_plan import Ask, EvaluationPlan, MeasuredMethod
from vrpsam_app.evaluation.evaluation_set import EvaluationSet, open_sets
from vrpsam_app.evaluation.evaluator import Evaluator
from vrpsam_app.evaluation.shift_suite import SHIFTS
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.image_files import read_mask
from vrpsam_app.methods.pixel_forest import PixelForest
from vrpsam_app.methods.training_free_prior import TrainingFreePrior

PLAN = EvaluationPlan(formats=("click", "mask"), shots=(1, 2))


@pytest.fixture
def pets_set(pets_folder: Path, tmp_path: Path) -> EvaluationSet:
    """Four targets that show a class, at most three that lack one."""
    return open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=4, negatives=3)[0]


@pytest.fixture
def evaluator_of(
    colour_segmenter, pets_set: EvaluationSet, tmp_path: Path
) -> Callable[..., Evaluator]:
    """Measure the segmenter that looks for a colour, and a twin of another name and tolerance."""

    def build(plan: EvaluationPlan = PLAN, folder: str = "out", **settings: object) -> Evaluator:
        twin = type(colour_segmenter)()
        twin.made_by = {"method": "twin", "tolerance": 1}
        twin.tolerance = 1.0
        twin.calls = colour_segmenter.calls
        methods = [
            MeasuredMethod("vrp_sam", lambda: colour_segmenter),
            MeasuredMethod("pixel_forest", lambda: twin, formats=("click",), shots=(1,)),
        ]
        return Evaluator(methods, [pets_set], plan, tmp_path / folder, **settings)

    return build


@pytest.fixture(autouse=True)
def steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer take one second and the same memory."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(
        "vrpsam_app.evaluation.evaluator.time.perf_counter", lambda: float(next(ticks))
    )
    monkeypatch.setattr("vrpsam_app.evaluation.evaluator.peak_memory", lambda: 7)


def test_everything_is_asked_once(evaluator_of, pets_set, colour_segmenter):
    evaluator = evaluator_of()
    results = list(evaluator.run())
    episodes = len(pets_set.episodes)
    assert len(results) == len(evaluator) == len(colour_segmenter.calls) == episodes * (4 + 1)
    assert len({r.asked.key for r in results}) == len(results)
    assert {(r.asked.format, r.asked.shots) for r in results if r.asked.method != "vrp_sam"} == {
        ("click", 1)
    }


def test_figures_are_those_counted_by_hand(evaluator_of):
    # Cats and dogs are nearly of one brightness, so that both are found, whichever is asked for.
    dogs, cat = 2 * 20 * 20, 35 * 30
    for result in evaluator_of().run():
        if result.asked.method != "vrp_sam":
            continue
        both = dogs + (cat if result.asked.target in ("p0", "p1", "p2", "p3") else 0)
        wanted = 0 if result.asked.negative else dogs if result.asked.label == "dog" else cat
        figures = result.figures
        assert (figures.intersection, figures.union) == (wanted, both)
        assert figures.iou == wanted / both
        assert figures.background_intersection == 60 * 90 - both
        assert figures.background_union == 60 * 90 - wanted
        assert figures.found_share == pytest.approx(both / (60 * 90))
        assert figures.objects.true == {0: 0, dogs: 2, cat: 1}[wanted]
        assert figures.seconds == 1.0


def test_the_first_question_about_a_target_is_told_from_later_ones(evaluator_of, pets_set):
    results = [r for r in evaluator_of().run() if r.asked.method == "vrp_sam"]
    known: set[str] = set()
    for episode in pets_set.episodes:
        target, shown = episode.target.picture, [p.picture for p in episode.references[:2]]
        first, *later = (
            r.figures.fresh
            for r in results
            if r.asked.index == episode.index and r.asked.negative == episode.negative
        )
        assert first is (target not in known)
        assert not any(later)
        known |= {target, *shown}
    assert sum(r.figures.fresh for r in results) < len(pets_set.episodes)


def test_a_killed_run_goes_on_and_nothing_is_done_twice(evaluator_of, colour_segmenter, tmp_path):
    whole = list(evaluator_of(folder="whole").run())
    asked = len(colour_segmenter.calls)

    colour_segmenter.calls.clear()
    stopped = evaluator_of()
    steps = stopped.run()
    first = [next(steps) for _ in range(7)]
    steps.close()
    with open(tmp_path / "out" / "episodes.jsonl", "a", encoding="utf-8") as file:
        file.write('{"asked": {"key": "cut')
    resumed = list(evaluator_of().run())

    assert len(colour_segmenter.calls) == asked
    assert resumed[:7] == first
    figures = [(r.asked, r.figures.iou, r.figures.seconds) for r in resumed]
    assert figures == [(r.asked, r.figures.iou, r.figures.seconds) for r in whole]
    for one, other in zip(Summary.of(resumed).cells, Summary.of(whole).cells, strict=True):
        assert (one.dataset, one.method, one.column) == (other.dataset, other.method, other.column)
        assert one.iou == other.iou
        assert one.against_peer == other.against_peer


def test_a_finished_run_asks_nothing(evaluator_of, colour_segmenter):
    done = list(evaluator_of().run())
    colour_segmenter.calls.clear()
    assert list(evaluator_of().run()) == done
    assert colour_segmenter.calls == []


def test_another_model_is_measured_anew(evaluator_of, colour_segmenter):
    list(evaluator_of().run())
    colour_segmenter.calls.clear()
    colour_segmenter.made_by = {**colour_segmenter.made_by, "sha256": "1" * 64}
    results = list(evaluator_of().run())
    assert len(colour_segmenter.calls) == sum(r.asked.method == "vrp_sam" for r in results)


def test_a_broken_picture_is_named_and_the_rest_goes_on(evaluator_of, pets_folder, pets_set):
    broken = pets_set.positives[0].target.picture
    (pets_folder / "images" / f"{broken}.png").write_bytes(b"no picture")
    results = list(evaluator_of().run())
    failed = [r for r in results if r.figures is None]
    assert {r.asked.index for r in failed} >= {pets_set.positives[0].index}
    assert all(f"{broken}.png" in r.error for r in failed)
    assert len(failed) < len(results)
    summary = Summary.of(results)
    assert summary.failures == tuple(failed)
    assert sum(c.failed for c in summary.cells) == len(failed)


def test_what_failed_is_tried_again(evaluator_of, pets_folder, pets_set, colour_segmenter):
    path = pets_folder / "images" / f"{pets_set.positives[0].target.picture}.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:60])
    failed = [r.asked.key for r in evaluator_of().run() if r.figures is None]
    path.write_bytes(whole)
    pets_set.reader._load.cache_clear()
    colour_segmenter.calls.clear()
    assert all(r.figures for r in evaluator_of().run())
    assert len(colour_segmenter.calls) == len(failed)


def test_a_methods_own_mistake_costs_one_answer(evaluator_of, colour_segmenter, monkeypatch):
    predict = type(colour_segmenter).predict

    def fail_once(self, target, references, **settings):
        prediction = predict(self, target, references, **settings)
        if len(self.calls) == 2:
            raise ZeroDivisionError("by nought")
        return prediction

    monkeypatch.setattr(type(colour_segmenter), "predict", fail_once)
    results = list(evaluator_of().run())
    assert [r.error for r in results if r.error] == ["ZeroDivisionError: by nought"]


def test_masks_of_the_main_question_are_kept(evaluator_of, pets_set):
    evaluator = evaluator_of()
    for result in evaluator.run():
        path = evaluator.mask_path(result.asked)
        main = (result.asked.format, result.asked.shots) == ("click", 1)
        assert path.exists() is (main and not result.asked.negative)
        if path.exists():
            assert np.count_nonzero(read_mask(path)) == round(result.figures.found_share * 60 * 90)


def test_an_answer_whose_mask_is_gone_is_asked_again(evaluator_of, pets_set, colour_segmenter):
    clicks = EvaluationPlan(formats=("click", "mask"), shots=(1,))
    masks = EvaluationPlan(formats=("mask", "click"), shots=(1,))
    list(evaluator_of(clicks).run())
    colour_segmenter.calls.clear()
    evaluator = evaluator_of(masks)
    results = [r for r in evaluator.run() if r.asked.method == "vrp_sam"]
    assert len(colour_segmenter.calls) == len(pets_set.positives)
    for result in results:
        kept = result.asked.format == "mask" and not result.asked.negative
        assert evaluator.mask_path(result.asked).exists() or not kept


def test_changed_pictures_and_labels_are_asked_again(colour_segmenter, pets_folder, tmp_path):
    def measured() -> tuple[int, list[EpisodeResult]]:
        colour_segmenter.calls.clear()
        words = DataWords(pets_folder)
        (data,) = open_sets(words, tmp_path / "lists", episodes=4, negatives=0)
        methods = [MeasuredMethod("one", lambda: colour_segmenter)]
        plan = EvaluationPlan(formats=("mask",), shots=(1,))
        results = list(Evaluator(methods, [data], plan, tmp_path / "out").run())
        return len(colour_segmenter.calls), results

    calls, first = measured()
    assert calls == len(first) == 4
    assert measured() == (0, first)
    changed = first[0].asked.target
    for part, change in (("images", 10), ("masks", 0)):
        path = pets_folder / part / f"{changed}.png"
        pixels = np.array(Image.open(path))
        pixels = np.roll(pixels, 2, 0) if part == "masks" else pixels + np.uint8(change)
        Image.fromarray(pixels).save(path)
        calls, again = measured()
        assert 0 < calls < 4
        assert again[0].asked.key != first[0].asked.key
        first = again


def test_episodes_of_few_references_are_asked_with_as_many(colour_segmenter, pets_set, tmp_path):
    few = replace(pets_set.negatives[0], references=pets_set.negatives[0].references[:1])
    data = replace(pets_set, negatives=(few,))
    methods = [MeasuredMethod("one", lambda: colour_segmenter)]
    evaluator = Evaluator(methods, [data], PLAN, tmp_path / "out")
    results = list(evaluator.run())
    assert len(results) == len(evaluator) == 4 * len(data.positives) + 2
    assert {r.asked.shots for r in results if r.asked.negative} == {1}
    assert not any(r.error for r in results)


def test_the_store_is_emptied_between_methods(evaluator_of):
    store = EmbeddingStore()
    store.get_or_compute("old", lambda: np.zeros(3))
    list(evaluator_of(store=store).run())
    assert len(store) == 0


def test_a_method_is_made_anew_for_a_data_set_with_open_questions(
    colour_segmenter, pets_set, tmp_path
):
    made = []

    def build():
        made.append(colour_segmenter)
        return colour_segmenter

    evaluator = Evaluator([MeasuredMethod("one", build)], [pets_set], PLAN, tmp_path / "out")
    assert evaluator.descriptions == {"one": colour_segmenter.describe()}
    assert len(made) == 1
    list(evaluator.run())
    assert len(made) == 2
    list(evaluator.run())
    assert len(made) == 2


def test_changed_code_is_asked_again(evaluator_of, colour_segmenter, monkeypatch):
    list(evaluator_of().run())
    colour_segmenter.calls.clear()
    monkeypatch.setattr(evaluation_plan, "code_version", lambda parts: "0.1.0+other")
    results = list(evaluator_of().run())
    assert len(colour_segmenter.calls) == len(results) > 0


def test_methods_of_single_pixels_do_not_depend_on_the_model():
    assert "models" not in PixelForest.code
    assert "models" in TrainingFreePrior.code
    assert set(PixelForest.code) < set(ANSWER_CODE)


def test_the_papers_protocol_asks_squashed_pictures(
    evaluator_of, pets_set, colour_segmenter, monkeypatch
):
    sizes = set()
    predict = type(colour_segmenter).predict

    def see(self, target, references, **settings):
        sizes.update({target.shape[:2], *(r.image.shape[:2] for r in references)})
        return predict(self, target, references, **settings)

    monkeypatch.setattr(type(colour_segmenter), "predict", see)
    plan = EvaluationPlan(formats=("box", "mask", "click", "stroke"), shots=(1,), paper=True)
    results = list(evaluator_of(plan=plan).run())
    assert all(r.figures for r in results)
    assert sizes == {(512, 512)}


def test_names_that_are_shared_are_refused(colour_segmenter, pets_set, tmp_path):
    method = MeasuredMethod("one", lambda: colour_segmenter)
    with pytest.raises(ConfigError, match="Two methods share a name"):
        Evaluator([method, method], [pets_set], PLAN, tmp_path)
    with pytest.raises(ConfigError, match="Two data sets share a name"):
        Evaluator([method], [pets_set, pets_set], PLAN, tmp_path)


def test_a_plan_that_asks_nothing_is_refused(colour_segmenter, pets_set, tmp_path):
    plan = EvaluationPlan(shots=(99,))
    with pytest.raises(ConfigError, match="can be asked of these data"):
        Evaluator([MeasuredMethod("one", lambda: colour_segmenter)], [pets_set], plan, tmp_path)


def test_changed_pictures_are_asked_the_main_question(evaluator_of, pets_set):
    shifts = tuple(SHIFTS)
    evaluator = evaluator_of(EvaluationPlan(formats=("click",), shots=(1,), shifts=shifts))
    results = list(evaluator.run())
    assert all(r.figures for r in results)
    assert {r.asked.shift for r in results} == {"", *shifts}
    assert evaluator.plan.main_ask(pets_set) == Ask("click", 1)
