"""The sheet a scene is painted on: its picture, and the object and class of every pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.data.scene_shapes import (
    Patch,
    ShapeFamily,
    Vertices,
    polygon_patch,
)
from vrpsam_app.data.scene_textures import FloatArray, Texture


@dataclass(frozen=True, slots=True)
class SceneClass:
    """A class of a world; without instances it is stuff, such as fibres in a net or a region."""

    name: str
    instances: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """How one image of a group differs from the others in what it shows.

    `scale` multiplies sizes, `density` counts, and classes named in `absent` are not drawn.
    """

    size: int
    scale: float = 1.0
    density: float = 1.0
    absent: frozenset[int] = frozenset()

    def count(self, rng: np.random.Generator, typical: float, class_id: int = 0) -> int:
        """Draw the number of objects of a class: 0 where it is absent, else at least 1."""
        if class_id in self.absent:
            return 0
        many = typical * self.density * rng.uniform(0.7, 1.3) / max(1.0, self.scale) ** 1.2
        return max(1, round(many))


@dataclass(frozen=True, slots=True)
class SceneWorld:
    """One kind of scene with its parameters fixed: `draw` paints a view of it on a canvas."""

    classes: tuple[SceneClass, ...]
    draw: Callable[[Canvas, np.random.Generator, View], None]
    grey_share: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What the surface of an object looks like.

    `edge` brightens (or darkens, below 0) toward the border, `light` shades from one side,
    `vary` is the deviation of brightness between objects and `tint` that of their colour, `rim` a
    border of `rim_colour` as a share of the object's depth.
    """

    texture: Texture
    edge: float = 0.0
    light: float = 0.0
    vary: float = 0.0
    tint: float = 0.0
    opacity: float = 1.0
    rim: float = 0.0
    rim_colour: FloatArray | None = None


