"""Marks on the targets of a run, by the pixels that they are on: kept in its recipe, replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from numpy.typing import NDArray

from vrpsam_app.annotations import annotations_from_json, annotations_to_json
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import ConfigError
from vrpsam_app.json_fields import json_list, json_object
from vrpsam_app.recipe import TargetRecord, pixels_sha256

SECTION = "corrections"
"""Of a recipe, in which they stand."""
_MOST_MARKS = 10_000


@dataclass(frozen=True, slots=True)
class CorrectedTargets:
    """Which targets a person corrected, and how.

    A target is recognised by its pixels, as in a recipe: files of one name may differ, and a file
    may be renamed.

    Attributes
    ----------
    marks : SHA-256 of a target's pixels -> class -> annotations as JSON
        See :func:`vrpsam_app.recipe.pixels_sha256` and
        :func:`vrpsam_app.annotations.annotations_from_json`.

    Examples
    --------
    >>> import numpy as np
    >>> from vrpsam_app.annotations import Point
    >>> image = np.zeros((20, 30), np.uint8)
    >>> missed = {"cell": Corrections((Point(4, 5),))}
    >>> corrected = CorrectedTargets().with_target(image, missed)
    >>> list(corrected.of(image)), list(corrected.of(image + 1))
    (['cell'], [])
    """

    marks: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.marks)

    def with_target(self, image: NDArray[Any], corrections: Mapping[str, Corrections]) -> Self:
        """Return the same and the marks on one more target, by class.

        Raises
        ------
        ConfigError
            If they hold logits of an earlier answer, which a recipe has no place for.
        """
        if any(marks.mask_logits is not None for marks in corrections.values()):
            raise ConfigError(
                "The corrections hold mask_logits, which cannot be kept: expected annotations "
                "only. Draw what is wrong as points, scribbles, boxes or masks."
            )
        said = {
            label: annotations_to_json(marks.annotations)
            for label, marks in corrections.items()
            if marks.annotations
        }
        if not said:
            return self
        return type(self)({**self.marks, pixels_sha256(image): said})

    def of(self, image: NDArray[Any]) -> dict[str, Corrections]:
        """Return the marks on a target by class; nothing if it has none.

        Raises
        ------
        AnnotationError
            If they cannot be marks on a picture of this size.
        """
        found = self.marks.get(pixels_sha256(image), {}) if self.marks else {}
        hw = (image.shape[0], image.shape[1])
        return {
            label: Corrections(annotations_from_json(marks, hw)) for label, marks in found.items()
        }

    def count(self, targets: Sequence[TargetRecord]) -> int:
        """Count how many of the corrected targets are among those of a run."""
        return len(self.marks.keys() & {target.sha256 for target in targets})

    def to_json(self) -> dict[str, Any]:
        """Return the section of a recipe."""
        return {
            key: {label: [dict(mark) for mark in marks] for label, marks in classes.items()}
            for key, classes in self.marks.items()
        }

    @classmethod
    def from_json(cls, section: object) -> Self:
        """Read what :meth:`to_json` gave; the input may come from anyone.

        The marks themselves are checked by :meth:`of`, where the size of the picture is known.

        Raises
        ------
        ConfigError
            If it has another form.
        """
        marks: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for key, classes in json_object(section, SECTION).items():
            where = f"{SECTION}.{key[:16]}"
            marks[key] = {
                label: [
                    json_object(mark, f"{where}.{label}[{i}]")
                    for i, mark in enumerate(json_list(items, f"{where}.{label}", _MOST_MARKS))
                ]
                for label, items in json_object(classes, where).items()
            }
        return cls(marks)


NO_CORRECTIONS = CorrectedTargets()
