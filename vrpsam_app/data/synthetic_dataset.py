"""Procedural scenes as a data set: fixed ones, which no training run has seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from vrpsam_app.data.labelled_dataset import LabelledImage, class_areas, own_fields
from vrpsam_app.data.synthetic_scenes import SceneGroup, generate_group

# Training and its quick checks draw seeds below 2 ** 40.
FIRST_SEED = 1 << 41
# Groups kept once drawn; one of six pictures of 256 pixels takes 4 MB.
KEPT_GROUPS = 8


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SyntheticDataset:
    """Groups of procedural scenes; each group has classes of its own.

    Pictures of a group share their world and its look, and some lack a class that others show
    beside look-alikes of it. Classes without objects, such as ground, are background, so that every
    format of marks makes sense.

    Attributes
    ----------
    name, names, class_names, groups, fields, has_instances
        As in `LabelledDataset`; a picture is ``<group>/<number>``, a class ``<group>/<name>``.
    size : side of the pictures in pixels
    """

    name: str
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    groups: Mapping[str, str]
    fields: Mapping[str, str]
    has_instances: bool = True
    size: int
    _images: int
    _worlds: tuple[str, ...] | None
    _classes_of: tuple[dict[int, int], ...]  # per group: class of the scene -> class
    _shown: tuple[dict[int, int], ...]
    _kept: OrderedDict[int, SceneGroup] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def draw(
        cls,
        groups: int = 40,
        *,
        images: int = 6,
        size: int = 256,
        worlds: Collection[str] | None = None,
    ) -> SyntheticDataset:
        """Draw the scenes, about a tenth of a second a group.

        Parameters
        ----------
        groups : number of groups; the first ones do not depend on how many follow
        images : pictures of each
        size : side of the pictures in pixels
        worlds : names of worlds to choose from, all by default

        Raises
        ------
        ValueError
            If a number is too small or a world is unknown.
        """
        names: list[str] = []
        class_names: list[str] = []
        group_of: dict[str, str] = {}
        classes_of: list[dict[int, int]] = []
        shown: list[dict[int, int]] = []
        chosen = None if worlds is None else tuple(sorted(worlds))
        for number in range(groups):
            scene = generate_group(FIRST_SEED + number, size=size, images=images, worlds=chosen)
            key = f"{number:04d} {scene.world}"
            table: dict[int, int] = {}
            for value, label in enumerate(scene.class_names, start=1):
                if scene.has_instances[value - 1]:
                    class_names.append(f"{key}/{label}")
                    table[value] = len(class_names)
            classes_of.append(table)
            for image, classes in enumerate(scene.classes):
                areas = class_areas(classes.astype(np.int32))
                names.append(f"{key}/{image}")
                group_of[names[-1]] = key
                shown.append({table[v]: area for v, area in areas.items() if v in table})
        listed = tuple(names)
        return cls(
            name="synthetic",
            names=listed,
            class_names=tuple(class_names),
            groups=group_of,
            fields=own_fields(listed),
            size=size,
            _images=images,
            _worlds=chosen,
            _classes_of=tuple(classes_of),
            _shown=tuple(shown),
        )

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.names)

    def shown(self, index: int) -> Mapping[int, int]:
        """Return how many pixels each class has in picture `index`."""
        return self._shown[index]

    def load(self, index: int) -> LabelledImage:
        """Draw picture and labels number `index` again."""
        number, image = divmod(index, self._images)
        scene = self._scene(number)
        classes = np.zeros((self.size, self.size), np.int32)
        for value, class_id in self._classes_of[number].items():
            classes[scene.classes[image] == value] = class_id
        return LabelledImage(
            name=self.names[index],
            image=scene.images[image],
            instances=np.where(classes > 0, scene.instances[image], 0).astype(np.int32),
            classes=classes,
            class_names=self.class_names,
        )

    def _scene(self, number: int) -> SceneGroup:
        known = self._kept.get(number)
        if known is None:
            known = generate_group(
                FIRST_SEED + number, size=self.size, images=self._images, worlds=self._worlds
            )
            self._kept[number] = known
            while len(self._kept) > KEPT_GROUPS:
                self._kept.popitem(last=False)
        return known
