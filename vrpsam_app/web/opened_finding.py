"""A result that came with a project: its masks stay as they are until something else is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotation_types import check_same_size
from vrpsam_app.errors import ConfigError
from vrpsam_app.recipe import Recipe
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.run import recipe_path, take_result
from vrpsam_app.review.state import PictureState
from vrpsam_app.segmenter import Prediction
from vrpsam_app.web.marked import Asked
from vrpsam_app.web.pictures import Picture
from vrpsam_app.web.session import ClassFinding, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFinding(Finding):
    """What a project holds of one target.

    Parameters
    ----------
    project
        That was opened, in a folder of this visitor.
    picture
        As it knows the target.
    hw
        Height and width of the target in pixels.
    marks
        Hash of what was marked when it was opened.
    """

    project: ReviewProject
    picture: PictureState
    hw: tuple[int, int]
    marks: str

    @property
    def question(self) -> str | None:
        """Which question the model was asked for it; None if a person drew it, or nobody knows."""
        return None if self.picture.status == "fixed" else self.picture.question

    def recipe(self) -> Recipe | None:
        """Return that question as a recipe without targets, None if it cannot be read."""
        if self.question is None:
            return None
        try:
            return Recipe.load(recipe_path(self.project, self.question))
        except ConfigError:
            return None  # the masks are here all the same

    @classmethod
    def read(
        cls,
        project: ReviewProject,
        picture: PictureState,
        target: Picture,
        asked: Asked,
        specks: Mapping[str, object],
    ) -> OpenedFinding:
        """Keep what the page needs of a target's masks, and where they lie.

        Parameters
        ----------
        asked : by the page as it opens; a mask of a class that is not asked for is kept as well
        specks : by class, as the project holds them

        Raises
        ------
        ImageFileError, AnnotationError
            As for :meth:`at_full_size`.
        """
        masks = _read_masks(project, picture, target.hw)
        nothing = np.zeros(target.hw, np.bool_)
        classes = []
        for label in dict.fromkeys([*asked.labels, *masks]):
            said, speck = picture.classes.get(label), specks.get(label)
            kept = ClassFinding.from_mask(
                label,
                masks.get(label, nothing),
                target.preview_hw,
                score=1.0 if said is None else said.score,
                presence=1.0 if said is None else said.presence,
                speck=float(speck) if isinstance(speck, int | float) else 0.0,
            )
            classes.append(kept)
        return cls(
            tuple(classes),
            asked.corrected(target),
            project=project,
            picture=picture,
            hw=target.hw,
            marks=asked.marks,
        )

    def answers(self, asked: Asked, target: Picture) -> bool:
        """Tell whether the page still asks what it asked when this was opened."""
        same = self.marks == asked.marks and self.corrected == asked.corrected(target)
        return same and set(asked.labels) == {found.label for found in self.classes}

    def at_full_size(self, threshold: float) -> dict[str, Prediction]:
        """Return the classes with the masks of the project, the same at every threshold.

        Raises
        ------
        ImageFileError
            If a mask is missing or damaged.
        AnnotationError
            If a mask has another size than the target.
        """
        masks = _read_masks(self.project, self.picture, self.hw)
        nothing = np.zeros(self.hw, np.bool_)  # of a class that has no mask in the project
        return {
            found.label: found.with_mask(masks.get(found.label, nothing), threshold)
            for found in self.classes
        }

    def keep_in(self, project: ReviewProject, name: str) -> None:
        """Keep the result in a project where the picture has this name, and no result yet."""
        take_result(project, name, self.project, self.picture)


def _read_masks(
    project: ReviewProject, picture: PictureState, hw: tuple[int, int]
) -> dict[str, NDArray[np.bool_]]:
    masks = project.masks_of(picture)
    for label, mask in masks.items():
        check_same_size(mask.shape, hw, f"The mask of {label!r}", picture.name)
    return masks
