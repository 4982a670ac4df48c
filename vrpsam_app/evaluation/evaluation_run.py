"""One evaluation from words to report: opens data and methods, measures, sums up, writes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.devices import choose_device
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ConfigError, MissingExtraError
from vrpsam_app.evaluation.comparison_page import comparison_page
from vrpsam_app.evaluation.effort import EffortResult
from vrpsam_app.evaluation.effort_run import OBJECT_BY_OBJECT, EffortRun, approaches
from vrpsam_app.evaluation.evaluation_plan import EvaluationPlan, MeasuredMethod
from vrpsam_app.evaluation.evaluation_set import EvaluationSet, open_sets
from vrpsam_app.evaluation.evaluator import Evaluator
from vrpsam_app.evaluation.method_words import MethodWords
from vrpsam_app.evaluation.report import Report
from vrpsam_app.evaluation.report_pictures import choose_examples
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.image_files import write_whole
from vrpsam_app.methods import METHODS, MethodSources
from vrpsam_app.methods.plain_sam import PlainSAM
from vrpsam_app.predictor import VRPSAMPredictor

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRun:
    """What is measured.

    Attributes
    ----------
    data, methods : the first method is the one that the others are held against
    plan : formats, numbers of references, changed pictures
    model : name or folder of the model
    sam, features : files of SAM's and a backbone's weights, for methods that need them
    prompts : folder of prompts that were learned beforehand
    device : where it runs
    threads : of the computation on a CPU, None for as many as there are cores; on cores that other
        work shares, one is many times faster
    episodes : targets that show the class, for each data set
    negatives : targets that lack it, where there are such
    effort : episodes of each data set on which effort is measured
    seed : of the episodes
    folder : where results go
    command : as it was typed, for the report
    page : where the comparison goes as a page of the documents; None writes none
    """

    data: tuple[DataWords, ...]
    methods: tuple[MethodWords, ...]
    plan: EvaluationPlan
    model: str = "embedded"
    sam: Path | None = None
    features: Path | None = None
    prompts: Path | None = None
    device: str = "auto"
    threads: int | None = None
    episodes: int = 20
    negatives: int = 10
    effort: int = 0
    seed: int = 0
    folder: Path = Path("results/eval")
    command: str = ""
    page: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a run.

    Attributes
    ----------
    report : everything
    paths : files by name
    failed : number of questions and courses without a figure
    """

    report: Report
    paths: dict[str, Path]
    failed: int


def evaluate(run: EvaluationRun) -> Outcome:
    """Measure what is not measured yet, and write the report anew.

    Raises
    ------
    VRPSAMError
        If the labels, from which the questions are drawn, the model or results of an earlier run
        cannot be read, or results not be written. A single picture that fails is named in the
        report instead.
    """
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    sets = _open(run)
    store = EmbeddingStore()
    sources = MethodSources.of(
        lambda: _load(run.model, run.device, store),
        sam=run.sam,
        features=run.features,
        prompts=run.prompts,
        device=run.device,
        store=store,
    )
    left_out = {m.name: why for m in run.methods if m.optional and (why := _lacks(m, sources))}
    methods = [
        MeasuredMethod(m.name, partial(METHODS[m.name], sources), m.formats, m.shots)
        for m in run.methods
        if m.name not in left_out
    ]
    _refuse_silent(methods, run, sets)
    evaluator = Evaluator(methods, sets, run.plan, run.folder, store=store)
    results = list(_shown(evaluator.run(), evaluator, "question"))
    effort: list[EffortResult] = []
    if run.effort:
        forest = next((m.build() for m in methods if m.name == "pixel_forest"), None)
        sam: PlainSAM | None = None
        try:
            sam = PlainSAM(sources.sam())
        except ConfigError as error:
            left_out[OBJECT_BY_OBJECT] = str(error)
        ways = approaches(methods[0].build(), sam=sam, forest=forest)
        courses = EffortRun(ways, sets, run.effort, run.folder, store=store)
        effort = list(_shown(courses.run(), courses, "picture"))
    summary = Summary.of(results, {s.name: s.positives for s in sets})
    report = Report(
        command=run.command,
        methods=evaluator.descriptions,
        plan={
            **dataclasses.asdict(run.plan),
            "episodes": run.episodes,
            "negatives": run.negatives,
            "seed": run.seed,
            "data": [s.name for s in sets],
            "without_negatives": [s.name for s in sets if run.negatives and not s.negatives],
            "left_out": left_out,
            "not_asked": [words for s in sets for words in run.plan.not_asked(methods, s)],
        },
        summary=summary,
        examples=choose_examples(evaluator, results, summary),
        effort=effort,
    )
    failed = len(summary.failures) + sum(bool(e.error) for e in effort)
    paths = report.write(run.folder)
    if run.page is not None:
        write_whole(run.page, comparison_page(report).encode("utf-8"), overwrite=True)
        paths["page"] = run.page
    return Outcome(report, paths, failed)


def _refuse_silent(
    methods: Sequence[MeasuredMethod], run: EvaluationRun, sets: Sequence[EvaluationSet]
) -> None:
    """Refuse a method that was named and would be asked nothing."""
    optional = {words.name for words in run.methods if words.optional}
    askable = [s for s in sets if run.plan.main_ask(s) is not None]
    for method in methods:
        if method.name in optional or not askable:
            continue
        if not any(run.plan.asks(method, s) for s in askable):
            raise ConfigError(
                f"--method {method.name} would be asked nothing: its formats "
                f"{', '.join(method.formats or run.plan.formats)} and numbers of references "
                f"{', '.join(map(str, method.shots or run.plan.shots))} are none of those that "
                f"these data are asked, {', '.join(run.plan.formats)} with "
                f"{', '.join(map(str, run.plan.shots))}. Give one of them, or leave it out."
            )


def _lacks(words: MethodWords, sources: MethodSources) -> str:
    """Say what a method lacks, nothing if it can be made and asked in reasonable time."""
    if words.name == "prompt_learning" and sources.own_prompts is None:
        return (
            "Without prompts that were learned beforehand (--prompts) it learns anew for every "
            "question, which takes minutes. Name it to ask it all the same."
        )
    try:
        METHODS[words.name](sources)
    except (ConfigError, MissingExtraError) as error:
        return str(error)
    return ""


def _open(run: EvaluationRun) -> list[EvaluationSet]:
    return open_sets(
        run.data,
        run.folder / "lists",
        episodes=run.episodes,
        negatives=run.negatives,
        seed=run.seed,
        paper=run.plan.paper,
    )


def _load(model: str, device: str, store: EmbeddingStore) -> VRPSAMPredictor:
    """Load the model, which keeps its embeddings in a store that the evaluator empties."""
    from vrpsam_app.models.load import load_model

    chosen = choose_device(device)
    loaded, folder = load_model(model)
    return VRPSAMPredictor(loaded, device=chosen, sha256=folder.sha256, store=store)


def _shown(steps: Iterable[T], known_length: Sized, unit: str) -> Iterator[T]:
    """Show on a terminal how far the work is."""
    from tqdm import tqdm

    yield from tqdm(steps, total=len(known_length), unit=unit, disable=None, file=sys.stderr)
