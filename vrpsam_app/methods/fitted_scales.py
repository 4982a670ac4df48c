"""What both kinds of PerSAM-F share: scales fitted beforehand, or on the references as asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.sam_method import SAMMethod, marked_references, showing_references
from vrpsam_app.models.scale_weights import ScaleWeights
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


class FittedScales(SAMMethod):
    """Comes before the method whose scales it fits, in the list of bases.

    Attributes
    ----------
    scales : ScaleWeights or None
        From :meth:`fit`. Without them they are fitted on the references of each question, once for
        the same references.
    steps : of the fit
    """

    scales: ScaleWeights | None
    steps: int

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin; the weights themselves if they are fitted."""
        fitted = {} if self.scales is None else {"scales": self.scales.weights.tolist()}
        return {**super().describe(), **fitted}

    def fit(
        self, references: Sequence[Reference], *, intensity_range: IntensityRange | None = None
    ) -> Self:
        """Return a copy whose weights are fitted on the references.

        Raises
        ------
        EmptyReferenceError
            If none marks an object.
        """
        return self._with(self._fit(references, showing_references(references), intensity_range))

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
        if self.scales is None:
            marked = marked_references(target, references, label, corrections)
            showing = showing_references(marked, before=references)
            key = f"{self.pictures.origin}/{self.name}-{self.steps}/{intensity_range}"
            for shown in (references, showing):
                key += f"/{'+'.join(r.content_key for r in shown)}"
            scales = self.pictures.store.get_or_compute(
                key, lambda: self._fit(marked, showing, intensity_range)
            )
            fitted = self._with(scales)
        return super(FittedScales, fitted)._predict_one(  # type: ignore[safe-super]  # of the method
            target, references, label, corrections, intensity_range, threshold
        )

    def _settings(self) -> dict[str, object]:
        return {**super()._settings(), "steps": self.steps}

    @abstractmethod
    def _with(self, scales: ScaleWeights) -> Self:
        """Return a copy with other weights."""

    @abstractmethod
    def _fit(
        self,
        references: Sequence[Reference],
        showing: Sequence[Reference],
        intensity_range: IntensityRange | None,
    ) -> ScaleWeights:
        """Fit weights on what `showing` marks; `references` say what the object looks like."""
