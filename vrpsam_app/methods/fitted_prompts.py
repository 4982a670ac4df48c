"""What both kinds of prompt learning share: prompts learned beforehand, or from the references."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.learned_prompts import LearnedPrompts
from vrpsam_app.methods.prompt_examples import PromptExample, examples_of_references
from vrpsam_app.methods.prompt_fit import PromptFitSettings, fit_prompts
from vrpsam_app.methods.prompted_pictures import PromptedModel
from vrpsam_app.methods.sam_method import marked_references, showing_references
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference

QUICK = PromptFitSettings(steps=100)
"""For prompts that are learned from the references of a question."""

Report = Callable[[int, float], None]


def said_of(learned: LearnedPrompts | None) -> dict[str, object]:
    """Return which prompts these are and what they were learned on; nothing of none."""
    if learned is None:
        return {}
    return {"prompts": {"sha256": learned.sha256, **learned.facts}}


class FittedPrompts(ReferenceSegmenter):
    """Base of what answers through learned prompts.

    Attributes
    ----------
    model : what is prompted
    store : where prompts are kept that a question made it learn
    learned : LearnedPrompts or None
        From :meth:`fit` or a folder. Without them prompts are learned from the references of each
        question, once for the same references.
    fit_settings : PromptFitSettings
    """

    model: PromptedModel
    store: EmbeddingStore
    learned: LearnedPrompts | None
    fit_settings: PromptFitSettings

    def fit(
        self,
        references: Sequence[Reference],
        *,
        intensity_range: IntensityRange | None = None,
        report: Report | None = None,
    ) -> Self:
        """Return a copy with prompts learned from the objects that references mark.

        Raises
        ------
        EmptyReferenceError
            If none marks an object that is large enough.
        """
        showing = showing_references(references)
        examples = examples_of_references(self.model, showing, intensity_range)
        return self.fit_examples(examples, report=report)

    def fit_examples(
        self, examples: Sequence[PromptExample], *, report: Report | None = None
    ) -> Self:
        """Return a copy with prompts learned from pictures with their objects.

        Raises
        ------
        ConfigError
            If there is no object.
        """
        return self._with(fit_prompts(self.model, examples, self.fit_settings, report=report))

    @abstractmethod
    def _with(self, learned: LearnedPrompts) -> Self:
        """Return a copy with other prompts."""

    def _learned_for(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
    ) -> LearnedPrompts:
        """Return what was learned beforehand, or from these references, once for the same."""
        marked = marked_references(target, references, label, corrections)
        if self.learned is not None:
            return self.learned
        showing = showing_references(marked, before=references)
        said, settings = self.model.describe(), self.fit_settings
        shown = "+".join(r.content_key for r in showing)
        key = f"prompts/{said['model']}-{said['sha256']}/{settings}/{intensity_range}/{shown}"

        def learn() -> LearnedPrompts:
            examples = examples_of_references(self.model, showing, intensity_range)
            return fit_prompts(self.model, examples, settings)

        return self.store.get_or_compute(key, learn)
