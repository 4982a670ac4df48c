"""Kinds of countable objects, and strewing several kinds over one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vrpsam_app.data.scene_canvas import Canvas, Material, View, scatter
from vrpsam_app.data.scene_shapes import ShapeFamily, Vertices, polygon_patch


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A smaller shape on top of an object; with a class of its own, or belonging to the object.

    `place` is (along, across) from the centre in radii of the object, turning with it.
    """

    family: ShapeFamily
    material: Material
    radius: float
    place: tuple[float, float] = (0.0, 0.0)
    class_id: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ObjectKind:
    """A class of objects: outline, surface, typical radius (share of the sheet) and count.

    `spread` is the deviation of the logarithm of the radius; `shadow` the strength of a dark
    blurred copy beneath; with `class_id` 0 the objects are clutter without a label.
    """

    class_id: int
    family: ShapeFamily
    material: Material
    radius: float
    count: float
    spread: float = 0.15
    parts: tuple[Part, ...] = ()
    shadow: float = 0.0
    upright: bool = False


def draw_objects(
    canvas: Canvas,
    rng: np.random.Generator,
    view: View,
    kinds: Sequence[ObjectKind],
    *,
    spacing: float = 0.8,
    clusters: int = 0,
) -> None:
    """Strew objects of all kinds over the sheet; nearer ones (drawn later) hide farther ones."""
    owners: list[int] = []
    radii: list[float] = []
    for owner, kind in enumerate(kinds):
        count = view.count(rng, kind.count, kind.class_id)
        owners += [owner] * count
        sizes = kind.radius * view.size * view.scale * np.exp(rng.normal(0.0, kind.spread, count))
        radii += np.maximum(sizes, 1.0).tolist()
    order = rng.permutation(len(owners)).tolist()
    # One of each kind first, so that no class is crowded out.
    first = [next(i for i in order if owners[i] == k) for k in sorted(set(owners))]
    order = first + [i for i in order if i not in first]
    wanted = np.array([radii[i] for i in order])
    centres, index = scatter(rng, view.size, wanted, spacing=spacing, clusters=clusters)
    for spot in rng.permutation(len(centres)):
        which = int(index[spot])
        draw_object(canvas, rng, kinds[owners[order[which]]], centres[spot], float(wanted[which]))


def draw_object(
    canvas: Canvas,
    rng: np.random.Generator,
    kind: ObjectKind,
    centre: np.ndarray,
    radius: float,
) -> int:
    """Draw one object with its shadow and parts; returns its number, 0 if it lies outside."""
    angle = rng.normal(0.0, 0.15) if kind.upright else rng.uniform(0.0, 2.0 * np.pi)
    if kind.shadow > 0.0:
        dark = Material(kind.material.texture, opacity=kind.shadow)
        offset = centre + radius * np.array([0.18, 0.22])
        canvas.shape(rng, kind.family, offset, 1.02 * radius, dark, angle=angle, gain=0.0)
    number = canvas.shape(
        rng, kind.family, centre, radius, kind.material, kind.class_id, angle=angle
    )
    if number == 0 and kind.class_id:
        return 0
    cos, sin = np.cos(angle), np.sin(angle)
    for part in kind.parts:
        along, across = part.place
        spot = centre + radius * np.array([cos * along - sin * across, sin * along + cos * across])
        part_class = part.class_id or kind.class_id
        canvas.shape(
            rng,
            part.family,
            spot,
            part.radius * radius,
            part.material,
            part_class,
            angle=angle,
            instance=None if part.class_id else number,
        )
    return number


def draw_sheathed(
    canvas: Canvas,
    rng: np.random.Generator,
    outline: Vertices,
    centre: Vertices,
    inner: float,
    *,
    sheath: Material,
    inside: Material,
) -> None:
    """Draw a ring, class 2, around an inside, class 1, whose radius is the share `inner` of it."""
    ring = polygon_patch(outline + centre, canvas.size, [inner * outline + centre])
    if ring is not None:
        canvas.paint(rng, ring, sheath, 2)
    core = polygon_patch(inner * outline + centre, canvas.size)
    if core is not None:
        canvas.paint(rng, core, inside, 1)
