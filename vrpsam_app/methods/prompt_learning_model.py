"""Prompt learning on a whole model: it finds the class, what was learned tells objects apart.

The model's own mask proposes places; each is answered through the learned prompts, what is found is
taken out, and what is left is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.fitted_prompts import QUICK, FittedPrompts, said_of
from vrpsam_app.methods.found_objects import FoundObject, mean_score, paint_objects
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.mark_prompts import innermost_xy, parts_of
from vrpsam_app.methods.prompt_examples import LEAST_OBJECT
from vrpsam_app.methods.prompt_fit import PromptFitSettings
from vrpsam_app.methods.prompted_pictures import ModelPromptedPicture, PromptedVRPSAM, answered
from vrpsam_app.methods.sam_pictures import SAMPrompt
from vrpsam_app.models.prompt_learner import PromptLearner
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

ROUNDS = 4
"""Looks at what is left of the model's mask."""

AT_ONCE = 16
"""Parts of it that are asked for in each, the largest first."""

SUPPORT = 0.4
"""Mean probability of the class, by the model itself, that an object needs inside."""


class ModelPromptLearning(FittedPrompts):
    """Prompt learning on a model with a shared backbone, such as the embedded one.

    Parameters
    ----------
    predictor : VRPSAMPredictor
    learned : LearnedPrompts, optional
        From :meth:`fit` or a folder. Without them prompts are learned from the references of each
        question, once for the same references.
    fit_settings : PromptFitSettings

    Raises
    ------
    ConfigError
        If the model is of another kind.
    """

    name: ClassVar[str] = "prompt_learning"
    model: PromptedVRPSAM

    def __init__(
        self,
        predictor: VRPSAMPredictor,
        *,
        learned: LearnedPrompts | None = None,
        fit_settings: PromptFitSettings = QUICK,
    ) -> None:
        self.model = PromptedVRPSAM(predictor)
        self.predictor, self.store = predictor, predictor.store
        self.learned, self.fit_settings = learned, fit_settings

    @property
    def input_side(self) -> int:
        """That of the model."""
        return self.predictor.input_side

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin; which prompts, if they were learned beforehand."""
        said = {**self.predictor.describe(), "method": self.name}
        return {**said, "settings": {"fit": asdict(self.fit_settings)}, **said_of(self.learned)}

    def _with(self, learned: LearnedPrompts) -> ModelPromptLearning:
        return ModelPromptLearning(self.predictor, learned=learned, fit_settings=self.fit_settings)

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        learned = self._learned_for(target, references, label, corrections, intensity_range)
        whole = self.predictor.predict(
            target, references, corrections=corrections, intensity_range=intensity_range
        )
        picture = self.model.open(to_rgb(target, intensity_range))
        learner = learned.build(self.model.device)
        clicked = _clicked(picture, corrections, learner)
        found = [*clicked, *_look(picture, whole, learner, clicked)]
        painted = paint_objects(found, picture, threshold)
        present = bool(clicked) or (whole.present and bool(found))
        return Prediction(
            mask=(painted.probability > threshold) & present,
            probability=painted.probability,
            score=mean_score(found),
            presence=1.0 if clicked else whole.presence,
            present=present,
            pseudo_mask=whole.pseudo_mask,
            label=label,
            made_by={**whole.made_by, **self.describe(), **said_of(learned)},
            threshold=threshold,
            instance_labels=painted.instance_labels * present,
        )


def _clicked(
    picture: ModelPromptedPicture, corrections: Corrections | None, learner: PromptLearner
) -> list[FoundObject]:
    """Find the object that a person points at in the target."""
    if corrections is None:
        return []
    points_xy, labels = corrections.clicks_xy()
    box = corrections.box_xyxy()
    if box is None and not (labels == 1).any():
        return []
    objects = _ask(picture, [SAMPrompt(points_xy, labels == 1, box)], learner)
    return [o for o in objects if bool((o.logits > 0).any())]


def _look(
    picture: ModelPromptedPicture,
    whole: Prediction,
    learner: PromptLearner,
    known: Sequence[FoundObject],
) -> list[FoundObject]:
    """Ask for the parts of the model's mask until all of it is found; a best guess in any case."""
    probability = whole.probability
    left = probability > whole.threshold
    for taken in known:
        left &= ~_mask(picture, taken)
    if not left.any() and not known:
        left = probability >= probability.max()
    found: list[FoundObject] = []
    for _ in range(ROUNDS):
        prompts = list(_places(left))
        if not prompts:
            break
        for answer in _ask(picture, prompts, learner):
            mask = _mask(picture, answer)
            inside = float(probability[mask].mean()) if mask.any() else 0.0
            # Mostly new, and mostly of the class.
            if inside >= SUPPORT and (mask & left).sum() >= 0.5 * mask.sum():
                found.append(replace(answer, evidence=inside))
                left &= ~mask
    if not found and not known:
        best = np.unravel_index(int(probability.argmax()), probability.shape)
        place = np.array([best[1] + 0.5, best[0] + 0.5], np.float32)
        found = _ask(picture, [SAMPrompt.at([place])], learner)
    return found


def _places(left: NDArray[np.bool_]) -> Iterator[SAMPrompt]:
    """Click the middle of each part of what is left."""
    for part, corner in parts_of(left, AT_ONCE):
        if part.sum() >= LEAST_OBJECT:
            yield SAMPrompt.at([innermost_xy(part, corner)])


def _ask(
    picture: ModelPromptedPicture, prompts: Sequence[SAMPrompt], learner: PromptLearner
) -> list[FoundObject]:
    logits, scores = answered(picture, prompts, learner)
    return [FoundObject(own, float(score), 1.0) for own, score in zip(logits, scores, strict=True)]


def _mask(picture: ModelPromptedPicture, found: FoundObject) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = (picture.resized(found.logits[None, None])[0, 0] > 0).cpu().numpy()
    return mask
