"""Ask every method every question once, and keep each answer's figures as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ConfigError, VRPSAMError
from vrpsam_app.evaluation.episode_list import Episode
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.episode_result import Asked, EpisodeResult, measure
from vrpsam_app.evaluation.evaluation_plan import (
    PAPER_KINDS,
    Ask,
    DescribedSegmenter,
    EvaluationPlan,
    MeasuredMethod,
    answering_code,
)
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.evaluation.peak_memory import peak_memory, reset_peak_memory
from vrpsam_app.evaluation.result_file import ResultFile
from vrpsam_app.evaluation.shift_suite import SHIFTS
from vrpsam_app.evaluation.shifted_question import shifted
from vrpsam_app.image_files import write_mask
from vrpsam_app.output_paths import prepare_folder

# Raised when figures change their meaning, so that old ones are not mixed with new ones.
MEASURE_VERSION = 1


class Evaluator:
    """Measures methods on data sets.

    What has been measured stands in ``episodes.jsonl`` of the folder and is not measured again;
    questions that failed are, and all those of a method whose code has changed since.

    Parameters
    ----------
    methods : no two of one name
    sets : no two of one name
    plan : EvaluationPlan
    folder : where results go; it is made
    store : where methods keep what they computed; emptied when the next one or the next data set
        begins

    Attributes
    ----------
    descriptions : what each method says of itself, by name

    Raises
    ------
    ConfigError
        If two methods or two data sets share a name, or nothing can be asked.
    """

    def __init__(
        self,
        methods: Sequence[MeasuredMethod],
        sets: Sequence[EvaluationSet],
        plan: EvaluationPlan,
        folder: Path,
        *,
        store: EmbeddingStore | None = None,
    ) -> None:
        for what, names in (
            ("methods", [m.name for m in methods]),
            ("data sets", [s.name for s in sets]),
        ):
            if len(set(names)) < len(names):
                raise ConfigError(
                    f"Two {what} share a name ({', '.join(names)}): give each one once."
                )
        self.methods, self.sets, self.plan = tuple(methods), tuple(sets), plan
        self.folder = folder
        self._masks = prepare_folder(folder / "masks")
        self._file = ResultFile(folder / "episodes.jsonl", EpisodeResult.from_json)
        self._store = store
        self.descriptions: dict[str, dict[str, object]] = {}
        self._keys: dict[str, str] = {}
        for method in methods:
            segmenter = method.build()
            said = self.descriptions[method.name] = dict(segmenter.describe())
            self._keys[method.name] = _digest((said, answering_code(segmenter)))
        if not len(self):
            raise ConfigError(
                f"None of the formats {', '.join(plan.formats)} with {list(plan.shots)} references "
                "can be asked of these data: boxes and outlines need objects, and every episode "
                "needs that many references."
            )

    def __len__(self) -> int:
        """Count the questions, answered or not."""
        return sum(
            ask.shots <= len(episode.references)
            for data in self.sets
            for method in self.methods
            for ask in self.plan.asks(method, data)
            for episode in data.episodes
        )

    def run(self) -> Iterator[EpisodeResult]:
        """Yield the result of every question, known or measured now.

        A question that fails gives a result that says why, and the rest goes on.

        Raises
        ------
        ConfigError
            If results of an earlier run cannot be read.
        OutputError
            If results cannot be written.
        """
        known = {r.asked.key: r for r in self._file.read() if r.figures is not None}
        for data in self.sets:
            for method in self.methods:
                yield from self._measure(method, data, known)
                if self._store is not None:
                    self._store.clear()

    def mask_path(self, asked: Asked) -> Path:
        """Return where the mask of an answer to the main question lies."""
        return self._masks / f"{asked.key}.png"

    def _measure(
        self, method: MeasuredMethod, data: EvaluationSet, known: dict[str, EpisodeResult]
    ) -> Iterator[EpisodeResult]:
        asks = self.plan.asks(method, data)
        main = self.plan.main_ask(data)
        reset_peak_memory()
        segmenter: DescribedSegmenter | None = None
        seen: set[str] = set()  # pictures of which the segmenter may know something by now
        for episode in data.episodes:
            for ask in asks:
                if ask.shots > len(episode.references):
                    continue
                asked = self._asked(method, data, episode, ask)
                kept = ask == main and not episode.negative
                result = known.get(asked.key)
                # The report shows the mask: an answer without it is none.
                if result is None or (kept and not self.mask_path(asked).is_file()):
                    segmenter = segmenter or method.build()
                    fresh = episode.target.picture not in seen
                    result = self._answer(segmenter, data, episode, ask, asked, fresh, kept)
                    self._file.append(result)
                    seen.add(episode.target.picture)
                    seen.update(place.picture for place in episode.references[: ask.shots])
                yield result

    def _answer(
        self,
        segmenter: DescribedSegmenter,
        data: EvaluationSet,
        episode: Episode,
        ask: Ask,
        asked: Asked,
        fresh: bool,
        kept: bool,
    ) -> EpisodeResult:
        # One broken picture, or one method's mistake, must not cost a night's work.
        try:
            question = self.question(data, episode, ask)
            begun = time.perf_counter()
            prediction = segmenter.predict(question.target, question.references)
            seconds = time.perf_counter() - begun
            figures = measure(
                question, prediction, seconds=seconds, fresh=fresh, peak_bytes=peak_memory()
            )
            if kept:
                write_mask(self.mask_path(asked), prediction.mask, overwrite=True)
        except VRPSAMError as error:
            return EpisodeResult(asked, None, str(error))
        except Exception as error:
            return EpisodeResult(asked, None, f"{type(error).__name__}: {error}")
        return EpisodeResult(asked, figures)

    def question(self, data: EvaluationSet, episode: Episode, ask: Ask) -> Question:
        """Read an episode's pictures and mark its references.

        Raises
        ------
        VRPSAMError
            If a picture cannot be read or asked like this.
        """
        if self.plan.paper:
            return data.reader.to_paper_references(episode, PAPER_KINDS[ask.format], ask.shots)
        question = data.reader.to_references(episode, ask.format, ask.shots)
        return shifted(question, SHIFTS[ask.shift]) if ask.shift else question

    def _asked(
        self, method: MeasuredMethod, data: EvaluationSet, episode: Episode, ask: Ask
    ) -> Asked:
        places = [(p.picture, p.part) for p in (episode.target, *episode.references[: ask.shots])]
        content = (
            MEASURE_VERSION,
            self._keys[method.name],
            data.name,
            data.seed,
            data.reader.components,
            self.plan.paper,
            tuple(ask),
            episode.index,
            episode.negative,
            episode.label,
            places,
            data.reader.content_key(episode, ask.shots),
        )
        return Asked(
            key=_digest(content),
            method=method.name,
            dataset=data.name,
            label=episode.label,
            target=episode.target.picture,
            index=episode.index,
            negative=episode.negative,
            format=ask.format,
            shots=ask.shots,
            shift=ask.shift,
        )


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=10).hexdigest()
