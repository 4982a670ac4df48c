"""Prompt learning as a method: likeness finds objects, what was learned says how far they reach.

Prompts are adjusted by what was learned from a few pictures with their objects, beforehand or from
the references of the question. SAM stays as it is. Marks on the target are prompts; so are the
places that look like the references' objects.

The idea, and what is ours in it: :mod:`vrpsam_app.models.prompt_learner`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.found_objects import FoundObject, evidence_under
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.persam import DEFAULT, PerSAM, PerSAMSettings, Question
from vrpsam_app.methods.prompt_examples import PromptExample, examples_of_references
from vrpsam_app.methods.prompt_fit import PromptFitSettings, fit_prompts
from vrpsam_app.methods.prompted_pictures import PromptedModel, PromptedSAM
from vrpsam_app.methods.sam_method import marked_references, showing_references
from vrpsam_app.methods.sam_pictures import SAMPictures, SAMPrompt
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

QUICK = PromptFitSettings(steps=100)
"""For prompts that are learned from the references of a question."""

Report = Callable[[int, float], None]


class PromptLearning(PerSAM):
    """Prompt learning on a SAM.

    Likeness in SAM's features proposes places as in :class:`PerSAM`, and says which answers count;
    each place, and each mark of a person, is answered once, through the learned prompts.

    Parameters
    ----------
    pictures : SAMPictures
    learned : LearnedPrompts, optional
        From :meth:`fit` or a folder. Without them prompts are learned from the references of each
        question, once for the same references.
    settings : PerSAMSettings
    fit_settings : PromptFitSettings

    Examples
    --------
    >>> tuned = PromptLearning(pictures).fit(references)  # doctest: +SKIP
    >>> tuned.learned.save("my_prompts")  # doctest: +SKIP
    >>> learned = LearnedPrompts.load("my_prompts")  # doctest: +SKIP
    >>> other = PromptLearning(other_pictures, learned=learned)  # doctest: +SKIP
    """

    name: ClassVar[str] = "prompt_learning"

    def __init__(
        self,
        pictures: SAMPictures,
        *,
        learned: LearnedPrompts | None = None,
        settings: PerSAMSettings = DEFAULT,
        fit_settings: PromptFitSettings = QUICK,
    ) -> None:
        super().__init__(pictures, settings=settings)
        self.learned, self.fit_settings = learned, fit_settings
        self._learner = None if learned is None else learned.build(pictures.device)

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin; which prompts, if they were learned beforehand."""
        return {**super().describe(), **said_of(self.learned)}

    def fit(
        self,
        references: Sequence[Reference],
        *,
        intensity_range: IntensityRange | None = None,
        report: Report | None = None,
    ) -> PromptLearning:
        """Return a copy with prompts learned from the objects that references mark.

        Raises
        ------
        EmptyReferenceError
            If none marks an object that is large enough.
        """
        model = PromptedSAM(self.pictures)
        examples = examples_of_references(model, showing_references(references), intensity_range)
        return self.fit_examples(examples, report=report)

    def fit_examples(
        self, examples: Sequence[PromptExample], *, report: Report | None = None
    ) -> PromptLearning:
        """Return a copy with prompts learned from pictures with their objects.

        Raises
        ------
        ConfigError
            If there is no object.
        """
        model = PromptedSAM(self.pictures)
        return self._with(fit_prompts(model, examples, self.fit_settings, report=report))

    def _with(self, learned: LearnedPrompts) -> PromptLearning:
        return PromptLearning(
            self.pictures, learned=learned, settings=self.settings, fit_settings=self.fit_settings
        )

    def _settings(self) -> dict[str, object]:
        return {**super()._settings(), "fit": asdict(self.fit_settings)}

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        fitted = self
        if self.learned is None:
            marked = marked_references(target, references, label, corrections)
            showing = showing_references(marked, before=references)
            model = PromptedSAM(self.pictures)
            fitted = self._with(
                learned_once(
                    model, self.pictures.store, self.fit_settings, showing, intensity_range
                )
            )
        return super(PromptLearning, fitted)._predict_one(
            target, references, label, corrections, intensity_range, threshold
        )

    def _passes(self, question: Question, prompts: Sequence[SAMPrompt]) -> list[FoundObject]:
        """Ask once, each prompt adjusted."""
        alone = [_without(p, question.beside[0]) for p in prompts]
        answers = self.pictures.ask(question.picture, alone, learner=self._learner)
        visible = question.picture.grid.of_picture(answers.logits[:, 0])
        evidence = evidence_under(visible, question.evidence)
        return [
            FoundObject(logits, float(score.clamp(0, 1)), float(likeness))
            for logits, score, likeness in zip(
                answers.logits[:, 0], answers.scores[:, 0], evidence, strict=True
            )
        ]


def learned_once(
    model: PromptedModel,
    store: EmbeddingStore,
    settings: PromptFitSettings,
    references: Sequence[Reference],
    intensity_range: IntensityRange | None,
) -> LearnedPrompts:
    """Learn prompts from references, or find what was learned from the same ones."""
    said = model.describe()
    shown = "+".join(r.content_key for r in references)
    key = f"prompts/{said['model']}-{said['sha256']}/{settings}/{intensity_range}/{shown}"

    def learn() -> LearnedPrompts:
        examples = examples_of_references(model, references, intensity_range)
        return fit_prompts(model, examples, settings)

    return store.get_or_compute(key, learn)


def said_of(learned: LearnedPrompts | None) -> dict[str, object]:
    """Return which prompts these are and what they were learned on; nothing of none."""
    if learned is None:
        return {}
    return {"prompts": {"sha256": learned.sha256, **learned.facts}}


def _without(prompt: SAMPrompt, point_xy: NDArray[Any]) -> SAMPrompt:
    """Leave out the point beside the object that a search adds: prompts are learned without."""
    kept = prompt.positive | (prompt.points_xy != point_xy).any(1)
    return SAMPrompt(
        prompt.points_xy[kept], prompt.positive[kept], prompt.box_xyxy, prompt.mask_logits
    )
