"""Groups of procedural pictures in which every object is labelled: an endless source of classes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data import (
    cell_worlds,
    compound_worlds,
    drawn_worlds,
    everyday_worlds,
    ground_worlds,
    specimen_worlds,
    thin_worlds,
)
from vrpsam_app.data.labelled_dataset import EVERY_CLASS
from vrpsam_app.data.scene_canvas import Canvas, SceneWorld, View
from vrpsam_app.data.scene_imaging import Look, photograph, random_look

WorldBuilder = Callable[[np.random.Generator], SceneWorld]

# How often each world is drawn. Look-alikes take a fifth: they are what a reference is needed for.
WORLDS: dict[str, tuple[WorldBuilder, float]] = {
    "look_alikes": (everyday_worlds.look_alikes, 7.0),
    "shapes": (everyday_worlds.shapes, 2.5),
    "coins": (everyday_worlds.coins, 1.0),
    "leaves": (everyday_worlds.leaves, 1.0),
    "glyphs": (drawn_worlds.glyphs, 0.7),
    "landscape": (everyday_worlds.landscape, 1.2),
    "scribbled_lines": (drawn_worlds.scribbled_lines, 0.7),
    "creatures": (compound_worlds.creatures, 1.6),
    "land_from_above": (compound_worlds.land_from_above, 1.0),
    "bubbles": (compound_worlds.bubbles, 1.0),
    "nuclei": (cell_worlds.nuclei, 1.4),
    "phase_cells": (cell_worlds.phase_cells, 1.2),
    "stained_tissue": (cell_worlds.stained_tissue, 1.2),
    "blood_smear": (cell_worlds.blood_smear, 1.0),
    "epithelium": (cell_worlds.epithelium, 0.8),
    "membranes": (thin_worlds.membranes, 1.2),
    "axons": (thin_worlds.axons, 1.0),
    "fibres": (thin_worlds.fibres, 1.0),
    "vessels": (thin_worlds.vessels, 1.2),
    "regions": (ground_worlds.regions, 1.6),
    "lesions": (ground_worlds.lesions, 0.9),
    "slices": (ground_worlds.slices, 0.9),
    "particles": (ground_worlds.particles, 1.4),
}

# What is learned from besides. Measured are the worlds above alone, the same ones at all times.
SPECIMENS: dict[str, tuple[WorldBuilder, float]] = {
    "leukocyte": (specimen_worlds.leukocyte, 2.0),
    "fundus": (specimen_worlds.fundus, 2.0),
    "phase_contrast": (specimen_worlds.phase_contrast, 2.0),
    "nerve_section": (specimen_worlds.nerve_section, 1.2),
}
ALL_WORLDS = WORLDS | SPECIMENS


@dataclass(frozen=True, slots=True, eq=False)
class SceneGroup:
    """Pictures that show the same classes under varying conditions: references and targets.

    Attributes
    ----------
    images : shape (N, S, S, 3), uint8
    instances : shape (N, S, S), int32
        Number of the object, unique within its image; 0 for background and for stuff.
    classes : shape (N, S, S), uint8
        Class of the pixel, 1..K with the same meaning in all images; 0 is background.
    class_names : tuple of K names, that of class 1 first
    world : its name in `ALL_WORLDS`, or the folder that the pictures come from
    has_instances : tuple of K flags; where False the class is stuff and its instances are 0
    ignored : shape (N, S, S), int16, or None where every pixel counts
        0 where the labels count; -1 where nothing is known; a class where the pixel may belong to
        it without being labelled so, K + 1 standing for every class that the group does not name.
    """

    images: NDArray[np.uint8]
    instances: NDArray[np.int32]
    classes: NDArray[np.uint8]
    class_names: tuple[str, ...]
    world: str
    has_instances: tuple[bool, ...]
    ignored: NDArray[np.int16] | None = None

    def shows(self, image: int, wanted: int) -> NDArray[np.bool_]:
        """Return where a picture shows a class, or with 0 what is surely background, (S, S)."""
        shown: NDArray[np.bool_] = self.classes[image] == wanted
        if wanted == 0 and self.ignored is not None:
            shown &= self.ignored[image] == 0
        return shown

    def unknown(self, image: int, wanted: int) -> NDArray[np.bool_] | None:
        """Return where nobody knows whether a picture shows a class, (S, S); None if nowhere."""
        if self.ignored is None:
            return None
        ignored = self.ignored[image]
        if wanted == 0:
            unknown: NDArray[np.bool_] = ignored != 0
        else:
            unknown = (ignored == EVERY_CLASS) | (ignored == wanted)
            unknown &= self.classes[image] != wanted
        return unknown if unknown.any() else None


def generate_group(
    seed: int, *, size: int = 192, images: int = 3, worlds: Collection[str] | None = None
) -> SceneGroup:
    """Draw a group of scenes; the same seed gives the same group.

    Parameters
    ----------
    seed : 0 or more
    size : side of the square pictures in pixels, at least 32
    images : number of pictures; the first ones do not depend on how many follow
    worlds : names of `ALL_WORLDS` to choose from, those of `WORLDS` by default

    Returns
    -------
    group : SceneGroup
        The first picture shows every class that the world could place.

    Raises
    ------
    ValueError
        If `size` or `images` is too small, or a world is unknown.

    Examples
    --------
    >>> group = generate_group(7, size=64, images=2)
    >>> group.images.shape
    (2, 64, 64, 3)
    """
    if size < 32 or images < 1:
        raise ValueError(
            f"A group of {images} images of {size} px cannot be drawn: "
            "ask for at least one image of at least 32 px."
        )
    names = sorted(WORLDS if worlds is None else worlds)
    unknown = [name for name in names if name not in ALL_WORLDS]
    if unknown or not names:
        raise ValueError(
            f"Worlds {unknown or names} cannot be drawn: choose among "
            f"{', '.join(sorted(ALL_WORLDS))}."
        )
    root = np.random.SeedSequence(seed)
    rng = np.random.default_rng(root)
    weights = np.array([ALL_WORLDS[name][1] for name in names])
    chosen = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    world = ALL_WORLDS[chosen][0](rng)
    look = random_look(rng, world.grey_share)
    drawn = []
    for index, shot in enumerate(root.spawn(images)):
        drawn.append(_draw_image(world, look, np.random.default_rng(shot), size, index == 0))
    pictures, numbers, kinds = zip(*drawn, strict=True)
    return SceneGroup(
        images=np.stack(pictures),
        instances=np.stack(numbers),
        classes=np.stack(kinds),
        class_names=tuple(scene_class.name for scene_class in world.classes),
        world=chosen,
        has_instances=tuple(scene_class.instances for scene_class in world.classes),
    )


def _draw_image(
    world: SceneWorld, look: Look, rng: np.random.Generator, size: int, complete: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8]]:
    absent: frozenset[int] = frozenset()
    if not complete and len(world.classes) > 1 and rng.random() < 0.2:
        absent = frozenset({int(rng.integers(1, len(world.classes) + 1))})
    view = View(
        size=size,
        scale=1.0 if complete else float(np.exp(rng.uniform(np.log(0.6), np.log(1.6)))),
        density=float(np.exp(rng.uniform(np.log(0.5), np.log(1.6)))),
        absent=absent,
    )
    canvas = Canvas(size)
    world.draw(canvas, rng, view)
    return photograph(canvas.rgb, look, rng), canvas.instances, canvas.classes
