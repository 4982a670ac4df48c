"""Procedural scenes in the place of COCO and PASCAL: classes in four folds, pictures in memory.

What COCO's 80 classes are, here sixteen worlds are; every fourth one is novel in a fold. Twelve of
them stand for PASCAL, three in a row novel in a fold, and are seen from nearer. A class is what a
world calls its objects, such as ``coins/1``; their look is drawn anew for each group of pictures,
and a reference is always one of the target's group. Ground, tissue and other stuff is background.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.class_folds import FOLDS, checked_fold
from vrpsam_app.data.labelled_dataset import LabelledImage, class_areas
from vrpsam_app.data.synthetic_scenes import generate_group
from vrpsam_app.errors import ConfigError
from vrpsam_app.reproduction.experiments import Benchmark, Test

# Things that are wider than a cell of a small SAM's embedding: neither threads nor regions.
COCO_WORLDS: tuple[str, ...] = (
    "axons", "blood_smear", "bubbles", "coins",
    "creatures", "glyphs", "land_from_above", "leaves",
    "lesions", "look_alikes", "nuclei", "particles",
    "phase_cells", "shapes", "slices", "stained_tissue",
)  # fmt: skip
PASCAL_WORLDS: tuple[str, ...] = (
    "blood_smear", "bubbles", "coins",
    "creatures", "glyphs", "leaves",
    "lesions", "look_alikes", "nuclei",
    "particles", "shapes", "slices",
)  # fmt: skip
_WORLDS_OF: Mapping[Benchmark, tuple[str, ...]] = {
    "coco20i": COCO_WORLDS,
    "pascal5i": PASCAL_WORLDS,
}
NEARNESS: Mapping[Benchmark, float] = {"coco20i": 2.0, "pascal5i": 2.5}
"""Side of the scene that a picture is the middle of, as a multiple of the picture's side.

Most objects of whole scenes are smaller than three cells of the small SAM's embedding."""

AREA_SHARE = 2 * (32 / 512) ** 2
"""Share of a picture from which a class counts in it: 2048 pixels of 512 x 512, as published."""


def novel_worlds(test: Test, fold: int) -> tuple[str, ...]:
    """Return the worlds whose classes are asked for and that no model of the fold learns from.

    Parameters
    ----------
    test : for ``coco_to_pascal`` those that stand for PASCAL and that a model of COCO's fold has
        not seen
    fold : 0 to 3

    Examples
    --------
    >>> novel_worlds("pascal5i", 0)
    ('blood_smear', 'bubbles', 'coins')
    """
    if test == "coco_to_pascal":
        unseen = novel_worlds("coco20i", fold)
        return tuple(world for world in PASCAL_WORLDS if world in unseen)
    if test == "coco20i":
        return COCO_WORLDS[checked_fold(fold) :: FOLDS]
    count = len(PASCAL_WORLDS) // FOLDS
    return PASCAL_WORLDS[count * checked_fold(fold) : count * (fold + 1)]


