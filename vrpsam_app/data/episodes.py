"""Groups of views cut from labelled pictures: real ones in the shape of synthetic groups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vrpsam_app.data.folder_dataset import FolderDataset, Split
from vrpsam_app.data.labelled_dataset import EVERY_CLASS, LabelledDataset
from vrpsam_app.data.synthetic_scenes import SceneGroup
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import to_rgb

# After zooming, the typical object of the wanted class measures this many pixels across.
OBJECT_SIDE = (6.0, 100.0)
# No view is enlarged more than this: it would show only interpolation.
MAX_ZOOM = 3.0
MAX_STUFF_ZOOM = 1.5
# A class must cover this many pixels of a picture to be asked for there.
MIN_AREA = 30
# Pictures longer than this are read smaller.
LONGEST_SIDE = 512
# Read pictures are kept up to this size in all.
KEPT_BYTES = 1 << 30

Box = tuple[int, int, int, int]  # top, left, bottom, right


class View(NamedTuple):
    """Pixels and labels of a picture or of a part of one.

    Attributes
    ----------
    image : shape (H, W, 3)
    instances, classes, ignored : shape (H, W)
        As in `LabelledImage`; `ignored` is None where every pixel counts.
    """

    image: NDArray[np.uint8]
    instances: NDArray[np.int32]
    classes: NDArray[np.uint16]
    ignored: NDArray[np.int16] | None

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(array.nbytes for array in self if array is not None)


class FolderGroups:
    """Draws groups of views that show the same class from a data set.

    Pictures stay in memory once read, up to 1 GiB, as 8-bit arrays with a long side of at most 512
    pixels.

    Parameters
    ----------
    folder : labelled folder, see `FolderDataset`, or an opened data set
    split : "train", "val" or None, of a folder
    one_image : whether each picture is a class of its own, so that all views of a group are
        disjoint parts of one picture
    upright : whether views are only mirrored, not turned (photographs)
    absent_share : share of groups in which one picture after the first lacks the wanted class

    Raises
    ------
    ConfigError
        If no class has enough pictures to make a pair.
    """

    def __init__(
        self,
        folder: str | Path | LabelledDataset,
        *,
        split: Split | None = "train",
        one_image: bool = False,
        upright: bool = False,
        absent_share: float = 0.1,
    ) -> None:
        self.dataset: LabelledDataset = (
            FolderDataset.open(folder, split) if isinstance(folder, str | Path) else folder
        )
        self.one_image = one_image
        self.upright = upright
        self.absent_share = absent_share
        self._kept: OrderedDict[int, View] = OrderedDict()
        self._kept_bytes = 0
        self._pools = self._index()
        if not self._pools:
            raise ConfigError(
                f"{self.dataset.name} has no class with "
                f"{'a picture' if one_image else 'pictures of two fields'} to make a pair of: "
                "add pictures, or make each a class of its own: one_image=True, which is "
                "--one-image, or the word one-image behind a folder of --data."
            )

    def _index(self) -> dict[tuple[str, int], list[int]]:
        """Pictures by group and class, for those with which a pair can be made."""
        pools: dict[tuple[str, int], list[int]] = {}
        for index, name in enumerate(self.dataset.names):
            areas = self.dataset.shown(index)
            for class_id in sorted(areas):
                if areas[class_id] >= MIN_AREA:
                    pools.setdefault((self.dataset.groups[name], class_id), []).append(index)
        if self.one_image:
            return pools
        return {
            key: members
            for key, members in pools.items()
            if len({self._field(index) for index in members}) >= 2
        }

    def sample(self, rng: np.random.Generator, size: int = 192, images: int = 3) -> SceneGroup:
        """Draw a group of views.

        Parameters
        ----------
        rng : generator
        size : side of the views in pixels
        images : number of views; no two of them overlap

        Returns
        -------
        group : SceneGroup
            Class 1 is the wanted one; the others are those that show up beside it.
        """
        keys = list(self._pools)
        # Frequent classes are drawn more often, but less than in proportion.
        weight = np.sqrt([len(self._pools[key]) for key in keys])
        group, wanted = keys[int(rng.choice(len(keys), p=weight / weight.sum()))]
        members = self._pools[group, wanted]
        if self.one_image:
            index = members[int(rng.integers(len(members)))]
            places = [(index, part) for part in self._parts(rng, index, wanted, images)]
        else:
            places = self._pictures(rng, group, wanted, images)
        zoom, across = self._zoom(rng, *places[0], wanted, size)
        views: list[View] = []
        for index, part in places:
            # Objects come out about as large in all views, give or take a factor of 1.6.
            here = self._across(index, part, wanted)
            factor = across / here if across and here else 1.0
            factor *= float(np.exp(rng.uniform(-0.47, 0.47))) if views else 1.0
            views.append(self._view(rng, index, part, wanted, size, zoom * factor))
        return self._as_group(views, wanted)

    def _pictures(
        self, rng: np.random.Generator, group: str, wanted: int, images: int
    ) -> list[tuple[int, Box]]:
        """Choose pictures of different fields; where there are too few, parts of the same ones."""
        members = self._pools[group, wanted]
        chosen: list[int] = []
        fields: set[str] = set()
        for index in rng.permutation(members).tolist():
            if self._field(index) not in fields and len(chosen) < images:
                chosen.append(index)
                fields.add(self._field(index))
        places = [(index, self._whole(index)) for index in chosen]
        if len(chosen) < images:
            # Views of one picture are disjoint, whichever picture has to serve twice.
            each = -(-images // len(chosen))
            places = [(i, p) for i in chosen for p in self._parts(rng, i, wanted, each)][:images]
        elif images > 1 and rng.random() < self.absent_share:
            lacking = self._lacking(rng, group, wanted, fields)
            if lacking is not None:
                places[int(rng.integers(1, images))] = (lacking, self._whole(lacking))
        return places

    def _lacking(
        self, rng: np.random.Generator, group: str, wanted: int, fields: set[str]
    ) -> int | None:
        """Find a picture of the group without the class, with a few tries."""
        for index in rng.integers(0, len(self.dataset), 8).tolist():
            same = self.dataset.groups[self.dataset.names[index]] == group
            if not same or self._field(index) in fields:
                continue
            if wanted not in self.dataset.shown(index):
                return index
        return None

    def _parts(self, rng: np.random.Generator, index: int, wanted: int, count: int) -> list[Box]:
        """Cut a picture into equal parts and return `count`, rather those with the class."""
        classes = self._read(index).classes
        height, width = classes.shape
        grids = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 2), (2, 3), (3, 2), (3, 3)]
        grids += [(n, n) for n in range(4, 2 + int(np.sqrt(count)))]
        rows, cols = max(
            (grid for grid in grids if grid[0] * grid[1] >= count),
            key=lambda grid: min(height // grid[0], width // grid[1]),
        )
        boxes = [
            (
                row * height // rows,
                col * width // cols,
                (row + 1) * height // rows,
                (col + 1) * width // cols,
            )
            for row in range(rows)
            for col in range(cols)
        ]
        order = rng.permutation(len(boxes)).tolist()
        area = [int((classes[t:b, x:r] == wanted).sum()) for t, x, b, r in boxes]
        # Most of the class first: the first view of a group is the one that has to show it.
        first = max(order, key=lambda i: area[i])
        others = sorted((i for i in order if i != first), key=lambda i: area[i] < MIN_AREA)
        return [boxes[i] for i in [first, *others][:count]]

    def _across(self, index: int, part: Box, wanted: int) -> float:
        """Side of the typical object of a class in a part, in pixels; 0 where there are none."""
        if not self.dataset.has_instances:
            return 0.0
        top, left, bottom, right = part
        _, instances, classes, _ = self._read(index)
        here = classes[top:bottom, left:right] == wanted
        areas = np.bincount(instances[top:bottom, left:right][here])
        return float(np.sqrt(np.median(areas[areas > 0]))) if areas.any() else 0.0

    def _zoom(
        self, rng: np.random.Generator, index: int, part: Box, wanted: int, size: int
    ) -> tuple[float, float]:
        """Draw a magnification that gives the objects of the class a sensible size.

        Returns it with the side of the typical object before zooming, 0 for stuff.
        """
        top, left, bottom, right = part
        across = self._across(index, part, wanted)
        lowest = size / min(bottom - top, right - left)
        low, high = lowest, MAX_STUFF_ZOOM
        if across:
            low = max(lowest, OBJECT_SIDE[0] / across)
            high = min(MAX_ZOOM, OBJECT_SIDE[1] / across)
        if low >= high:
            # Objects too large, or too small, for any allowed zoom: as near as it gets.
            return max(lowest, high), across
        return float(np.exp(rng.uniform(np.log(low), np.log(high)))), across

    def _view(
        self, rng: np.random.Generator, index: int, part: Box, wanted: int, size: int, zoom: float
    ) -> View:
        """Cut a square with an object of the class, if there is one, and bring it to `size`."""
        top, left, bottom, right = part
        picture, instances, classes, ignored = self._read(index)
        side = min(size / min(zoom, 2.0 * MAX_ZOOM), float(bottom - top), float(right - left))
        here = classes[top:bottom, left:right] == wanted
        corner = rng.uniform(0.0, 1.0, 2) * (bottom - top - side, right - left - side)
        if here.any():
            spot = _random_spot(rng, instances[top:bottom, left:right] * here, here)
            room = (bottom - top - side, right - left - side)
            corner = np.clip(spot - rng.uniform(0.2, 0.8, 2) * side, 0.0, room)
        y, x = float(top + corner[0]), float(left + corner[1])
        image = Image.fromarray(picture).resize(
            (size, size), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side)
        )
        step = (np.arange(size) + 0.5) * (side / size)
        rows = np.minimum((y + step).astype(np.intp), len(classes) - 1)[:, None]
        cols = np.minimum((x + step).astype(np.intp), classes.shape[1] - 1)[None, :]
        turned = _turn(rng, self.upright)
        return View(
            turned(np.asarray(image)),
            turned(instances[rows, cols].astype(np.int32)),
            turned(classes[rows, cols]),
            None if ignored is None else turned(ignored[rows, cols]),
        )

    def _as_group(self, views: Sequence[View], wanted: int) -> SceneGroup:
        original = np.stack([view.classes for view in views])
        shown = np.flatnonzero(np.bincount(original.ravel())).tolist()
        beside = [c for c in shown if c not in (0, wanted)]
        order = [wanted, *beside[:254]]
        table = np.zeros(int(original.max(initial=wanted)) + 1, np.uint8)
        table[order] = np.arange(1, len(order) + 1)
        classes = table[original]
        instances = np.stack([view.instances for view in views])
        return SceneGroup(
            images=np.stack([view.image for view in views]),
            instances=np.where(classes > 0, instances, 0).astype(np.int32),
            classes=classes,
            class_names=tuple(self.dataset.class_names[c - 1] for c in order),
            world=self.dataset.name,
            has_instances=(self.dataset.has_instances,) * len(order),
            ignored=_renumbered([view.ignored for view in views], order),
        )

    def _field(self, index: int) -> str:
        return self.dataset.fields[self.dataset.names[index]]

    def _whole(self, index: int) -> Box:
        return (0, 0, *self._read(index).classes.shape)

    def _read(self, index: int) -> View:
        """Read picture and labels, with a long side of at most 512, or find them kept."""
        known = self._kept.get(index)
        if known is not None:
            self._kept.move_to_end(index)
            return known
        loaded = self.dataset.load(index)
        image, instances, classes = to_rgb(loaded.image), loaded.instances, loaded.classes
        ignored = loaded.ignored if loaded.ignored is not None and loaded.ignored.any() else None
        step = max(classes.shape) / LONGEST_SIDE
        if step > 1.0:
            rows, cols = (
                ((np.arange(int(side / step)) + 0.5) * step).astype(np.intp)
                for side in classes.shape
            )
            instances = instances[rows[:, None], cols[None, :]]
            classes = classes[rows[:, None], cols[None, :]]
            ignored = None if ignored is None else ignored[rows[:, None], cols[None, :]]
            small = Image.fromarray(image).resize((len(cols), len(rows)), Image.Resampling.BOX)
            image = np.array(small)
        view = View(
            image,
            instances,
            classes.astype(np.uint16),
            None if ignored is None else ignored.astype(np.int16),
        )
        self._kept[index] = view
        self._kept_bytes += view.nbytes
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return view


def _renumbered(
    maps: Sequence[NDArray[np.int16] | None], order: Sequence[int]
) -> NDArray[np.int16] | None:
    """Give undecided pixels the group's class numbers; None where all maps are empty."""
    there = [m for m in maps if m is not None and m.any()]
    if not there:
        return None
    table = np.full(max(int(m.max()) for m in there) + 2, len(order) + 1, np.int16)
    table[0], table[-1] = 0, EVERY_CLASS  # the last entry is the one that index -1 finds
    for number, class_id in enumerate(order, start=1):
        if class_id < len(table) - 1:
            table[class_id] = number
    shape = there[0].shape
    return np.stack([table[m] if m is not None else np.zeros(shape, np.int16) for m in maps])


def _random_spot(
    rng: np.random.Generator, numbered: NDArray[np.int32], here: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Choose a pixel (row, col) of the class: of a random object, where there are objects."""
    numbers = np.flatnonzero(np.bincount(numbered.ravel())[1:]) + 1
    if len(numbers):
        here = numbered == numbers[int(rng.integers(len(numbers)))]
    spots = np.flatnonzero(here)
    spot = int(spots[int(rng.integers(len(spots)))])
    return np.array(divmod(spot, here.shape[1]))


def _turn(rng: np.random.Generator, upright: bool) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Draw a mirroring and, unless upright, quarter turns; every array is treated alike."""
    mirror = bool(rng.random() < 0.5)
    quarters = 0 if upright else int(rng.integers(4))

    def turned(array: NDArray[Any]) -> NDArray[Any]:
        array = np.rot90(array, quarters)
        return array[:, ::-1] if mirror else array

    return turned
