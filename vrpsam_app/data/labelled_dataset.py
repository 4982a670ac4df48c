"""What every data set offers, whatever its files: pictures, labels, what may be paired."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError
from vrpsam_app.image_files import read_image

# Value of `Labels.ignored` where nothing is known about any class.
EVERY_CLASS = -1


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What each pixel of a picture is.

    Attributes
    ----------
    instances : shape (H, W), int32
        Number of the object; 0 for background, and everywhere where there are no objects.
    classes : shape (H, W), int32
        Class of the pixel, 1 and up; 0 is background.
    ignored : shape (H, W), int32, or None where every pixel counts
        0 where the labels count; -1 where nothing is known, as on VOC's borders; a class where the
        pixel may belong to that class without being labelled so, as in COCO's crowds.
    """

    instances: NDArray[np.int32]
    classes: NDArray[np.int32]
    ignored: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One picture with its labels.

    Attributes
    ----------
    name : its name in the data set
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        As its file has it: who pairs pictures brings them to RGB by the range that they share.
    instances, classes, ignored
        As in :class:`Labels`.
    class_names : name of each class, that of class 1 first
    """

    name: str
    image: NDArray[Any]
    instances: NDArray[np.int32]
    classes: NDArray[np.int32]
    class_names: tuple[str, ...]
    ignored: NDArray[np.int32] | None = None

    def ignored_for(self, class_id: int) -> NDArray[np.bool_]:
        """Return where nobody knows whether a pixel belongs to a class, shape (H, W), bool."""
        if self.ignored is None:
            return np.zeros(self.classes.shape, np.bool_)
        unknown: NDArray[np.bool_] = (self.ignored == EVERY_CLASS) | (self.ignored == class_id)
        return unknown & (self.classes != class_id)


class LabelledDataset(Protocol):
    """Pictures with labels; training and evaluation take any that satisfies this.

    Attributes
    ----------
    name : what reports call it
    names : the pictures, in a fixed order; the name, not the place, says which one is meant
    class_names : class 1 first
    groups : for each name, which pictures it may be paired with (same group)
    fields : for each name, the field of view; pictures of one field may overlap
    has_instances : whether the labels tell objects of a class apart
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def groups(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def fields(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def has_instances(self) -> bool: ...  # noqa: D102

    def __len__(self) -> int:
        """Count the pictures."""
        ...

    def load(self, index: int) -> LabelledImage:
        """Read picture and labels number `index`."""
        ...

    def shown(self, index: int) -> Mapping[int, int]:
        """Return how many pixels each class has in picture `index`; a class it lacks is no key.

        A class that is there without pixels of its own, as in a crowd, has 0.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelledFiles(ABC):
    """Base of data sets with a picture file and labels for each name.

    Attributes
    ----------
    name, names, class_names, groups, fields, has_instances
        As in :class:`LabelledDataset`.
    """

    name: str
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    groups: Mapping[str, str]
    fields: Mapping[str, str]
    has_instances: bool
    _shown: dict[int, Mapping[int, int]] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.names)

    @abstractmethod
    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""

    @abstractmethod
    def label_path(self, index: int) -> Path:
        """Return the file with the labels of picture `index`, for messages."""

    @abstractmethod
    def labels(self, index: int) -> Labels:
        """Read the labels of picture number `index`."""

    def load(self, index: int) -> LabelledImage:
        """Read picture and labels number `index`.

        Raises
        ------
        ImageFileError
            If a file cannot be read.
        ImageError
            If picture and labels differ in size.
        """
        labels = self.labels(index)
        image = read_image(self.image_path(index))
        if image.shape[:2] != labels.classes.shape:
            raise ImageError(
                f"{self.label_path(index)} has shape {labels.classes.shape}, its picture "
                f"{self.image_path(index).name} {image.shape[:2]}: save the labels at the size of "
                "the picture."
            )
        return LabelledImage(
            name=self.names[index],
            image=image,
            instances=labels.instances,
            classes=labels.classes,
            class_names=self.class_names,
            ignored=labels.ignored,
        )

    def shown(self, index: int) -> Mapping[int, int]:
        """Return how many pixels each class has in picture `index`; read once, then known."""
        known = self._shown.get(index)
        if known is None:
            known = class_areas(self.labels(index).classes)
            self._shown[index] = known
        return known


def class_areas(classes: NDArray[np.int32]) -> dict[int, int]:
    """Return the number of pixels of each class that is there, background left out.

    Parameters
    ----------
    classes : shape (H, W), 0 is background
    """
    areas = np.bincount(classes.ravel())
    return {int(c): int(areas[c]) for c in np.flatnonzero(areas) if c}


def ungrouped(names: tuple[str, ...]) -> dict[str, str]:
    """Return groups for pictures any two of which may be paired."""
    return dict.fromkeys(names, "")


def own_fields(names: tuple[str, ...]) -> dict[str, str]:
    """Return fields of view for pictures no two of which overlap."""
    return {name: name for name in names}
