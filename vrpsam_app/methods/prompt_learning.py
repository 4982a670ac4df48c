"""Prompt learning as a method: likeness finds objects, what was learned says how far they reach.

Prompts are adjusted by what was learned from a few pictures with their objects, beforehand or from
the references of the question. SAM stays as it is. Marks on the target are prompts; so are the
places that look like the references' objects.

The idea, and what is ours in it: :mod:`vrpsam_app.models.prompt_learner`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.fitted_prompts import QUICK, FittedPrompts, said_of
from vrpsam_app.methods.found_objects import FoundObject, evidence_under
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.persam import DEFAULT, PerSAM, PerSAMSettings, Question
from vrpsam_app.methods.prompt_fit import PromptFitSettings
from vrpsam_app.methods.prompted_pictures import PromptedSAM
from vrpsam_app.methods.sam_pictures import SAMPictures, SAMPrompt
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


class PromptLearning(FittedPrompts, PerSAM):
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
        self.model, self.store = PromptedSAM(pictures), pictures.store
        self.learned, self.fit_settings = learned, fit_settings
        self._learner = None if learned is None else learned.build(pictures.device)

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin; which prompts, if they were learned beforehand."""
        return {**super().describe(), **said_of(self.learned)}

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
            fitted = self._with(
                self._learned_for(target, references, label, corrections, intensity_range)
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


def _without(prompt: SAMPrompt, point_xy: NDArray[Any]) -> SAMPrompt:
    """Leave out the point beside the object that a search adds: prompts are learned without."""
    kept = prompt.positive | (prompt.points_xy != point_xy).any(1)
    return SAMPrompt(
        prompt.points_xy[kept], prompt.positive[kept], prompt.box_xyxy, prompt.mask_logits
    )