class Canvas:
    """Picture and labels of one scene while it is painted.

    Attributes
    ----------
    rgb : shape (S, S, 3), float32 around [0, 1]
    instances : shape (S, S), int32, 0 where there is no object
    classes : shape (S, S), uint8, 0 where there is background
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.rgb: FloatArray = np.zeros((size, size, 3), np.float32)
        self.instances: NDArray[np.int32] = np.zeros((size, size), np.int32)
        self.classes: NDArray[np.uint8] = np.zeros((size, size), np.uint8)
        self._last_id = 0
        self._tiles: dict[int, tuple[Texture, FloatArray]] = {}

    def reserve(self, last: int) -> None:
        """Keep the numbers up to `last` for objects that the caller labels itself."""
        self._last_id = max(self._last_id, last)

    def tile(self, rng: np.random.Generator, texture: Texture) -> FloatArray:
        """Render `texture` over the whole sheet, once per canvas."""
        known = self._tiles.get(id(texture))
        if known is None:
            known = (texture, texture.render(rng, self.size))
            self._tiles[id(texture)] = known
        return known[1]

    def ground(self, rng: np.random.Generator, texture: Texture) -> None:
        """Fill the whole sheet with `texture` and leave the labels alone."""
        self.rgb = texture.render(rng, self.size)

    def blend(self, patch: Patch, colour: FloatArray, opacity: float = 1.0) -> None:
        """Mix `colour`, (3,) or (h, w, 3), over the picture where the patch covers it."""
        amount = patch.coverage[..., None] * np.float32(opacity)
        below = self.rgb[patch.window]
        self.rgb[patch.window] = below + amount * (colour - below)

    def mark(self, patch: Patch, class_id: int, *, instance: int | None = None) -> int:
        """Label the pixels of the patch.

        Parameters
        ----------
        patch : where
        class_id : class of the pixels, 1 and up
        instance : None starts a new object, 0 marks stuff, another number adds to that object

        Returns
        -------
        instance : number of the object, 0 for stuff
        """
        if instance is None:
            self._last_id += 1
            instance = self._last_id
        self.classes[patch.window][patch.label] = class_id
        self.instances[patch.window][patch.label] = instance
        return instance

    def paint(
        self,
        rng: np.random.Generator,
        patch: Patch,
        material: Material,
        class_id: int | None = None,
        *,
        instance: int | None = None,
        gain: float | None = None,
    ) -> int:
        """Draw an object of `material` and label it.

        With `class_id` None the labels below stay as they are (a shadow, a stain); 0 makes the
        pixels background (a thing that hides others and has no class itself).
        """
        height, width = patch.coverage.shape
        tile = self.tile(rng, material.texture)
        top = int(rng.integers(0, self.size - height + 1))
        left = int(rng.integers(0, self.size - width + 1))
        colour = tile[top : top + height, left : left + width]
        factor = float(np.exp(rng.normal(0.0, material.vary))) if gain is None else gain
        if material.tint > 0.0:
            colour = colour * np.exp(rng.normal(0.0, material.tint, 3)).astype(np.float32)
        shading = np.full((1, 1), factor, np.float32)
        depth = None
        if material.edge != 0.0 or material.rim > 0.0:
            # Beyond the sheet the object goes on: its cut side is no border.
            depth = inner_depth(patch, self.size)
        if depth is not None and material.edge != 0.0:
            shading = shading * (1.0 + np.float32(material.edge) * (1.0 - depth) ** 2)
        if material.light != 0.0:
            ramp = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
            across = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
            shading = shading * (1.0 - np.float32(material.light) * (0.7 * ramp + 0.7 * across))
        colour = colour * shading[..., None]
        if depth is not None and material.rim > 0.0 and material.rim_colour is not None:
            colour = np.where((depth < material.rim)[..., None], material.rim_colour, colour)
        self.blend(patch, colour, material.opacity)
        if class_id is None:
            return 0
        return self.mark(patch, class_id, instance=instance if class_id else 0)

    def shape(
        self,
        rng: np.random.Generator,
        family: ShapeFamily,
        centre: Vertices,
        radius: float,
        material: Material,
        class_id: int | None = None,
        *,
        angle: float | None = None,
        instance: int | None = None,
        gain: float | None = None,
    ) -> int:
        """Draw one object of a shape family around `centre` (x, y); returns its number or 0."""
        outline = family.outline(rng, radius, angle)
        holes = [family.hole * outline + centre] if family.hole > 0.0 else []
        patch = polygon_patch(outline + centre, self.size, holes)
        if patch is None:
            return 0
        return self.paint(rng, patch, material, class_id, instance=instance, gain=gain)

    def mark_region(self, region: NDArray[np.bool_], class_id: int) -> None:
        """Label a full-size mask as stuff of `class_id`."""
        self.classes[region] = class_id
        self.instances[region] = 0


def inner_depth(patch: Patch, size: int) -> FloatArray:
    """Depth of each pixel below the border of its shape: 0 at the border, 1 at the deepest."""
    rows, cols = patch.window
    pad = (
        (0 if rows.start == 0 else 1, 0 if rows.stop == size else 1),
        (0 if cols.start == 0 else 1, 0 if cols.stop == size else 1),
    )
    padded = np.pad(patch.label, pad)
    if padded.all():
        return np.ones(patch.label.shape, np.float32)
    depth = ndimage.distance_transform_edt(padded).astype(np.float32)
    height, width = patch.label.shape
    depth = depth[pad[0][0] : pad[0][0] + height, pad[1][0] : pad[1][0] + width]
    return np.clip((depth - 0.5) / max(float(depth.max()) - 0.5, 1.0), 0.0, 1.0)


def scatter(
    rng: np.random.Generator,
    size: int,
    radii: NDArray[np.float64],
    *,
    spacing: float = 1.0,
    clusters: int = 0,
) -> tuple[Vertices, NDArray[np.intp]]:
    """Find places for discs, dropping those that find none.

    Parameters
    ----------
    rng : generator
    size : side of the sheet in pixels
    radii : shape (n,), wanted radii, in order of placement
    spacing : smallest distance of two centres as a share of the sum of their radii; 0 lets them
        lie anywhere
    clusters : 0 spreads them evenly, else they gather around that many points

    Returns
    -------
    centres : shape (k, 2), x and y
    index : shape (k,), k <= n
        Which of the radii stands at each centre.
    """
    count, tries = len(radii), 4
    if count == 0:
        return np.zeros((0, 2)), np.zeros(0, np.intp)
    # Candidates come in rounds over all radii, so that none waits until the others fill the sheet.
    wanted = np.tile(radii, tries)
    if clusters > 0:
        hubs = rng.uniform(0.1 * size, 0.9 * size, (clusters, 2))
        reach = 1.2 * float(np.mean(radii)) * np.sqrt(count / clusters) + 0.04 * size
        places = hubs[rng.integers(0, clusters, len(wanted))]
        places = places + rng.normal(0.0, reach, places.shape)
    else:
        places = rng.uniform(0.0, size, (len(wanted), 2))
    if spacing <= 0.0:
        return places[:count], np.arange(count)
    gaps = places[:, None] - places[None]
    reach_squared = (spacing * (wanted[:, None] + wanted[None])) ** 2
    touches = (gaps**2).sum(-1) < reach_squared
    blocked = np.zeros(len(wanted), bool)
    placed = np.zeros(count, bool)
    chosen: list[int] = []
    for index in range(len(wanted)):
        if blocked[index] or placed[index % count]:
            continue
        if ((places[index] < 0.0) | (places[index] > size)).any():
            continue
        chosen.append(index)
        placed[index % count] = True
        blocked |= touches[index]
    return places[chosen], np.array(chosen, np.intp) % count
