"""What every segmenter does around its own work: one label, one intensity range, rival classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from vrpsam_app.annotation_types import check_same_size
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of
from vrpsam_app.references import Reference, references_for, spelled_out
from vrpsam_app.segmenter import ClassPredictions, Prediction, check_threshold

References = Reference | Sequence[Reference]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One class that is asked for in a target.

    Attributes
    ----------
    label : of the class
    references : of it, and "not this" ones, spelled out
    corrections : marks on the target
    """

    label: str
    references: Sequence[Reference]
    corrections: Corrections | None = None


class ReferenceSegmenter(ABC):
    """Base of everything that answers "where is this in that picture?".

    A subclass says in :meth:`_predict_one` where one class is; the rules about labels, intensities
    and several classes are the same for all.

    Attributes
    ----------
    answers_marks : whether marks on the target are the question itself, and not corrections of what
        the references find
    """

    answers_marks: ClassVar[bool] = False

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: method, model, weights, device, precision, versions."""

    def predict(
        self,
        target: NDArray[Any],
        references: References,
        *,
        corrections: Corrections | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Prediction:
        """Find what the references show in one target.

        Parameters
        ----------
        target : shape (H, W), (H, W, 3) or (H, W, 4), any real dtype
            uint8 is taken as it is; other types are brought to 8 bits by one intensity range for
            target and references.
        references : Reference or sequence of Reference
            All of one label; "not this" references may be among them.
        corrections : Corrections, optional
            Marks on the target; mask logits of its size.
        intensity_range : IntensityRange, optional
            Default: the 0.1 and 99.9 percentiles of this set of images.
        threshold : float
            On the probability, in [0, 1].

        Raises
        ------
        EmptyReferenceError
            If there is no reference, or none with positive marks.
        AnnotationError
            If the references have several labels, or references or corrections are something else
            or do not fit the target.
        ImageError
            If the target is not a plane, or the intensity range no :class:`IntensityRange`.
        ConfigError
            If the threshold is no probability.
        """
        references = as_sequence(references)
        label = only_label(references)
        target = check_plane(target, name="target")
        check_settings(target, corrections, intensity_range, threshold)
        intensity_range = intensity_range or range_of(target, references)
        return self._predict_one(
            target, spelled_out(references), label, corrections, intensity_range, threshold
        )

    def predict_classes(
        self,
        target: NDArray[Any],
        references: References,
        *,
        corrections: Corrections | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> ClassPredictions:
        """Find every label of the references in one target; the labels compete per pixel.

        The references of the other labels count as "not this" for each label. Arguments and
        errors as for :meth:`predict`; `corrections` apply to the first label.
        """
        references = as_sequence(references)
        target = check_plane(target, name="target")
        check_settings(target, corrections, intensity_range, threshold)
        intensity_range = intensity_range or range_of(target, references)
        questions: list[Question] = []
        for name in dict.fromkeys(r.label for r in references):
            asked = spelled_out(references_for(references, name))
            questions.append(Question(name, asked, None if questions else corrections))
        found = self._predict_each(target, questions, intensity_range, threshold)
        names = [question.label for question in questions]
        return ClassPredictions.compete(dict(zip(names, found, strict=True)))

    def _predict_each(
        self,
        target: NDArray[Any],
        questions: Sequence[Question],
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> list[Prediction]:
        """Find several classes in one target; a subclass may have work that serves all of them."""
        return [
            self._predict_one(
                target, asked.references, asked.label, asked.corrections, intensity_range, threshold
            )
            for asked in questions
        ]

    @abstractmethod
    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        """Find one class in a checked target, all images under one intensity range."""


def as_sequence(references: References) -> Sequence[Reference]:
    """Return the references as a sequence.

    Raises
    ------
    EmptyReferenceError
        If there is none.
    AnnotationError
        If something else is among them.
    """
    given: list[Any] = list(references) if isinstance(references, Iterable) else [references]
    for other in given:
        if not isinstance(other, Reference):
            raise AnnotationError(
                f"There is a {type(other).__name__} in the place of a reference: expected one "
                "Reference or a list of them. Make one with "
                "Reference.from_annotations(image, marks)."
            )
    if not given:
        raise EmptyReferenceError(
            "No reference was given: expected at least one annotated image. "
            "Make one with Reference.from_annotations(image, marks)."
        )
    return given


def check_settings(
    target: NDArray[Any], corrections: object, intensity_range: object, threshold: float
) -> None:
    """Check what is asked for together with a checked target.

    Raises
    ------
    AnnotationError
        If the corrections are something else, or their logits have another size than the target.
    ImageError
        If the intensity range is something else.
    ConfigError
        If the threshold is no probability.
    """
    check_threshold(threshold)
    if not isinstance(intensity_range, IntensityRange | None):
        raise ImageError(
            f"The intensity range is a {type(intensity_range).__name__}: expected "
            "IntensityRange(low, high), or None for that of the images."
        )
    if not isinstance(corrections, Corrections | None):
        raise AnnotationError(
            f"The corrections are a {type(corrections).__name__}: expected Corrections. Make them "
            "of marks: Corrections((Point(row=20, col=30),))."
        )
    if corrections is not None and corrections.mask_logits is not None:
        shape = corrections.mask_logits.shape
        check_same_size(shape, target.shape[:2], "The array mask_logits", "the target")


def only_label(references: Sequence[Reference]) -> str:
    """Return the label that all references have.

    Raises
    ------
    AnnotationError
        If they have several.
    """
    labels = list(dict.fromkeys(r.label for r in references))
    if len(labels) > 1:
        raise AnnotationError(
            f"The references have the labels {', '.join(map(repr, labels))}: predict expects "
            "one. Use predict_classes for several."
        )
    return labels[0]


def range_of(target: NDArray[Any], references: Sequence[Reference]) -> IntensityRange | None:
    """Return the intensity range that a target shares with its references, None for 8 bits."""
    return intensity_range_of([target, *(r.image for r in references)])
