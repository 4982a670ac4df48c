"""Whole pictures squashed to a square, and pairs of them that show one class, as in the paper."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vrpsam_app.data.labelled_dataset import LabelledDataset, LabelledImage
from vrpsam_app.errors import ConfigError
from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.images import to_rgb

Order = Literal["class", "picture"]
"""What comes first: a random class, as for COCO-20i, or each picture in turn, as for PASCAL-5i."""

KEPT_BYTES = 1 << 28
"""Squashed pictures that each process keeps."""

# So many pairs may turn out to show nothing at the square's size before the data are refused.
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and a target that show a class.

    Attributes
    ----------
    class_id : 1 and up
    reference, target : numbers of pictures, of different fields of view
    """

    class_id: int
    reference: int
    target: int


class WholePictures:
    """Pairs of whole pictures of a data set.

    Parameters
    ----------
    dataset : LabelledDataset
    side : of the square that pictures are squashed to, in pixels
    order : "class" draws a class, then two pictures with it; "picture" takes each picture as target
        once an epoch, in an order of its own, and draws one of its classes and a reference
    least_area : pixels of its own size from which a class counts in a picture

    Attributes
    ----------
    targets : the pictures that can be a target

    Raises
    ------
    ConfigError
        If no class is shown by two fields of view.
    """

    def __init__(
        self,
        dataset: LabelledDataset,
        *,
        side: int = 512,
        order: Order = "class",
        least_area: int = 1,
    ) -> None:
        self.dataset = dataset
        self.side = side
        self.order = order
        self._kept: OrderedDict[int, LabelledImage] = OrderedDict()
        self._pools = _pools(dataset, least_area)
        if not self._pools:
            raise ConfigError(
                f"{dataset.name} has no class that two pictures of different fields show on "
                f"{least_area} pixels or more: a pair cannot be made. Add pictures."
            )
        shown: dict[int, list[tuple[str, int]]] = {}
        for key, members in self._pools.items():
            for index in members:
                shown.setdefault(index, []).append(key)
        self._shown = shown
        self.targets: tuple[int, ...] = tuple(sorted(shown))

    def draw(self, seed: int, number: int) -> tuple[Pair, np.random.Generator]:
        """Draw pair number `number` of a seed.

        Returns
        -------
        pair : Pair
            Both pictures show the class at the square's size.
        rng : numpy Generator
            For what else is to be drawn for the pair.

        Raises
        ------
        ConfigError
            If all objects are too small to be seen at that size.
        """
        rng = np.random.default_rng([seed, number])
        planned = self._planned(seed, number) if self.order == "picture" else None
        for _ in range(_TRIES):
            pair = self._pair(rng, planned)
            if all(
                (self.read(i).classes == pair.class_id).any() for i in (pair.target, pair.reference)
            ):
                return pair, rng
            planned = None
        raise ConfigError(
            f"{self.dataset.name}: {_TRIES} pairs in a row show nothing of their class at "
            f"{self.side} x {self.side} pixels. Leave small objects out, or use a larger square."
        )

    def read(self, index: int) -> LabelledImage:
        """Read and squash picture number `index`, or find it kept."""
        known = self._kept.get(index)
        if known is not None:
            self._kept.move_to_end(index)
            return known
        picture = squashed(self.dataset.load(index), self.side)
        self._kept[index] = picture
        each = self.side * self.side * 15  # colour, and three maps of four bytes
        while len(self._kept) > max(1, KEPT_BYTES // each):
            self._kept.popitem(last=False)
        return picture

    def _pair(self, rng: np.random.Generator, target: int | None) -> Pair:
        if target is None:
            keys = list(self._pools)
            key = keys[int(rng.integers(len(keys)))]
            members = self._pools[key]
            target = members[int(rng.integers(len(members)))]
        else:
            choices = self._shown[target]
            key = choices[int(rng.integers(len(choices)))]
            members = self._pools[key]
        field = self._field(target)
        while True:  # a pool shows two fields at least, so that this ends
            reference = members[int(rng.integers(len(members)))]
            if self._field(reference) != field:
                return Pair(key[1], reference, target)

    def _planned(self, seed: int, number: int) -> int:
        """Return the target of a pair by the order of its epoch."""
        epoch, place = divmod(number, len(self.targets))
        order = np.random.default_rng([seed, epoch, len(self.targets)]).permutation(self.targets)
        return int(order[place])

    def _field(self, index: int) -> str:
        return self.dataset.fields[self.dataset.names[index]]


def squashed(picture: LabelledImage, side: int) -> LabelledImage:
    """Bring a picture to a square in RGB, labels as torch's nearest neighbour takes them."""
    height, width = picture.classes.shape
    rows = (np.arange(side) * height // side)[:, None]
    cols = (np.arange(side) * width // side)[None, :]
    return replace(
        picture,
        image=resize_bilinear(to_rgb(picture.image), (side, side)),
        instances=picture.instances[rows, cols],
        classes=picture.classes[rows, cols],
        ignored=None if picture.ignored is None else picture.ignored[rows, cols],
    )


def _pools(dataset: LabelledDataset, least_area: int) -> Mapping[tuple[str, int], tuple[int, ...]]:
    """Return the pictures by group and class, where two fields of view show the class."""
    found: dict[tuple[str, int], list[int]] = {}
    for index, name in enumerate(dataset.names):
        for class_id, area in sorted(dataset.shown(index).items()):
            if area >= max(least_area, 1):
                found.setdefault((dataset.groups[name], class_id), []).append(index)
    return {
        key: tuple(members)
        for key, members in sorted(found.items())
        if len({dataset.fields[dataset.names[i]] for i in members}) >= 2
    }