def base_worlds(benchmark: Benchmark, fold: int) -> tuple[str, ...]:
    """Return the worlds that a model of a fold learns from."""
    held_out = novel_worlds(benchmark, fold)
    return tuple(world for world in _WORLDS_OF[benchmark] if world not in held_out)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScenePictures:
    """Groups of scenes as a data set.

    Attributes
    ----------
    name, names, class_names, groups, fields, has_instances
        As in `LabelledDataset`; a picture is ``<world>/<group>/<number>``.
    images : shape (N, S, S, 3), uint8
    instances, classes : shape (N, S, S), int16
        0 where there is no object.
    """

    name: str
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    groups: Mapping[str, str]
    fields: Mapping[str, str]
    has_instances: bool = True
    images: NDArray[np.uint8]
    instances: NDArray[np.int16]
    classes: NDArray[np.int16]
    _shown: list[dict[int, int]] = field(repr=False)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.names)

    def shown(self, index: int) -> Mapping[int, int]:
        """Return how many pixels each class that counts has in picture `index`."""
        return self._shown[index]

    def load(self, index: int) -> LabelledImage:
        """Return picture and labels number `index`."""
        return LabelledImage(
            name=self.names[index],
            image=self.images[index],
            instances=self.instances[index].astype(np.int32),
            classes=self.classes[index].astype(np.int32),
            class_names=self.class_names,
        )

    def of_worlds(self, worlds: Collection[str], name: str) -> ScenePictures:
        """Return the pictures of some worlds, under another name."""
        kept = [i for i, picture in enumerate(self.names) if picture.split("/")[0] in worlds]
        names = tuple(self.names[i] for i in kept)
        return ScenePictures(
            name=name,
            names=names,
            class_names=self.class_names,
            groups={n: self.groups[n] for n in names},
            fields={n: n for n in names},
            images=self.images[kept],
            instances=self.instances[kept],
            classes=self.classes[kept],
            _shown=[self._shown[i] for i in kept],
        )


def draw_scenes(
    name: str,
    worlds: Sequence[str],
    *,
    groups: int,
    images: int,
    size: int,
    first_seed: int,
    nearness: float = 1.0,
    least_area: int = 1,
) -> ScenePictures:
    """Draw scenes of some worlds, which take turns.

    Parameters
    ----------
    name : of the data set
    worlds : names of `vrpsam_app.data.synthetic_scenes.WORLDS`, none twice
    groups : number of groups; the first ones do not depend on how many follow
    images : pictures of each group
    size : side of the pictures in pixels
    first_seed : of the first group; the others' follow
    nearness : a picture is the middle of a scene so many times as large
    least_area : pixels from which a class counts as shown by a picture

    Raises
    ------
    ConfigError
        If there are too few groups for every world to have one.
    """
    if groups < len(worlds):
        raise ConfigError(
            f"{groups} groups of scenes are too few for {len(worlds)} worlds: ask for at least one "
            "of each."
        )
    names: list[str] = []
    number_of: dict[str, int] = {}
    pictures, instances, classes = [], [], []
    scene_side = round(size * nearness)
    margin = (scene_side - size) // 2
    window = slice(margin, margin + size)
    for k in range(groups):
        scene = generate_group(
            first_seed + k, size=scene_side, images=images, worlds=[worlds[k % len(worlds)]]
        )
        table = np.zeros(len(scene.class_names) + 1, np.int16)
        for value, word in enumerate(scene.class_names, start=1):
            if scene.has_instances[value - 1]:
                label = _class_of(scene.world, word)
                table[value] = number_of.setdefault(label, len(number_of) + 1)
        shown = table[scene.classes[:, window, window]]
        names += [f"{scene.world}/{k:04d}/{i}" for i in range(images)]
        pictures.append(scene.images[:, window, window])
        instances.append(np.where(shown > 0, scene.instances[:, window, window], 0))
        classes.append(shown)
    all_classes = np.concatenate(classes)
    return ScenePictures(
        name=name,
        names=tuple(names),
        class_names=tuple(number_of),
        groups={n: n.rpartition("/")[0] for n in names},
        fields={n: n for n in names},
        images=np.ascontiguousarray(np.concatenate(pictures)),
        instances=np.concatenate(instances).astype(np.int16),
        classes=all_classes,
        _shown=[
            {c: n for c, n in class_areas(labels.astype(np.int32)).items() if n >= least_area}
            for labels in all_classes
        ],
    )


def _class_of(world: str, word: str) -> str:
    """Name a class by what it is in every group: what is drawn by chance is left out.

    ``leaf 1`` may be a drop in the next group and ``first size`` a ``first hole``.
    """
    kind, _, number = word.rpartition(" ")
    if kind and number.isdecimal():
        return f"{world}/{number}"
    which, _, _ = word.partition(" ")
    return f"{world}/{which if which in ('first', 'second') else word}"
